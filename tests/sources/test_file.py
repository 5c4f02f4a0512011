import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.errors import AudioError
from edge.sources.file import AudioFile

RATE = 16_000


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    rng = np.random.default_rng(7)
    return (rng.standard_normal(3 * RATE) * 0.1).astype(np.float32)


def read(path: Path, *, block_seconds: float = 5.0) -> tuple[np.ndarray, AudioFile]:
    with AudioFile(path, block_seconds=block_seconds) as audio:
        blocks = list(audio)
    starts = np.cumsum([0] + [len(block.samples) for block in blocks])[:-1]
    assert list(starts) == [block.start_sample for block in blocks]
    assert all(block.samples.dtype == np.float32 for block in blocks)
    return np.concatenate([block.samples for block in blocks]), audio


def wav_bytes(path: Path, samples: np.ndarray, subtype: str = "PCM_16", kind: str = "WAV") -> bytes:
    soundfile.write(path, samples, RATE, subtype=subtype, format=kind)
    return path.read_bytes()


def with_size(content: bytes, chunk: bytes, size: int) -> bytes:
    at = content.index(chunk) + 4
    return content[:at] + struct.pack("<I", size) + content[at + 4 :]


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_blocks_hold_the_whole_file(tmp_path, noise, suffix):
    """The samples have the same bits whatever the size of the blocks, and are the decoder's."""
    path = tmp_path / f"x.{suffix}"
    soundfile.write(path, noise, RATE)
    whole, audio = read(path, block_seconds=60.0)
    for block_seconds in (0.013, 1.0):
        assert np.array_equal(whole, read(path, block_seconds=block_seconds)[0])
    np.testing.assert_allclose(whole, soundfile.read(path, dtype="float32")[0], atol=1e-6)
    assert (audio.sample_rate_hz, audio.channels, audio.notes) == (RATE, 1, [])


@pytest.mark.parametrize("channels", [1, 2, 8])
def test_channels_are_averaged(tmp_path, noise, channels):
    """The mono signal is the mean of the channels."""
    many = np.stack([np.roll(noise, k * 100) for k in range(channels)], axis=1)
    path = tmp_path / "x.wav"
    soundfile.write(path, many, RATE, subtype="FLOAT")
    samples, _ = read(path)
    np.testing.assert_allclose(samples, many.mean(axis=1), atol=1e-7)


@pytest.mark.parametrize("rate", [8_000, 44_100, 192_000, 256_000])
def test_rate_is_the_files_own(tmp_path, rate):
    """Nothing is resampled here."""
    path = tmp_path / "x.wav"
    soundfile.write(path, np.zeros(rate), rate)
    with AudioFile(path) as audio:
        assert [(rate, rate)] == [(b.sample_rate_hz, len(b.samples)) for b in audio]


def test_blocks_of_high_rates_and_many_channels_stay_small(tmp_path):
    """A block of a wide file is cut shorter than was asked for."""
    path = tmp_path / "x.wav"
    soundfile.write(path, np.zeros((2_000_000, 2), dtype=np.int16), 256_000)
    with AudioFile(path, block_seconds=1000.0) as audio:
        sizes = [len(block.samples) for block in audio]
    assert sum(sizes) == 2_000_000
    assert max(sizes) <= 1 << 20


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.wav", b"", "is empty"),
        ("text.wav", b"Dear diary,\n" * 50, "no audio format recognised"),
        ("text.mp3", b"Dear diary,\n" * 50, "no audio format recognised"),
        ("zeros.wav", bytes(5000), "no audio format recognised"),
    ],
)
def test_what_is_no_audio_is_refused(tmp_path, name, content, says):
    """The error names the file, says what is wrong and what to do."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(AudioError, match=says) as caught, AudioFile(path):
        pass
    assert str(path) in caught.value.what
    assert caught.value.remedy


@pytest.mark.parametrize("promised", [0, 96_000, 0xFFFF_FFFF])
def test_header_without_audio_is_refused(tmp_path, noise, promised):
    """A header alone is no recording, whatever it promises."""
    path = tmp_path / "x.wav"
    path.write_bytes(with_size(wav_bytes(path, noise)[:44], b"data", promised))
    with pytest.raises(AudioError, match="holds a header and no audio"), AudioFile(path):
        pass


def test_metadata_after_no_audio_is_not_audio(tmp_path, noise):
    """A trigger file with GUANO and no data holds nothing to score."""
    path = tmp_path / "x.wav"
    head = with_size(wav_bytes(path, noise)[:44], b"data", 0)
    path.write_bytes(head + guano(40))
    with pytest.raises(AudioError, match="holds a header and no audio"), AudioFile(path):
        pass


def test_missing_file_and_directory_are_refused(tmp_path):
    """A path that leads to no file is an AudioError."""
    for path, says in ((tmp_path / "no.wav", "No such file"), (tmp_path, "is not a file")):
        with pytest.raises(AudioError, match=says), AudioFile(path):
            pass


def test_unreadable_file_is_refused(tmp_path, noise):
    """A file without permission is an AudioError."""
    path = tmp_path / "x.wav"
    soundfile.write(path, noise, RATE)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(AudioError, match="Permission denied"), AudioFile(path):
        pass


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "ULAW"])
@pytest.mark.parametrize("size", [0, 2000])
def test_wrong_data_size_is_mended(tmp_path, noise, subtype, size):
    """Audio beyond a data size that was never filled in is read, and it is said."""
    path = tmp_path / "x.wav"
    content = wav_bytes(path, noise, subtype)
    expected = soundfile.read(path, dtype="float32")[0]
    path.write_bytes(with_size(with_size(content, b"data", size), b"RIFF", 0))
    samples, audio = read(path)
    assert np.array_equal(expected, samples)
    assert [note[:24] for note in audio.notes] == ["wrong size in the header"]
    assert "3.0 s are there" in audio.notes[0]


def test_wrong_data_size_of_rf64_is_mended(tmp_path, noise):
    """The 64-bit sizes of RF64 are mended like those of RIFF."""
    path = tmp_path / "x.wav"
    content = wav_bytes(path, noise, kind="RF64")
    at = content.index(b"ds64") + 8
    path.write_bytes(content[:at] + bytes(16) + content[at + 16 :])
    samples, audio = read(path)
    assert len(noise) == len(samples)
    assert [note[:24] for note in audio.notes] == ["wrong size in the header"]


@pytest.mark.parametrize("size", [0, 96_000, 10**9, 0xFFFF_FFFF])
def test_metadata_after_the_audio_is_not_read_as_audio(tmp_path, noise, size):
    """GUANO after the audio stays out of it, also where the data size is wrong."""
    path = tmp_path / "x.wav"
    content = wav_bytes(path, noise)
    expected = soundfile.read(path, dtype="float32")[0]
    path.write_bytes(with_size(content, b"data", size) + guano(20_000))
    samples, _ = read(path)
    assert np.array_equal(expected, samples)


def test_tag_and_padding_after_the_audio_are_not_read_as_audio(tmp_path, noise):
    """Less than a second of something else, or any length of zeros, is left out."""
    path = tmp_path / "x.wav"
    content = wav_bytes(path, noise)
    for rest in (b"TAG\x01\x02" * 25, bytes(3 * 2 * RATE)):
        path.write_bytes(content + rest)
        samples, audio = read(path)
        assert (len(noise), []) == (len(samples), audio.notes)


def test_truncated_wav_is_read_to_its_end(tmp_path, noise):
    """What is there is read, and how much was promised is said."""
    path = tmp_path / "x.wav"
    path.write_bytes(wav_bytes(path, noise)[: 44 + 2 * RATE + 1])
    samples, audio = read(path)
    assert len(samples) == RATE
    assert audio.notes == ["truncated: the header promises 3.0 s, 1.0 s are there"]


@pytest.mark.parametrize("suffix", ["flac", "mp3", "ogg"])
def test_truncated_stream_is_read_to_its_end(tmp_path, noise, suffix):
    """A compressed file that was cut yields what can be decoded, and it is said."""
    path = tmp_path / f"x.{suffix}"
    soundfile.write(path, noise, RATE)
    whole, _ = read(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    samples, audio = read(path)
    assert 0.2 * len(noise) < len(samples) < 0.8 * len(noise)
    np.testing.assert_allclose(samples, whole[: len(samples)], atol=0.02)
    assert [note.startswith(("truncated", "a decoder error")) for note in audio.notes] == [True]
    assert audio.ends_early


@pytest.mark.parametrize("kind", ["VORBIS", "OPUS"])
def test_hole_in_an_ogg_is_seen_and_what_follows_keeps_its_place(tmp_path, kind):
    """Whatever pages are gone or damaged, each sample is where it is in the whole file.

    After a hole the reading goes on at a multiple of 5 s.
    """
    rate = 48_000
    rng = np.random.default_rng(3)
    path = tmp_path / "x.ogg"
    time_s = np.arange(rate // 10) / rate
    with soundfile.SoundFile(path, "w", rate, 1, kind, format="OGG") as file:
        for pitch_hz in rng.uniform(300, 3000, 600):
            file.write(0.3 * np.sin(2 * np.pi * pitch_hz * time_s))
    content = path.read_bytes()
    whole, audio = read(path)
    assert audio.notes == []
    places = [at for at in range(len(content)) if content.startswith(b"OggS", at)] + [len(content)]
    audio_pages = len(places) - 1
    for number in range(12):
        first = int(rng.integers(2, audio_pages - 6))
        after = min(first + int(rng.integers(1, 4)), audio_pages - 1)
        gone = number % 3
        if gone == 0:
            spoilt = content[: places[first]] + content[places[after] :]
        elif gone == 1:
            spoilt = bytearray(content)
            spoilt[places[first] + 60] ^= 0xFF
        else:
            cut = (places[after] - places[first]) // 2
            spoilt = content[: places[first] + cut] + bytes(cut) + content[places[after] :]
        path.write_bytes(spoilt)
        with AudioFile(path) as audio:
            blocks = list(audio)
        kept = np.zeros(len(whole), dtype=bool)
        for block in blocks:
            kept[block.start_sample : block.end_sample] = True
            expected = whole[block.start_sample : block.end_sample]
            # Opus takes a moment to find itself.
            moment = rate // 5 if kind == "OPUS" else 0
            np.testing.assert_allclose(block.samples[moment:], expected[moment:], atol=1e-4)
        edges = np.flatnonzero(np.diff(kept.astype(np.int8)) == 1) + 1
        assert all(edge % (5 * rate) == 0 for edge in edges)
        assert 0 < (~kept).sum() < 10 * rate
        assert len(audio.notes) == 1
        assert "s are missing at" in audio.notes[0]
        assert "pages of the Ogg stream are missing or damaged" in audio.notes[0]


def test_several_holes_are_one_note(tmp_path, noise):
    """The first is named, the others counted."""
    path = tmp_path / "x.ogg"
    soundfile.write(path, np.tile(noise, 20), RATE)
    content = bytearray(path.read_bytes())
    places = [at for at in range(len(content)) if content.startswith(b"OggS", at)]
    for page in (10, 11, 20, 25):
        content[places[page] + 100] ^= 0xFF
    path.write_bytes(content)
    with AudioFile(path) as audio:
        starts = [block.start_sample for block in audio]
    assert all(start % (5 * RATE) == 0 for start in starts)
    (note,) = audio.notes
    assert note.startswith("3 holes, ")
    assert not audio.ends_early


def test_ogg_without_its_first_audio_keeps_its_times(tmp_path, noise):
    """The first page of audio is a hole like another."""
    path = tmp_path / "x.ogg"
    soundfile.write(path, np.tile(noise, 5), RATE)
    whole, _ = read(path)
    content = bytearray(path.read_bytes())
    places = [at for at in range(len(content)) if content.startswith(b"OggS", at)]
    content[places[2] + 100] ^= 0xFF
    path.write_bytes(content)
    with AudioFile(path) as audio:
        blocks = list(audio)
    assert blocks[0].start_sample == 5 * RATE
    np.testing.assert_allclose(
        np.concatenate([block.samples for block in blocks]), whole[5 * RATE :], atol=1e-6
    )
    assert "s are missing at 0.0 s" in audio.notes[0]


@pytest.mark.parametrize(
    ("promised_s", "believed"), [(100, True), (3600 * 20, True), (3600 * 24 * 300, False)]
)
def test_promise_of_a_year_is_none(tmp_path, promised_s, believed):
    """A header that was written ahead, with no length in mind, does not make a file truncated."""
    path = tmp_path / "x.wav"
    soundfile.write(path, np.zeros(100), 20, subtype="PCM_U8")
    path.write_bytes(with_size(path.read_bytes(), b"data", promised_s * 20))
    samples, audio = read(path)
    assert (100, believed) == (len(samples), audio.ends_early)
    assert (promised_s if believed else 5) == audio.promised_s
    (note,) = audio.notes
    assert note.startswith("truncated: " if believed else "the header does not say how long")


def test_damage_in_the_middle_keeps_what_was_decoded_before(tmp_path, noise):
    """A decoder error costs no sample that was decoded before it."""
    path = tmp_path / "x.flac"
    soundfile.write(path, noise, RATE)
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[:half] + bytes(3000) + content[half + 3000 :])
    small, _ = read(path, block_seconds=0.01)
    samples, audio = read(path, block_seconds=60.0)
    assert np.array_equal(small, samples)
    assert len(samples) > 0.3 * len(noise)
    (note,) = audio.notes
    assert note.startswith("a decoder error at ")
    assert audio.ends_early


def test_values_that_are_not_finite_are_handed_on(tmp_path, noise):
    """NaN and infinity in a float file are the pipeline's to judge."""
    path = tmp_path / "x.wav"
    wrong = noise.copy()
    wrong[[10, 20_000]] = np.nan, np.inf
    soundfile.write(path, wrong, RATE, subtype="FLOAT")
    samples, audio = read(path)
    assert np.array_equal(wrong, samples, equal_nan=True)
    assert audio.notes == []


@pytest.mark.filterwarnings("error")
def test_one_channels_nonsense_is_not_cancelled_by_another(tmp_path, noise):
    """Where any channel is unusable the mix is, and nothing else is touched."""
    wrong = np.stack([noise, np.roll(noise, 100)], axis=1)
    wrong[10] = 1e30, -1e30
    wrong[20] = 3e38, 3e38
    wrong[30] = np.inf, -np.inf
    wrong[40, 1] = np.nan
    path = tmp_path / "x.wav"
    soundfile.write(path, wrong, RATE, subtype="FLOAT")
    samples, _ = read(path)
    bad = [10, 20, 30, 40]
    np.testing.assert_array_equal(np.float32([1e30, 3e38, np.inf, np.nan]), samples[bad])
    rest = np.delete(wrong, bad, axis=0).mean(axis=1)
    np.testing.assert_allclose(np.delete(samples, bad), rest, atol=1e-7)


def test_strange_names_can_be_read(tmp_path, noise):
    """Spaces, newlines, letters of any script and bytes of none are names like others."""
    for name in ("a b.wav", "a\nb.wav", "Übung-日本.wav", os.fsdecode(b"\xff\xfe.wav")):
        path = tmp_path / name
        with open(path, "wb") as file:
            soundfile.write(file, noise, RATE, format="WAV")
        assert len(noise) == len(read(path)[0])


@pytest.mark.parametrize(
    ("name", "rate", "samples"),
    [
        ("XC563936.mp3", 48_000, 3_455_179),
        ("silence_10s.mp3", 44_100, 441_000),
        ("metadata.wav", 32_000, 479_022),
        ("audiomoth_gps.wav", 48_000, 95_999),
        ("veryshort.wav", 44_100, 6_266),
        ("stereo.wav", 44_100, 5),
    ],
)
def test_real_recordings_have_their_length(data_dir, name, rate, samples):
    """Files as recorders wrote them are read to the sample and without complaint."""
    found, audio = read(data_dir / "soundscapes" / name)
    assert (rate, samples, []) == (audio.sample_rate_hz, len(found), audio.notes)


def guano(size: int) -> bytes:
    text = (b"GUANO|Version:1.0\nMake:Test\n" * (size // 10))[: size & ~1]
    return b"guan" + struct.pack("<I", len(text)) + text

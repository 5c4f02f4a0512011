"""Metadata in WAV files, wherever it stands and whatever the header says."""

import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.riff import WavMetadata, read_metadata

GUANO = b"GUANO|Version:1.0\nTimestamp:2024-05-01T06:15:00Z\n"
COMMENT = b"Recorded at 06:15:00 01/05/2024 (UTC) by AudioMoth 24526B065D325963".ljust(384, b"\0")
FORMAT = struct.pack("<HHIIHH", 1, 1, 32_000, 64_000, 2, 16)
NOTHING = WavMetadata(None, None)
BOTH = WavMetadata(GUANO, COMMENT)


def chunk(name, body, *, length=None):
    """A chunk, padded to an even length; `length` is what it claims."""
    claimed = len(body) if length is None else length
    return name + struct.pack("<I", claimed) + body + bytes(len(body) % 2)


def info(comment=COMMENT):
    """An INFO list as an AudioMoth writes it."""
    return chunk(b"LIST", b"INFO" + chunk(b"ICMT", comment) + chunk(b"IART", b"AudioMoth\0"))


def sound(n_bytes=40_000):
    """Bytes that are no chunk."""
    return bytes(range(128, 256)) * (n_bytes // 128) + b"\xff" * (n_bytes % 128)


def wav(*chunks, riff_size=None):
    """A file of these chunks behind the header and format."""
    body = b"WAVE" + chunk(b"fmt ", FORMAT) + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if riff_size is None else riff_size) + body


def found_in(tmp_path, content):
    """What is read from a file of this content."""
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    return read_metadata(path)


GUAN = chunk(b"guan", GUANO)
DATA = chunk(b"data", sound())


@pytest.mark.parametrize(
    "chunks",
    [
        (info(), DATA, GUAN),
        (GUAN, info(), DATA),
        (DATA, info(), GUAN),
        (DATA, chunk(b"bext", bytes(602)), GUAN, info(), chunk(b"id3 ", b"ID3")),
        (GUAN, DATA, info()),
        (info(), chunk(b"data", sound(40_001)), GUAN),
        (info(), chunk(b"data", b""), GUAN),
        (chunk(b"LIST", b"adtl" + bytes(8)), info(), DATA, GUAN),
    ],
)
def test_metadata_is_found_before_the_audio_and_after_it(tmp_path, chunks):
    """The order of chunks is free; other lists and chunks are passed over."""
    assert found_in(tmp_path, wav(*chunks)) == BOTH


@pytest.mark.parametrize("riff_size", [0, 8, 36, 0xFFFF_FFFF])
@pytest.mark.parametrize("promised", [0, 20_000, 39_998, 40_001, 40_020, 1 << 30, 0xFFFF_FFFF])
def test_wrong_sizes_hide_nothing(tmp_path, riff_size, promised):
    """Metadata after the audio is found where the header's sizes were never set, or set wrong."""
    data = chunk(b"data", sound(), length=promised)
    assert found_in(tmp_path, wav(info(), data, GUAN, riff_size=riff_size)) == BOTH
    assert found_in(tmp_path, wav(data, info(), GUAN, riff_size=riff_size)) == BOTH


def test_audio_of_odd_length_without_a_pad_byte_hides_nothing(tmp_path):
    """Some programs leave the pad byte out."""
    data = b"data" + struct.pack("<I", 40_001) + sound(40_001)
    assert found_in(tmp_path, wav(data, GUAN, info())) == BOTH


def test_the_first_of_each_counts(tmp_path):
    """A second chunk of the same name changes nothing."""
    content = wav(info(), GUAN, DATA, chunk(b"guan", b"Make:other"), info(b"other"))
    assert found_in(tmp_path, content) == BOTH


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF",
        b"OggS" + bytes(100),
        b"fLaC" + GUAN,
        wav(),
        wav(DATA),
        wav(chunk(b"LIST", b"INFO")),
        wav(chunk(b"LIST", b"")),
        wav(chunk(b"LIST", b"adtl" + chunk(b"ICMT", COMMENT)), DATA),
    ],
)
def test_a_file_without_metadata_has_none(tmp_path, content):
    """Other formats, headers alone and bare audio are no errors."""
    assert found_in(tmp_path, content) == NOTHING


def test_metadata_cut_off_by_the_files_end_is_read_as_far_as_it_goes(tmp_path):
    """A battery that ends early leaves part of the text."""
    assert WavMetadata(GUANO[:-5], COMMENT) == found_in(tmp_path, wav(info(), DATA, GUAN)[:-6])
    # The comment of a header that was all the recorder wrote.
    assert WavMetadata(None, COMMENT) == found_in(tmp_path, wav(info()))


def test_a_big_file_is_walked_not_read(tmp_path):
    """Metadata beyond 4 GiB of audio (RF64) is found in little memory."""
    length = 5 << 30
    path = tmp_path / "big.wav"
    sizes = chunk(b"ds64", struct.pack("<QQQI", length + 1000, length, length // 2, 0))
    head = b"RF64\xff\xff\xff\xffWAVE" + sizes + chunk(b"fmt ", FORMAT) + b"data\xff\xff\xff\xff"
    with path.open("wb") as file:
        file.write(head)
        file.seek(len(head) + length)
        file.write(GUAN + info())
    tracemalloc.start()
    assert read_metadata(path) == BOTH
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 1 << 20


def test_a_file_of_metadata_alone_fills_no_memory(tmp_path):
    """Texts are cut at 64 KiB, and a hundred thousand lists are not all remembered."""
    content = wav(chunk(b"guan", b"x" * (8 << 20)), chunk(b"LIST", b"") * 100_000, DATA)
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    tracemalloc.start()
    assert WavMetadata(b"x" * (64 << 10), None) == read_metadata(path)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 1 << 20


@settings(deadline=None, derandomize=True)
@given(
    st.permutations([info(), GUAN, DATA, chunk(b"bext", bytes(602)), chunk(b"iXML", b"<a/>")]),
    st.binary(max_size=64),
    st.integers(0, 1 << 16),
)
def test_no_damage_is_an_error(tmp_path_factory, chunks, rubbish, place):
    """Rubbish written over any part of a file costs metadata at most."""
    content = wav(*chunks)
    at = place % len(content)
    content = content[:at] + rubbish + content[at + len(rubbish) :]
    assert isinstance(found_in(tmp_path_factory.mktemp("wav"), content), WavMetadata)


def test_a_real_audiomoths_comment_stands_after_its_audio(data_dir):
    """The comment comes back byte for byte."""
    expected = (
        b"Recorded at 10:25:00 04/04/2020 (UTC) by AudioMoth 24526B065D325963 "
        b"at gain setting 2 while battery state was 4.7V.\0"
    )
    assert WavMetadata(None, expected) == read_metadata(data_dir / "soundscapes" / "metadata.wav")

import numpy as np
import pytest
import soundfile
from tiny_training import RECIPE, write_clips, write_recipe

from edge.contracts import AudioBlock
from edge.dsp.framing import Framer
from edge.dsp.resample import StreamResampler
from edge.stsg.features import FeatureExtractor
from edge_build.cache import Cache
from edge_build.dataset import find_labelled, find_unlabelled
from edge_build.frames import FrameStore, stream_samples
from edge_build.recipe import read_recipe


def test_frames_are_the_runtime_s(tmp_path):
    """Stored frames equal the runtime's exact features, to half a step of the grid."""
    recipe = read_recipe(write_recipe(tmp_path))
    clips, _ = find_labelled(write_clips(tmp_path / "d", clips=2))
    store = FrameStore(recipe, Cache(tmp_path / "cache"))
    store.add(clips)
    samples, rate = soundfile.read(clips[0].path, dtype="float32")
    resampler = StreamResampler(from_hz=rate, to_hz=32_000)
    stream = np.concatenate([resampler.push(samples), resampler.finish()])
    frames = Framer(frame_size=8_000, hop=4_000).push(stream)
    expected = FeatureExtractor(recipe.feature_spec()).exact(frames)
    actual = store.frames(clips[0])
    assert actual.shape == (40, 32)
    assert np.abs(expected - actual).max() <= 0.5 / 1024 + 1e-6


@pytest.mark.parametrize(
    ("features", "bytes_a_value"),
    [
        ("{mel_bands: 32}", 2),
        ("{mel_bands: 32, normalisation: mean}", 4),
        ("{mel_bands: 32, normalisation: none}", 4),
        ("{mel_bands: 1500}", 4),
    ],
)
def test_half_the_disk_where_no_number_changes(tmp_path, features, bytes_a_value):
    """Frames are the grid's numbers, whether 16 bits hold them or not; any rows can be asked for.

    A pure tone has nearly the largest value that a standardised frame can have.
    """
    recipe = read_recipe(
        write_recipe(tmp_path, RECIPE.replace("{mel_bands: 32}", features)),
    )
    samples = np.random.default_rng(1).normal(0, 1e-9, 32_000 * 5)
    samples += np.sin(2 * np.pi * 12_000 * np.arange(len(samples)) / 32_000)
    path = tmp_path / "d" / "tone" / "r1.wav"
    path.parent.mkdir(parents=True)
    soundfile.write(path, samples, 32_000, "FLOAT")
    clips = find_unlabelled([tmp_path / "d"])
    store = FrameStore(recipe, Cache(tmp_path / "cache"))
    store.add(clips)
    frames = Framer(frame_size=8_000, hop=4_000).push(np.float32(samples))
    exact = FeatureExtractor(recipe.feature_spec()).exact(frames)
    expected = (np.round(exact * 1024) / 1024).astype(np.float32)
    np.testing.assert_array_equal(expected, store.frames(clips[0]))
    rows = np.array([3, 4, 17])
    np.testing.assert_array_equal(expected[rows], store.opened(clips[0])[rows])
    (stored,) = (tmp_path / "cache" / "frames").glob("*.npy")
    assert expected.size * bytes_a_value + 128 == stored.stat().st_size


def test_windows_are_the_runtime_s(tmp_path):
    """A tail of a second or more is completed with zeros, a shorter one left out."""
    lengths = {}
    for seconds in (5.9, 6.1, 17.0):
        path = tmp_path / f"{seconds}.wav"
        soundfile.write(path, np.full(round(seconds * 8_000), 0.1), 8_000, "PCM_16")
        parts = list(stream_samples(path, sample_rate_hz=32_000))
        lengths[seconds] = sum(map(len, parts)) / 160_000
    assert lengths == {5.9: 1.0, 6.1: 2.0, 17.0: 4.0}


def test_bad_files_are_left_out(tmp_path):
    """Text, an empty file, samples of NaN or beyond any sound, and 0.1 s are named and left out."""
    recipe = read_recipe(write_recipe(tmp_path))
    folder = write_clips(tmp_path / "d", clips=1)
    (folder / "tone-0" / "text.wav").write_text("not audio")
    (folder / "tone-0" / "empty.wav").touch()
    nan = np.full(32_000, np.nan, dtype=np.float32)
    soundfile.write(folder / "tone-0" / "nan.wav", nan, 16_000, "FLOAT")
    vast = np.full(32_000, 1e30, dtype=np.float32)
    soundfile.write(folder / "tone-0" / "vast.wav", vast, 16_000, "FLOAT")
    soundfile.write(folder / "tone-0" / "short.wav", np.zeros(1_600), 16_000)
    good, bad = FrameStore(recipe, Cache(tmp_path / "cache")).add(find_unlabelled([folder]))
    assert [clip.path.name for clip in good] == ["r00.wav", "r10.wav", "r20.wav"]
    names = ("empty", "nan", "short", "text", "vast")
    assert [f"d/tone-0/{name}.wav" for name in names] == [line.partition(":")[0] for line in bad]
    assert not any(str(tmp_path) in line for line in bad)


def test_block_type_is_the_runtime_s(tmp_path):
    """Samples come as float32 in the runtime's blocks."""
    folder = write_clips(tmp_path / "d", clips=1, labels=1)
    part = next(stream_samples(folder / "tone-0" / "r00.wav", sample_rate_hz=32_000))
    assert np.float32 == AudioBlock("s", 0, 32_000, part).samples.dtype

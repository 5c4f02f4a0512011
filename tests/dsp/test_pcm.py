"""Raw PCM to samples."""

import itertools

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from edge.dsp.pcm import PcmDecoder, PcmFormat
from edge.sources.file import AudioFile

SUBTYPES = {
    PcmFormat.U8: ("PCM_U8", "FILE"),
    PcmFormat.S16LE: ("PCM_16", "LITTLE"),
    PcmFormat.S16BE: ("PCM_16", "BIG"),
    PcmFormat.S24LE: ("PCM_24", "LITTLE"),
    PcmFormat.S32LE: ("PCM_32", "LITTLE"),
    PcmFormat.F32LE: ("FLOAT", "LITTLE"),
}


def decode(data: bytes, pcm_format: PcmFormat, channels: int, cuts: list[int]) -> np.ndarray:
    decoder = PcmDecoder(pcm_format, channels=channels)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    chunks = [data[a:b] for a, b in itertools.pairwise(edges)]
    return np.concatenate([decoder.push(chunk) for chunk in chunks])


@given(
    st.sampled_from(list(PcmFormat)),
    st.integers(1, 4),
    st.binary(max_size=200),
    st.lists(st.integers(0, 200), max_size=8),
)
def test_chunks_decode_as_the_whole(pcm_format, channels, data, cuts):
    """The samples are the same bits for any chunking, half a sample is held back."""
    whole = PcmDecoder(pcm_format, channels=channels)
    expected = whole.push(data)
    frame_bytes = pcm_format.sample_bytes * channels
    assert len(data) // frame_bytes == len(expected)
    assert len(data) % frame_bytes == whole.held_bytes
    actual = decode(data, pcm_format, channels, cuts)
    assert expected.tobytes() == actual.tobytes()
    assert actual.dtype == np.float32


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("pcm_format", list(PcmFormat))
def test_raw_samples_are_those_of_the_same_recording_as_a_file(tmp_path, pcm_format, channels):
    """What libsndfile writes as raw PCM decodes to the bits that it reads from a file."""
    subtype, endian = SUBTYPES[pcm_format]
    values = np.random.default_rng(7).uniform(-1, 1, (500, channels))
    values[:2] = [[1.0] * channels, [-1.0] * channels]
    soundfile.write(tmp_path / "raw", values, 8000, subtype, endian=endian, format="RAW")
    soundfile.write(tmp_path / "a.wav", values, 8000, subtype)
    with AudioFile(tmp_path / "a.wav") as file:
        expected = np.concatenate([block.samples for block in file])
    actual = decode((tmp_path / "raw").read_bytes(), pcm_format, channels, [])
    assert expected.tobytes() == actual.tobytes()


def test_nonsense_in_one_channel_stays_nonsense():
    """NaN in one of two channels is not averaged away."""
    data = np.array([[0.5, np.nan], [0.5, 0.25]], dtype="<f4").tobytes()
    actual = PcmDecoder(PcmFormat.F32LE, channels=2).push(data)
    assert np.isnan(actual).tolist() == [True, False]
    assert actual[1] == 0.375


def test_no_channel_is_refused():
    """A decoder of nothing is a mistake."""
    with pytest.raises(ValueError, match="at least one channel"):
        PcmDecoder(PcmFormat.U8, channels=0)

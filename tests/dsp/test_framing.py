"""Cutting frames."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.dsp.framing import Framer


def test_frame_j_is_centred_on_sample_j_hops():
    """Frame 0 starts half a frame before the stream, in zeros."""
    frames = Framer(frame_size=8, hop=4).push(np.arange(1, 17, dtype=np.float32))
    assert frames.tolist() == [
        [0, 0, 0, 0, 1, 2, 3, 4],
        [1, 2, 3, 4, 5, 6, 7, 8],
        [5, 6, 7, 8, 9, 10, 11, 12],
        [9, 10, 11, 12, 13, 14, 15, 16],
    ]


def test_forty_frames_are_complete_after_five_seconds_and_not_a_sample_sooner():
    """No window looks past its end."""
    framer = Framer(frame_size=8_000, hop=4_000)
    assert len(framer.push(np.zeros(159_999, dtype=np.float32))) == 39
    assert len(framer.push(np.zeros(1, dtype=np.float32))) == 1


@given(st.lists(st.integers(0, 50), max_size=30))
def test_frames_are_the_same_for_any_chunking(sizes):
    """Chunks of any size, empty ones too, give the frames of the whole."""
    samples = np.random.default_rng(0).standard_normal(sum(sizes)).astype(np.float32)
    expected = Framer(frame_size=12, hop=5).push(samples)
    framer = Framer(frame_size=12, hop=5)
    parts = [framer.push(part) for part in np.split(samples, np.cumsum(sizes))]
    assert np.array_equal(np.concatenate(parts), expected)


def test_reset_starts_a_new_stream():
    """Nothing of the old stream shows in the new one."""
    framer = Framer(frame_size=8, hop=4)
    framer.push(np.ones(7, dtype=np.float32))
    framer.reset()
    assert framer.push(np.ones(4, dtype=np.float32)).tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]]


@pytest.mark.parametrize(("frame_size", "hop"), [(7, 3), (8, 0), (8, 9)])
def test_impossible_frames_are_refused(frame_size, hop):
    """Odd frames, no hop, and hops over the frame's length make no sense."""
    with pytest.raises(ValueError, match="cannot cut"):
        Framer(frame_size=frame_size, hop=hop)

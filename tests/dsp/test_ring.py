"""The ring of frames."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.dsp.ring import FrameRing


@given(st.integers(1, 20), st.lists(st.integers(0, 20), max_size=20))
def test_ring_holds_the_last_rows(capacity, sizes):
    """After any pushes, the last rows can be taken by their numbers."""
    ring = FrameRing(np.float32, capacity=capacity, row_shape=(2,))
    pushed = np.empty((0, 2), dtype=np.float32)
    for size in (min(size, capacity) for size in sizes):
        rows = np.random.default_rng(len(pushed)).random((size, 2)).astype(np.float32)
        ring.push(rows)
        pushed = np.concatenate([pushed, rows])
    first = max(0, len(pushed) - capacity)
    assert ring.count == len(pushed)
    assert np.array_equal(ring.take(first, len(pushed) - first), pushed[first:])


def test_rows_that_are_gone_or_to_come_are_refused():
    """A ring never hands out a row that is not the one asked for."""
    ring = FrameRing(np.int32, capacity=3)
    ring.push(np.array([0, 1, 2]))
    ring.push(np.array([3]))
    for first, n in [(0, 1), (3, 2), (4, 1)]:
        with pytest.raises(IndexError, match="not in the ring"):
            ring.take(first, n)
    assert ring.take(1, 3).tolist() == [1, 2, 3]


def test_too_many_rows_at_once_are_refused():
    """Rows are never dropped in silence."""
    with pytest.raises(ValueError, match="do not fit"):
        FrameRing(np.float32, capacity=2).push(np.zeros(3, dtype=np.float32))


def test_reset_starts_numbering_again():
    """The first row after a reset is row 0."""
    ring = FrameRing(np.float32, capacity=2)
    ring.push(np.ones(2, dtype=np.float32))
    ring.reset()
    ring.push(np.full(1, 7, dtype=np.float32))
    assert ring.take(0, 1).tolist() == [7]

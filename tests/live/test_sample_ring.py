"""The ring that sound waits in."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contracts import AudioBlock
from edge.live.ring import Gap, SampleRing

RATE_HZ = 4
WINDOW = 5 * RATE_HZ


class Stream:
    """A ring with what went in and came out, each sample the number of its place."""

    def __init__(self, capacity_s: float) -> None:
        self.ring = SampleRing("s", sample_rate_hz=RATE_HZ, capacity_s=capacity_s)
        self.taken: list[AudioBlock | Gap] = []
        self.received = 0

    def push(self, n: int) -> None:
        start = self.ring.end_sample
        self.ring.push(np.arange(start, start + n, dtype=np.float32))
        self.received += n

    def take(self, most: int | None = None) -> None:
        self.taken += self.ring.take(most)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.integers(1, 3 * WINDOW)),
        st.tuples(st.just("skip"), st.integers(1, 3 * WINDOW)),
        st.tuples(st.just("take"), st.one_of(st.none(), st.integers(0, 2 * WINDOW))),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(STEPS, st.sampled_from([15, 16.25, 22, 60]))
def test_every_sample_is_taken_or_dropped_or_never_came(steps, capacity_s):
    """What comes out is in order, without hole or double, and drops are whole windows."""
    stream = Stream(capacity_s)
    for what, n in steps:
        if what == "skip":
            stream.ring.skip(n)
        else:
            getattr(stream, what)(n)
        assert stream.ring.waiting_samples <= capacity_s * RATE_HZ
    stream.take()
    position = 0
    for item in stream.taken:
        start = item.start_sample
        assert position == start
        if isinstance(item, AudioBlock):
            assert np.array_equal(np.arange(start, item.end_sample), item.samples)
        position = item.end_sample
    gaps = [item for item in stream.taken if isinstance(item, Gap)]
    blocks = [item for item in stream.taken if isinstance(item, AudioBlock)]
    assert stream.ring.end_sample == position
    assert stream.received == stream.ring.received_samples
    assert stream.ring.dropped_samples == sum(gap.received for gap in gaps)
    assert stream.received == sum(len(b.samples) for b in blocks) + stream.ring.dropped_samples
    assert stream.ring.waiting_samples == 0


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("push"), st.integers(1, 3 * WINDOW)),
            st.tuples(st.just("take"), st.integers(0, 2 * WINDOW)),
        ),
        max_size=40,
    )
)
def test_windows_stay_whole_however_slow_the_reader(steps):
    """Without breaks in the sound each window, on one grid, is either there whole or dropped."""
    stream = Stream(15)
    for what, n in steps:
        getattr(stream, what)(n)
    stream.take()
    for item in stream.taken:
        if isinstance(item, Gap):
            assert item.start_sample % WINDOW == 0
            assert item.end_sample % WINDOW == 0
            assert item.received == item.end_sample - item.start_sample
            assert item.windows * WINDOW == item.received


def test_the_oldest_window_that_was_not_begun_makes_room():
    """The reader finishes the window it is in; the next one is dropped, and it is told."""
    stream = Stream(15)
    stream.push(WINDOW)
    stream.take(7)
    stream.push(2 * WINDOW)
    stream.push(10)
    stream.take()
    expected = [(0, 7), (7, WINDOW), (WINDOW, 2 * WINDOW), (2 * WINDOW, 3 * WINDOW + 10)]
    assert expected == [(item.start_sample, item.end_sample) for item in stream.taken]
    assert stream.taken[2] == Gap(WINDOW, 2 * WINDOW, WINDOW, 1)
    assert stream.taken[2].reason == "dropped: the model is too slow"


def test_the_tail_of_a_segment_is_dropped_as_one_window():
    """After a break the grid begins anew; what is left before it goes as a whole."""
    stream = Stream(15)
    stream.push(WINDOW + 3)
    stream.ring.skip(100)
    stream.push(3 * WINDOW)
    stream.take()
    start = WINDOW + 103
    assert stream.taken[0] == Gap(0, start, WINDOW + 3, 2)
    assert stream.taken[0].reason == "dropped, the model being too slow, or never received"
    assert stream.taken[1].start_sample == start
    assert len(stream.taken) == 2


def test_what_never_came_is_told_as_such():
    """A break in which nothing came is a gap without received samples."""
    stream = Stream(15)
    stream.push(3)
    stream.ring.skip(5)
    stream.take(3)
    stream.ring.skip(7)
    assert not stream.ring.is_empty
    stream.take(0)
    assert stream.ring.is_empty
    assert stream.taken[2] == Gap(8, 15, 0, 0)
    assert stream.taken[1] == Gap(3, 8, 0, 0)
    assert stream.taken[1].reason == "nothing was received"


def test_sources_that_come_and_go_take_no_memory():
    """Any number of tiny pieces of sound with breaks between them stays bounded."""
    stream = Stream(1_000_000)
    for _ in range(5000):
        stream.push(1)
        stream.ring.skip(1)
    stream.take()
    assert len(stream.taken) <= 1002
    assert stream.ring.received_samples == 5000
    assert sum(gap.received for gap in stream.taken if isinstance(gap, Gap)) == (
        stream.ring.dropped_samples
    )


def test_a_writer_and_a_reader_on_threads_lose_nothing():
    """While one thread pushes and another takes, every sample keeps its place."""
    stream = Stream(100_000)
    done = threading.Event()

    def write() -> None:
        rng = np.random.default_rng(3)
        for n in rng.integers(1, 50, 4000):
            stream.push(int(n))
        done.set()

    writer = threading.Thread(target=write, name="writer")
    writer.start()
    while not done.is_set():
        stream.take(37)
    writer.join()
    stream.take()
    assert all(isinstance(item, AudioBlock) for item in stream.taken)
    samples = np.concatenate([item.samples for item in stream.taken])
    assert np.array_equal(np.arange(stream.received, dtype=np.float32), samples)


def test_a_ring_that_cannot_keep_windows_whole_is_refused():
    """Three windows must fit, and a gap is not empty."""
    with pytest.raises(ValueError, match="shorter than"):
        SampleRing("s", sample_rate_hz=RATE_HZ, capacity_s=14)
    with pytest.raises(ValueError, match="at least one sample"):
        Stream(15).ring.skip(0)

"""Received equals accounted for plus in flight, whatever comes in whatever pieces."""

import tempfile
from pathlib import Path

from entries_for_tests import MODEL, now, opened
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contracts import WindowState
from edge.store.accounting import merged
from edge.store.entries import WindowRange, WindowsDone
from edge.store.reader import StoreReader
from edge.store.store import Store

FATES = st.sampled_from(
    [
        (WindowState.PREDICTED, "", MODEL),
        (WindowState.PREDICTED, "", "other@2"),
        (WindowState.FAILED, "NaN", ""),
        (WindowState.GAP, "dropped", ""),
        (WindowState.GAP, "nothing came", ""),
    ]
)


@st.composite
def followed(draw):
    """Ranges that follow one another from sample 0."""
    made = []
    start = 0
    for fate in draw(st.lists(FATES, max_size=30)):
        length = draw(st.integers(1, 1000))
        received = draw(st.integers(0, length))
        made.append(WindowRange(start, start + length, received, draw(st.integers(0, 9)), *fate))
        start += length
    return made


def total(ranges):
    """Samples received and windows, by fate."""
    sums = {}
    for one in ranges:
        received, windows = sums.get((one.state, one.reason, one.model), (0, 0))
        sums[one.state, one.reason, one.model] = (received + one.received, windows + one.windows)
    return sums


@given(followed())
def test_merging_changes_no_sum_and_leaves_no_equal_neighbours(ranges):
    """Ranges still follow one another; neighbours differ; every sum is what it was."""
    united = merged(ranges)
    assert total(ranges) == total(united)
    assert united == merged(united)
    assert [one.end_sample for one in united[:-1]] == [one.start_sample for one in united[1:]]
    assert [r.end_sample for r in ranges[-1:]] == [r.end_sample for r in united[-1:]]


@settings(max_examples=40, deadline=None)
@given(st.lists(followed(), min_size=1, max_size=3), st.data())
def test_received_equals_accounted_plus_in_flight(streams, data):
    """For several streams written by turns in any pieces, and after the end nothing is left."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "edge.db"
        in_flight = []
        with Store.open(path, now=now) as store:
            for position, ranges in enumerate(streams):
                stream = store.next_stream()
                store.write([opened(stream, f"microphone {position}")])
                received = 0
                left = list(ranges)
                while left:
                    count = data.draw(st.integers(1, len(left)))
                    received += sum(one.received for one in left[:count])
                    extra = data.draw(st.integers(0, 50)) if count == len(left) else 0
                    store.write([WindowsDone(stream, received + extra, tuple(left[:count]))])
                    del left[:count]
                in_flight.append(extra if ranges else 0)
            with StoreReader(path) as reader:
                status = reader.status()
                shown = [one.range for one in reader.ranges()]
        assert [one for ranges in streams for one in merged(ranges)] == shown
        assert in_flight == [live.in_flight for live in status.streams]
        assert in_flight == [source.in_flight for source in status.sources]
        with StoreReader(path) as reader:
            assert {0} == {live.in_flight for live in reader.status().streams}

"""Which windows hold an event."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_build.labels.grid import place_events
from edge_build.labels.recordings import Event

LABELS = ("frog", "wren")


def event(start_s, end_s, label="wren"):
    """An event in seconds."""
    return Event(round(1e6 * start_s), round(1e6 * end_s), label)


def windows(placed, label=1):
    """Numbers of the windows that hold a label."""
    return np.flatnonzero(placed.truth[:, label]).tolist()


def place(*events, windows=4, length_s=20.0):
    """Place events in 20 s."""
    return place_events(events, LABELS, windows=windows, length_s=length_s)


def test_half_a_second_or_half_the_event():
    """Each is enough; a window with less of it is unclear unless it holds something else."""
    assert windows(place(event(4.5, 10.5))) == [0, 1, 2]
    placed = place(event(4.6, 10.4))
    assert windows(placed) == [1]
    assert placed.unclear.tolist() == [True, False, True, False]
    assert windows(place(event(4.8, 5.2))) == [0, 1]
    assert windows(place(event(4.8, 5.3))) == [1]
    placed = place(event(4.6, 9.0), event(1.0, 2.0, "frog"))
    assert windows(placed) == [1]
    assert placed.unclear.tolist() == [False] * 4


def test_borders_belong_to_the_window_that_begins():
    """An event of exactly a window is in that one alone; a point on a border is behind it."""
    assert windows(place(event(5.0, 10.0))) == [1]
    assert windows(place(event(5.0, 5.0))) == [1]
    assert not place(event(5.0, 10.0)).unclear.any()


def test_several_labels_in_one_window():
    """Each has its column."""
    placed = place(event(0.0, 4.0), event(1.0, 6.0, "frog"))
    assert placed.truth.tolist() == [[True, True], [True, False], [False, False], [False, False]]


def test_what_nobody_knows_makes_its_windows_unclear():
    """An event without a label, or of one that is not asked for; background says nothing."""
    placed = place(event(6.0, 7.0, ""), event(5.0, 9.0), event(14.9, 15.1, "heron"))
    assert placed.unclear.tolist() == [False, True, True, True]
    assert not place(event(0.0, 20.0, "background")).unclear.any()


def test_events_beyond_the_end():
    """What begins there is left out, what reaches there is cut, and both are counted.

    So is what lies in an end that is too short for a window.
    """
    placed = place(event(21.0, 23.0), event(18.0, 25.0), event(20.3, 20.5), length_s=20.6)
    assert (placed.beyond, placed.cut, placed.lost) == (1, 1, 1)
    assert windows(placed) == [3]
    assert place(event(15.0, 20.04)).cut == 0
    # Half of what is there is enough, where the end is cut off.
    assert windows(place(event(19.8, 30.0))) == [3]


@given(
    start=st.integers(0, 19_999_999),
    length=st.integers(0, 20_000_000),
)
def test_each_event_is_in_a_window_and_windows_lie_in_a_row(start, length):
    """Wherever it is, one window at least holds it; those that do follow one another.

    Every window between them is held, and none that is not touched.
    """
    one = Event(start, min(start + length, 20_000_000), "wren")
    placed = place(one)
    found = windows(placed)
    assert found == list(range(found[0], found[-1] + 1))
    for window in range(4):
        inside = max(0, min(one.end_us, 5_000_000 * (window + 1)) - max(start, 5_000_000 * window))
        assert (window in found) == (
            inside >= 500_000
            or (inside > 0 and 2 * inside >= one.end_us - start)
            or (one.end_us == start and window == start // 5_000_000)
        )

"""How much of a live stream is scored at a time."""

from hypothesis import given
from hypothesis import strategies as st

from edge.daemon.portions import Portions


def test_fifths_of_a_window():
    """Nothing is asked for beyond a window's border."""
    portions = Portions(window=20)
    assert [portions.next(at, finished=False) for at in (0, 5, 10, 12, 15, 18)] == [
        4,
        9,
        14,
        16,
        19,
        20,
    ]


def test_an_overdue_window_takes_whatever_comes():
    """Past its border a window is tried with every sample, until it is finished."""
    portions = Portions(window=20)
    asked = [portions.next(at, finished=at == 22) for at in (20, 21, 22, 27)]
    assert asked == [21, 22, 26, 31]


def test_after_a_gap_windows_begin_anew():
    """The borders are those of the segment."""
    portions = Portions(window=20)
    portions.begin(33)
    assert [portions.next(at, finished=False) for at in (33, 43, 52)] == [37, 47, 53]


@given(
    window=st.integers(1, 50),
    start=st.integers(0, 100),
    sizes=st.lists(st.tuples(st.integers(1, 120), st.booleans())),
)
def test_always_more_and_never_past_the_next_border(window, start, sizes):
    """What is asked for lies ahead, within a fifth of a window and before its border."""
    portions = Portions(window=window)
    portions.begin(start)
    taken = start
    for size, finished in sizes:
        taken += size
        asked = portions.next(taken, finished=finished)
        border = taken + window - (taken - start) % window
        assert taken < asked <= min(border, taken + max(1, window // 5))

"""A clock that was just set decides nothing about what is old."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from edge.store.wall_clock import PLAUSIBLE, STEADY_S, STEP, Beginnings, WallClock, oldest_kept

NOW = datetime(2026, 5, 1, tzinfo=UTC)
DAY_S = 86_400.0

looks = st.lists(
    st.tuples(
        st.floats(0, 2 * STEADY_S),
        st.one_of(st.just(0.0), st.floats(-400, 400)).map(lambda days: timedelta(days=days)),
    ),
    max_size=20,
)


def ticked(at, monotonic_s, seconds):
    """Both clocks after so many seconds."""
    return at + timedelta(seconds=seconds), monotonic_s + seconds


@given(looks, st.floats(0, 1e6))
def test_the_clock_is_trusted_once_it_was_steady_for_hours(looks, monotonic_s):
    """Trusted if and only if the last step of more than a day is hours ago."""
    at = NOW
    clock = WallClock(at, monotonic_s, newest=NOW)
    reference = timedelta(0)
    offset = timedelta(0)
    doubted_s = None
    for seconds, step in looks:
        at, monotonic_s = ticked(at, monotonic_s, seconds)
        at += step
        offset += step
        if abs(offset - reference) > STEP + timedelta(seconds=1):
            reference, doubted_s = offset, monotonic_s
        elif abs(offset - reference) > STEP - timedelta(seconds=1):
            return
        since_s = STEADY_S if doubted_s is None else monotonic_s - doubted_s
        assert clock.look(at, monotonic_s) == (since_s >= STEADY_S and at >= PLAUSIBLE)


@given(looks, st.floats(0, 1e6))
def test_a_run_s_beginning_follows_the_clock(looks, monotonic_s):
    """Whatever it was set to, the beginning is as long ago as it is, to a day."""
    at, began_s = NOW, monotonic_s
    clock = WallClock(at, monotonic_s, newest=None)
    for seconds, step in looks:
        at, monotonic_s = ticked(at, monotonic_s, seconds)
        at += step
        clock.look(at, monotonic_s)
        error = at - clock.began - timedelta(seconds=monotonic_s - began_s)
        assert abs(error) <= STEP + timedelta(milliseconds=1)


@given(st.floats(-4000, 4000).filter(lambda days: abs(abs(days) - 1) > 1e-6))
def test_a_run_begins_in_doubt_where_its_clock_is_far_from_the_newest_row(days):
    """More than a day in either direction holds it for hours; less does not."""
    clock = WallClock(NOW, 0.0, newest=NOW + timedelta(days=days))
    assert (abs(days) < 1) == clock.look(*ticked(NOW, 0.0, STEADY_S - 1))
    assert clock.look(*ticked(NOW, 0.0, STEADY_S))


def test_a_clock_before_edge_was_written_is_never_trusted():
    """However steady it is."""
    at = datetime(1971, 1, 1, tzinfo=UTC)
    clock = WallClock(at, 0.0, newest=at)
    assert not clock.look(*ticked(at, 0.0, 300 * DAY_S))


@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.integers(1, 400).map(lambda days: timedelta(days=days)),
            st.booleans(),
        ),
        min_size=1,
        max_size=10,
    ),
    st.data(),
)
def test_what_runs_with_a_wrong_clock_wrote_is_never_judged_too_old(runs, data):
    """With a clock that begins in 1971 in some runs, no row is judged older than it is."""
    true = NOW
    told, rows = [], []
    stream = 1
    for written, days, wrong in runs:
        shift = true - datetime(1971, 1, 1, tzinfo=UTC) if wrong else timedelta(0)
        told.append((stream, true - shift))
        for _ in range(written):
            moment = true + data.draw(st.floats(0, 1)) * days
            rows.append((stream, moment - shift, moment))
            stream += 1
        true += days
    known = Beginnings(told, true)
    for stream, stamp, moment in rows:
        assert moment <= known.written(stream, stamp) <= true


def test_what_no_run_is_known_of_is_judged_by_its_stamp():
    """Rows of runs whose own rows are gone."""
    assert Beginnings([], NOW).written(7, NOW) == NOW
    assert Beginnings([(8, NOW + STEP)], NOW).written(7, NOW) == NOW


def test_an_age_that_no_calendar_has_means_for_ever():
    """Two thousand centuries, or infinity."""
    assert (oldest_kept(999_999, NOW), oldest_kept(float("inf"), NOW)) == (None, None)
    assert NOW - timedelta(hours=12) == oldest_kept(0.5, NOW)

"""A clock that is set, rightly or wrongly, is no reason to remove what was just heard."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from entries_for_tests import RATE, START, WINDOW, file_done, heard, window_range

from edge.contracts import WindowState
from edge.store.entries import Anchored, FileState, StreamOpened, WindowsDone
from edge.store.reader import StoreReader
from edge.store.retention import Limits, Retention
from edge.store.store import Store

UNSET = datetime(1971, 1, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LIMITS = Limits(days=30)


class Clocks:
    """True time, and what the station's clocks make of it."""

    def __init__(self, true):
        self.true = true
        self.error = timedelta(0)
        self.booted = true

    def now(self):
        return self.true + self.error

    def monotonic_s(self):
        return (self.true - self.booted).total_seconds()

    def boot(self, *, shows=None):
        """Start the computer; its clock is right, or shows another time."""
        self.booted = self.true
        self.set_to(shows or self.true)

    def set_to(self, shows):
        self.error = shows - self.true


class Station:
    """A store, and what is written to it minute after minute."""

    def __init__(self, path, clocks):
        self.clocks = clocks
        self.store = Store.open(path, now=clocks.now, monotonic_s=clocks.monotonic_s)
        self.retention = Retention(self.store, LIMITS)
        self.stream = self.window = None
        self.received = 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.store.close()

    def listen(self, windows=1):
        """Hear something in each window; the first opens the stream."""
        now = self.clocks.now()
        if self.stream is None:
            self.stream, self.window = self.store.next_stream(), 0
            self.store.write([StreamOpened(self.stream, "microphone", RATE, now, "clock")])
        for _ in range(windows):
            self.clocks.true += timedelta(seconds=5)
            now = self.clocks.now()
            one = replace(heard(self.window), at=now)
            kept = window_range(self.window, reason=str(self.window % 2))
            self.received += WINDOW
            self.store.write([WindowsDone(self.stream, self.received, (kept,), (one,))])
            self.window += 1

    def hear_nothing(self, span):
        """A gap in which time passes."""
        count = int(span.total_seconds()) // 5
        gap = window_range(self.window, count=count, state=WindowState.GAP, received=0)
        gap = replace(gap, end_sample=gap.start_sample + count * WINDOW)
        self.store.write([WindowsDone(self.stream, self.received, (gap,))])
        self.clocks.true += span
        self.window += count

    def clock_was_set(self):
        """The live stream is anchored anew, as its intake does it."""
        self.store.write([Anchored(self.stream, self.window * WINDOW, self.clocks.now(), "set")])

    def score(self, number):
        """Score a recording."""
        self.store.write([file_done(number)])

    def keep_house(self, span, step=HOUR):
        """Let time pass, with a round of housekeeping each step."""
        until = self.clocks.true + span
        while self.clocks.true < until:
            self.clocks.true = min(until, self.clocks.true + step)
            self.prune()

    def prune(self):
        at, monotonic_s = self.clocks.now(), self.clocks.monotonic_s()
        while self.retention.prune(at=at, monotonic_s=monotonic_s, sinks=()).more:
            pass


def counted(path):
    """Detections, and ranges that are closed or open."""
    with StoreReader(path) as reader:
        return len(list(reader.detections())), len(list(reader.ranges()))


@pytest.fixture
def path(tmp_path):
    """Where a store is to be."""
    return tmp_path / "edge.db"


@pytest.fixture
def clocks():
    """The true time is that of the tests' entries."""
    return Clocks(START)


@pytest.mark.parametrize("shows", [UNSET, START + 365 * DAY, START - 90 * DAY])
def test_what_was_heard_before_the_clock_was_set_stays_its_days(path, clocks, shows):
    """With a clock wrong at the start and set right minutes later, no row goes before its time."""
    clocks.boot(shows=shows)
    with Station(path, clocks) as station:
        station.listen(5)
        station.score(1)
        before = counted(path)
        station.keep_house(3 * MINUTE, MINUTE)
        clocks.set_to(clocks.true)
        station.clock_was_set()
        station.keep_house(29 * DAY)
        assert counted(path) == before
        station.listen(2)
        station.score(2)
        station.keep_house(2 * DAY)
        detections = counted(path)[0]
        # What a clock wrote that was ahead stays longer.
        ahead = 5 + len(file_done(1).heard) if shows > START else 0
        assert detections == ahead + 2 + len(file_done(2).heard)
        with StoreReader(path) as reader:
            assert abs(reader.status().began_at - START) <= DAY


def test_a_clock_that_is_wrongly_set_for_hours_removes_nothing(path, clocks):
    """A year ahead and back again: everything is there, and goes when it is old."""
    with Station(path, clocks) as station:
        station.listen(5)
        station.score(1)
        before = counted(path)
        station.keep_house(HOUR)
        clocks.set_to(clocks.true + 365 * DAY)
        station.clock_was_set()
        station.keep_house(5 * HOUR, MINUTE)
        assert counted(path) == before
        clocks.set_to(clocks.true)
        station.clock_was_set()
        station.keep_house(29 * DAY)
        assert counted(path) == before
        station.keep_house(2 * DAY)
        assert counted(path)[0] == 0


def test_a_run_whose_clock_was_never_set_counts_from_the_next(path, clocks):
    """What it wrote stays its days from the beginning of the run whose clock is right."""
    clocks.boot(shows=UNSET)
    with Station(path, clocks) as station:
        station.listen(5)
        station.score(1)
        before = counted(path)
        station.keep_house(2 * DAY)
        assert counted(path) == before
    clocks.true += HOUR
    clocks.boot()
    with Station(path, clocks) as station:
        station.keep_house(29 * DAY)
        assert counted(path) == before
        station.keep_house(2 * DAY)
        assert counted(path) == (0, 0)
        with StoreReader(path) as reader:
            assert [file.state for file in reader.files()] == [FileState.DONE]


def test_a_start_with_a_clock_that_is_ahead_removes_nothing_for_hours(path, clocks):
    """Rows of a minute ago are a year old to it; it is set right before it is believed."""
    with Station(path, clocks) as station:
        station.listen(5)
    before = counted(path)
    clocks.true += MINUTE
    clocks.boot(shows=clocks.true + 365 * DAY)
    with Station(path, clocks) as station:
        station.keep_house(5 * HOUR, MINUTE)
        clocks.set_to(clocks.true)
        station.keep_house(DAY)
    assert counted(path) == before


def test_a_stream_that_outlives_the_setting_of_the_clock_ages_by_the_new_time(path, clocks):
    """Its windows of months later are as old as they are."""
    clocks.boot(shows=UNSET)
    with Station(path, clocks) as station:
        station.listen(3)
        clocks.set_to(clocks.true)
        station.clock_was_set()
        station.keep_house(HOUR)
        station.hear_nothing(60 * DAY)
        station.listen(4)
        ranges = counted(path)[1]
        station.keep_house(7 * HOUR)
        detections, left = counted(path)
        assert (detections, left) == (4, ranges - 3)


def test_by_size_rows_go_whatever_the_clock_says(path, clocks):
    """A disk is not filled for want of the time."""
    clocks.boot(shows=UNSET)
    with Station(path, clocks) as station:
        station.listen(3000)
        station.retention = Retention(station.store, Limits(days=30, size_bytes=100_000))
        station.prune()
        assert 0 < counted(path)[0] < 2000


@pytest.mark.parametrize("days", [999_999, float("inf")])
def test_an_age_beyond_the_calendar_keeps_all(path, clocks, days):
    """It means for ever."""
    with Station(path, clocks) as station:
        station.listen(3)
        station.retention = Retention(station.store, Limits(days=days))
        before = counted(path)
        station.keep_house(DAY)
        assert counted(path) == before

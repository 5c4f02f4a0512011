"""What is old or too much goes, the oldest first, and never what a sink still has to get."""

from dataclasses import replace
from datetime import timedelta

import pytest
from entries_for_tests import START, WINDOW, done, file_done, heard, is_known, opened

from edge.store.entries import FaultEnded, FaultSeen, ModelChanged
from edge.store.reader import StoreReader
from edge.store.retention import Limits, Retention
from edge.store.store import Store


class Clock:
    """A wall clock that may be set, beside one that is not; time passes by hand."""

    def __init__(self):
        self.at = START
        self.set_by = timedelta(0)

    def now(self):
        return self.at

    def monotonic_s(self):
        return (self.at - self.set_by - START).total_seconds()

    def set_to(self, at):
        """Set the wall clock."""
        self.set_by += at - self.at
        self.at = at


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    """A store to prune."""
    with Store.open(
        tmp_path / "edge.db", now=clock.now, monotonic_s=clock.monotonic_s
    ) as opened_store:
        yield opened_store


def prune_all(store, limits, at, sinks=()):
    """Prune until there is no more; return the sums of detections and ranges."""
    retention = Retention(store, limits)
    detections = ranges = 0
    for _ in range(1000):
        monotonic_s = (at - START).total_seconds()
        pruned = retention.prune(at=at, monotonic_s=monotonic_s, sinks=sinks)
        detections += pruned.detections
        ranges += pruned.ranges
        if not pruned.more:
            return detections, ranges
    raise AssertionError("it does not come to an end")


def live_day(store, windows):
    """A live stream of so many windows, each with a detection, in ranges of one window."""
    stream = store.next_stream()
    store.write([opened(stream)])
    for window in range(windows):
        kind = {"reason": f"{window % 2}"}
        store.write([done(stream, window, heard(window), **kind)])
    return stream


def test_what_is_older_than_the_days_goes_and_the_account_stays(store, clock):
    """Detections and ranges before the cut are gone; received equals accounted, removed or not."""
    live_day(store, 100)
    cut = 40
    at = START + timedelta(days=30, seconds=5 * cut)
    assert (cut, cut - 1) == prune_all(store, Limits(days=30), at)
    with StoreReader(store.path) as reader:
        assert cut + 1 == next(reader.detections()).number
        (source,) = reader.status().sources
        assert (source.received, source.accounted) == (100 * WINDOW, 100 * WINDOW)
        assert (cut - 1) * WINDOW == source.removed
        assert 100 - (cut - 1) == sum(count.windows for count in source.windows)


def test_a_file_s_age_counts_from_when_it_was_done(store, clock):
    """A recording of years ago that is scored today is kept as long as one of today."""
    clock.at = START + timedelta(days=2000)
    store.write([file_done(number) for number in range(20)])
    assert prune_all(store, Limits(days=30), clock.at + timedelta(days=29)) == (0, 0)
    prune_all(store, Limits(days=30), clock.at + timedelta(days=31))
    with StoreReader(store.path) as reader:
        assert (list(reader.detections()), list(reader.ranges())) == ([], [])
        assert len(list(reader.files())) == 20
        (card,) = reader.status().sources
        assert (card.received, card.accounted) == (20 * 12 * WINDOW, 20 * 12 * WINDOW)
    assert is_known(store, file_done(3))


def test_files_are_forgotten_only_when_asked(store, clock):
    """Without `keep_files` nothing is left of an old file."""
    store.write([file_done(number) for number in range(5000)])
    limits = Limits(days=1, keep_files=False)
    prune_all(store, limits, START + timedelta(days=2))
    with StoreReader(store.path) as reader:
        assert list(reader.files()) == []
        assert reader.status().sources == ()


@pytest.mark.parametrize("keep_files", [True, False])
def test_recordings_of_two_cards_with_one_name_age_each_by_itself(store, clock, keep_files):
    """The older one's rows go, the other's stay; while files are kept both are known."""
    first = file_done(1)
    other = replace(file_done(2), path=first.path, size=first.size, mtime_ns=first.mtime_ns)
    store.write([first])
    clock.at += timedelta(days=20)
    store.write([other])
    prune_all(store, Limits(days=30, keep_files=keep_files), START + timedelta(days=40))
    with StoreReader(store.path) as reader:
        numbers = [file.number for file in reader.files()]
        assert numbers == ([1, 2] if keep_files else [2])
        assert {one.number for one in reader.ranges()} == {2}
        assert len(list(reader.detections())) == len(other.heard)
    assert [is_known(store, entry) for entry in (first, other)] == [keep_files, True]


def test_a_sink_that_is_behind_holds_detections_back(store):
    """Nothing after the cursor of the slowest sink goes; a sink that is not named holds none."""
    live_day(store, 50)
    store.set_cursor("jsonl", 30, "")
    store.set_cursor("csv", 45, "")
    late = START + timedelta(days=9)
    prune_all(store, Limits(days=1), late, sinks=["jsonl", "csv"])
    with StoreReader(store.path) as reader:
        assert list(range(31, 51)) == [one.number for one in reader.detections()]
    prune_all(store, Limits(days=1), late, sinks=["csv"])
    with StoreReader(store.path) as reader:
        assert list(range(46, 51)) == [one.number for one in reader.detections()]
    prune_all(store, Limits(days=1), late, sinks=["csv", "new"])
    with StoreReader(store.path) as reader:
        assert list(range(46, 51)) == [one.number for one in reader.detections()]


def test_the_file_is_kept_within_its_size_by_removing_the_oldest(store):
    """The newest rows stay, and the file itself becomes smaller."""
    live_day(store, 6000)
    with StoreReader(store.path) as reader:
        before = reader.status().size_bytes
    limit = 200_000
    prune_all(store, Limits(size_bytes=limit), START)
    store.close()
    assert store.path.stat().st_size < limit + 10_000 < before
    with StoreReader(store.path) as reader:
        numbers = [one.number for one in reader.detections()]
        assert list(range(numbers[0], 6001)) == numbers
        assert 1000 < len(numbers) < 5000
        (source,) = reader.status().sources
        assert (source.received, source.accounted) == (6000 * WINDOW, 6000 * WINDOW)


def test_beyond_the_hard_limit_also_what_was_not_sent_goes(store):
    """Up to the hard limit a sink that is away keeps everything; beyond it, it is told which."""
    live_day(store, 6000)
    store.set_cursor("csv", 6000, "")
    assert prune_all(store, Limits(size_bytes=200_000), START, sinks=["csv", "mqtt"]) == (0, 0)
    retention = Retention(store, Limits(size_bytes=200_000, hard_bytes=300_000))
    pruned = retention.prune(at=START, monotonic_s=0.0, sinks=["csv", "mqtt"])
    assert pruned.behind == ("mqtt",)
    assert pruned.unsent == pruned.detections > 0
    with StoreReader(store.path) as reader:
        assert next(reader.detections()).number == pruned.detections + 1


def test_a_number_is_not_given_again_after_its_detection_is_removed(tmp_path, clock):
    """With every row gone and a restart between, numbers go on."""
    path = tmp_path / "other.db"
    with Store.open(path, now=clock.now, monotonic_s=clock.monotonic_s) as store:
        live_day(store, 10)
    with Store.open(path, now=clock.now, monotonic_s=clock.monotonic_s) as store:
        prune_all(store, Limits(days=1), START + timedelta(days=9))
        with StoreReader(path) as reader:
            assert (list(reader.ranges()), reader.status().streams) == ([], ())
    with Store.open(path, now=clock.now, monotonic_s=clock.monotonic_s) as store:
        stream = store.next_stream()
        assert stream == 2
        store.write([opened(stream), done(stream, 0, heard(0))])
        with StoreReader(path) as reader:
            assert [one.number for one in reader.detections()] == [11]


def test_one_step_is_bounded(store):
    """However much there is to remove, one call takes some thousand rows and says there is more."""
    live_day(store, 6000)
    retention = Retention(store, Limits(days=1))
    pruned = retention.prune(at=START + timedelta(days=9), monotonic_s=9 * 86_400.0, sinks=[])
    assert (pruned.detections, pruned.more) == (2000, True)


def test_faults_and_model_changes_that_are_over_go_too(store):
    """Open faults and the model that is in use stay."""
    store.write([FaultSeen("card", "gone", "", START), FaultEnded("card", START)])
    store.write([FaultSeen("microphone", "silent", "", START)])
    store.write([ModelChanged(START, "", "a"), ModelChanged(START, "a", "b")])
    store.write([ModelChanged(START, "b", "c", failed="broken")])
    prune_all(store, Limits(days=1), START + timedelta(days=9))
    with StoreReader(store.path) as reader:
        status = reader.status()
    assert [fault.where for fault in status.faults] == ["microphone"]
    assert [(c.before, c.after) for c in status.model_changes] == [("b", "c"), ("a", "b")]

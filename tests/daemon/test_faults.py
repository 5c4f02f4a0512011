"""Faults: open until they are over, told once a minute, and never too many."""

from datetime import UTC, datetime, timedelta

from edge.daemon.faults import Faults
from edge.store.entries import FaultEnded, FaultSeen

BEGAN = datetime(2026, 5, 1, tzinfo=UTC)


class Time:
    """Both clocks, moved by hand."""

    def __init__(self):
        self.passed_s = 0.0

    def now(self):
        return BEGAN + timedelta(seconds=self.passed_s)

    def monotonic_s(self):
        return 1000.0 + self.passed_s


def begun(**inherited):
    time = Time()
    return time, Faults(time.now, time.monotonic_s, **inherited)


def brief(entries):
    """Entries in short: what was seen where, or that it is over."""
    return [(e.where, e.what if isinstance(e, FaultSeen) else None) for e in entries]


def test_the_same_fault_is_written_once_a_minute():
    """However often it is seen, the store gets it now and then."""
    time, faults = begun()
    for _ in range(600):
        faults.seen("mic", "silent")
        time.passed_s += 0.2
    assert brief(faults.take()) == [("mic", "silent")] * 2
    faults.ended("mic")
    faults.ended("mic")
    assert brief(faults.take()) == [("mic", None)]


def test_a_place_with_one_thing_wrong_at_a_time():
    """Another mistake takes the first one's place; the same goes on."""
    _, faults = begun()
    for what in ("a", "a", "b", "b"):
        faults.only("configuration", what)
    assert brief(faults.take()) == [
        ("configuration", "a"),
        ("configuration", None),
        ("configuration", "b"),
    ]


def test_what_has_passed_stands_for_an_hour():
    """Who looks within the hour finds it; the last one at a place counts."""
    time, faults = begun()
    faults.passed("a.wav", "empty")
    time.passed_s = 1800
    faults.passed("a.wav", "text")
    faults.take()
    time.passed_s = 3601
    assert faults.take() == []
    time.passed_s = 5401
    assert brief(faults.take()) == [("a.wav", None)]


def test_of_many_that_passed_the_latest_stand():
    """Ten thousand broken recordings leave a hundred open faults."""
    _, faults = begun()
    for number in range(10_000):
        faults.passed(f"{number}.wav", "empty")
    open_places = set()
    for entry in faults.take():
        (open_places.add if isinstance(entry, FaultSeen) else open_places.discard)(entry.where)
    assert open_places == {f"{number}.wav" for number in range(9_900, 10_000)}


def test_one_place_again_and_again_displaces_no_other():
    """However often it passes at one place, what passed elsewhere stands."""
    _, faults = begun()
    faults.passed("a.wav", "empty")
    for _ in range(1000):
        faults.passed("sink mqtt", "behind")
    assert brief(faults.take()) == [("a.wav", "empty"), ("sink mqtt", "behind")]


def test_what_an_earlier_run_left_open():
    """It ends when it is found to be over, or when nobody has seen it again; else it goes on."""
    _, faults = begun(inherited=[("model", "gone"), ("mic", "silent"), ("configuration", "torn")])
    faults.seen("mic", "silent")
    faults.ended("model")
    faults.ended("unknown")
    faults.disinherit()
    faults.disinherit()
    assert brief(faults.take()) == [("mic", "silent"), ("model", None), ("configuration", None)]


def test_what_an_earlier_run_left_open_ends_with_another_thing_wrong_there():
    """The same goes on as it was; another takes its place."""
    _, faults = begun(inherited=[("mic", "no such program"), ("model", "gone")])
    faults.only("mic", "it ended")
    faults.only("mic", "it ended")
    faults.only("model", "gone")
    assert brief(faults.take()) == [("mic", None), ("mic", "it ended"), ("model", "gone")]


def test_a_place_is_not_said_twice():
    """Where the message begins with the place, it is left out of what is wrong there."""
    _, faults = begun()
    faults.seen("mic", "mic: it ended")
    faults.only("mic", "mic: it ended")
    assert brief(faults.take()) == [("mic", "it ended")]


def test_open_faults_fit_into_a_line():
    """How many there are, and the last of them."""
    _, faults = begun()
    assert faults.summary() == ""
    faults.seen("mic", "it ended")
    assert faults.summary() == "1 fault: mic: it ended"
    faults.seen("model", "gone")
    assert faults.summary() == "2 faults: model: gone"
    faults.ended("mic")
    faults.ended("model")
    assert faults.summary() == ""


def test_what_other_threads_saw_is_repeated():
    """Their faults begin and end like those of the daemon itself."""
    _, faults = begun()
    faults.repeat(FaultSeen("mic", "gone", "plug it in", BEGAN))
    assert faults.is_open("mic")
    faults.repeat(FaultEnded("mic", BEGAN))
    assert not faults.is_open("mic")
    assert brief(faults.take()) == [("mic", "gone"), ("mic", None)]
    faults.repeat(FaultSeen("mic", "gone", "plug it in", BEGAN))
    faults.repeat(FaultSeen("mic", "silent", "plug it in", BEGAN))
    assert brief(faults.take()) == [("mic", "gone"), ("mic", None), ("mic", "silent")]

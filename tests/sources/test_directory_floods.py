"""Ten thousand files at once, and more events than anybody can take in."""

import threading
import time
import tracemalloc
from pathlib import Path

import pytest
from watched_folder import SETTLE_S, Done, SetClock, Taker, count_watches, set_age, watch, wav

MANY = 10_000
SOUND = wav(0.01)


def names(count: int) -> list[str]:
    return [f"{number:05d}.wav" for number in range(count)]


def write_many(folder: Path, count: int) -> None:
    for name in reversed(names(count)):
        (folder / name).write_bytes(SOUND)


def test_ten_thousand_that_were_there_come_in_order_and_in_little_memory(tmp_path):
    """Less than a kilobyte for each, however long the backlog stays."""
    write_many(tmp_path, MANY)
    for path in tmp_path.iterdir():
        set_age(path, 60.0)
    taker = Taker(tmp_path, clock=SetClock())
    with taker.directory:
        tracemalloc.start()
        while (found := taker.directory.take()) is None:
            assert taker.directory.next_look_s == 0
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        taker.directory.done(found)
        assert peak_bytes < 1_000 * MANY
        assert taker.directory.pending == MANY - 1
        taker.until(lambda: taker.directory.drained)
        assert names(MANY) == [found.path.name, *taker.names]


def test_ten_thousand_dropped_at_once_come_once_each(tmp_path):
    """While they are taken from the other end."""
    clock = SetClock()
    with watch(tmp_path, clock=clock) as taker:
        writer = threading.Thread(target=write_many, args=(tmp_path, MANY))
        writer.start()
        taker.until(lambda: not writer.is_alive())
        writer.join()
        clock.passed_s += SETTLE_S
        taker.until(lambda: len(taker.got) == MANY)
        assert names(MANY) == sorted(taker.names)


def test_a_flood_takes_many_calls(tmp_path):
    """Each does a little, and says that the next has something to do."""
    write_many(tmp_path, 500)

    class Slow(Done):
        def fingerprints(self, *stamp):
            time.sleep(0.001)
            return super().fingerprints(*stamp)

    taker = Taker(tmp_path, clock=SetClock(), known=Slow())
    with taker.directory:
        calls = 1
        while taker.directory.take() is None and taker.directory.next_look_s == 0:
            calls += 1
        assert calls > 5


def test_lost_events_are_made_up_for_by_a_sweep(tmp_path):
    """The kernel's queue runs over while the thread of events is held up."""
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if most > 50_000:
        pytest.skip(f"{most} events are allowed here: that takes too many files")
    clock = SetClock()
    with watch(tmp_path, clock=clock, sweep_seconds=86_400) as taker:
        held, go_on = threading.Event(), threading.Event()

        def hold() -> None:
            held.set()
            go_on.wait(60)

        taker.when_woken = hold
        (tmp_path / "first.wav").write_bytes(SOUND)
        assert held.wait(20)
        # Each is two events, created and closed.
        count = most // 2 + 500
        write_many(tmp_path, count)
        go_on.set()
        taker.until(lambda: len(taker.got) + len(taker.waiting) > count // 2)
        clock.passed_s += SETTLE_S
        taker.until(lambda: len(taker.got) + len(taker.waiting) == count + 1)
        clock.passed_s += SETTLE_S
        taker.until(lambda: len(taker.got) == count + 1)
        assert sorted(taker.names) == [*names(count), "first.wav"]


def test_more_news_than_is_kept_is_made_up_for_by_a_sweep(tmp_path):
    """Nobody takes for a while; what does not fit is found by looking."""
    clock = SetClock()
    count = 20_000
    with watch(tmp_path, clock=clock, sweep_seconds=86_400) as taker:
        tracemalloc.start()
        write_many(tmp_path, count)
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak_bytes < 1_000 * count
        taker.until(lambda: len(taker.got) > count // 2)
        clock.passed_s += SETTLE_S
        taker.until(lambda: len(taker.got) + len(taker.waiting) == count)
        clock.passed_s += SETTLE_S
        taker.until(lambda: len(taker.got) == count)
        assert names(count) == sorted(taker.names)


def test_many_folders_at_once_are_all_looked_into(tmp_path):
    """A card is copied with a folder for each hour."""
    clock = SetClock()
    with watch(tmp_path, clock=clock, sweep_seconds=86_400) as taker:
        for number in range(2_000):
            (tmp_path / f"{number:04d}").mkdir()
            (tmp_path / f"{number:04d}" / f"{number:05d}.wav").write_bytes(SOUND)
        clock.passed_s += SETTLE_S
        taker.until(lambda: len(taker.got) + len(taker.waiting) == 2_000)
        clock.passed_s += SETTLE_S
        taker.until(lambda: len(taker.got) == 2_000)
        assert names(2_000) == sorted(taker.names)


def test_watches_that_nobody_told_the_end_of_are_given_back(tmp_path, tmp_path_factory):
    """More folders are moved away at once than is kept: the sweep that follows sees it."""
    away = tmp_path_factory.mktemp("away")
    clock = SetClock()
    before = count_watches()
    for number in range(1_200):
        (tmp_path / str(number)).mkdir()
    with watch(tmp_path, clock=clock) as taker:
        assert count_watches() == before + 1_201
        for folder in list(tmp_path.iterdir()):
            folder.rename(away / folder.name)
        clock.passed_s += SETTLE_S
        taker.until(lambda: count_watches() == before + 1)
    assert count_watches() == before

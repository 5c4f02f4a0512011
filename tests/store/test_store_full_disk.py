"""On a disk that is full the daemon goes on, keeps what it can, and recovers by itself."""

import contextlib
import sqlite3
import time
from dataclasses import replace

import pytest
from entries_for_tests import WINDOW, contents, done, file_done, heard, is_known, now, opened
from store_processes import kill, start

from edge.contracts import WindowState
from edge.errors import ConfigError
from edge.store.backlog import NO_ROOM
from edge.store.entries import FaultSeen, ModelChanged, WindowsDone
from edge.store.lock import holder
from edge.store.reader import StoreReader
from edge.store.store import Store


@pytest.fixture
def disk(mount):
    """A disk of 3 MB."""
    return mount("disk", "-t", "tmpfs", "-o", "size=3m", "tmpfs")


def fill_up(disk, *, spare=0):
    """Leave no more than so many bytes free; return the file to delete."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    filler.write_bytes(bytes(max(0, filler.stat().st_size - spare)))
    return filler


def test_a_full_disk_is_survived_and_nothing_is_lost(disk):
    """Windows, detections and files that came meanwhile are all there when there is room again."""
    path = disk / "edge.db"
    with Store.open(path, now=now) as store:
        stream = store.next_stream()
        store.write([opened(stream)])
        filler = fill_up(disk, spare=8192)
        for number in range(1000):
            store.write([done(stream, number, heard(number)), file_done(number)])
            assert is_known(store, file_done(number))
        assert "no room on disk" in store.trouble
        assert not is_known(store, replace(file_done(999), fingerprint="0" * 16))
        assert file_done(0).path == store.known_content(file_done(0).sha256)
        assert file_done(999).path == store.known_content(file_done(999).sha256)
        store.set_cursor("jsonl", 3, "x")
        with StoreReader(path) as reader:
            status = reader.status()
            assert (True, store.trouble) == (status.running, status.trouble)
            assert status.detections < 1000
        filler.unlink()
        assert store.retry()
        assert (store.trouble, store.waiting) == (None, 0)
        with StoreReader(path) as reader:
            live = [one for one in reader.detections() if one.stream == "microphone"]
            assert [5.0 * number for number in range(1000)] == [one.start_s for one in live]
            numbers = [one.number for one in reader.detections()]
            assert list(range(1, len(numbers) + 1)) == numbers
            assert len(contents(reader)) == 1000
            status = reader.status()
            assert (status.trouble, status.open_faults) == ("", 0)
            assert [(s.received, s.in_flight) for s in status.streams] == [(1000 * WINDOW, 0)]
            assert status.deliveries == {"jsonl": 3}


def test_quiet_windows_need_no_room(disk):
    """On a full disk the log's own place is used again for windows in which nothing is heard."""
    path = disk / "edge.db"
    with Store.open(path, now=now) as store:
        stream = store.next_stream()
        store.write([opened(stream), done(stream, 0, heard(0)), done(stream, 1)])
        store.write([done(stream, 2)])
        fill_up(disk)
        for window in range(3, 3000):
            store.write([done(stream, window)])
        assert store.trouble is None
        with StoreReader(path) as reader:
            assert reader.status().streams[0].accounted == 3000 * WINDOW


def test_a_daemon_starts_on_a_full_disk(disk):
    """With a store or without one it opens, takes entries, and writes them when there is room."""
    path = disk / "edge.db"
    for expected in (1, 2):
        filler = fill_up(disk)
        with Store.open(path, now=now) as store:
            stream = store.next_stream()
            store.write([opened(stream), done(stream, 0, *map(heard, range(2000)))])
            assert "no room on disk" in store.trouble
            assert store.known_fingerprints("/card/a.wav", 1, 1) == set()
            filler.unlink()
            store.write([done(stream, 1)])
            assert store.trouble is None
        with StoreReader(path) as reader:
            assert 2000 * expected == reader.status().detections
            assert expected * 2 * WINDOW == reader.status().sources[0].accounted
            path.with_name("edge.db.lock").touch()
        filler.unlink(missing_ok=True)


@pytest.mark.parametrize("end", ["clean", "killed"])
def test_a_store_is_taken_up_on_a_full_disk(disk, end):
    """With no room for the log's index either, cursor, model and numbers are known at once."""
    path = disk / "edge.db"
    if end == "clean":
        with Store.open(path, now=now) as store:
            write_first(store)
    else:
        process = start(path, files=300, pause_s=0)
        assert [process.stdout.readline(), process.stdout.readline()] == ["open\n", "done\n"]
        process.wait()
        process = start(path, files=310, pause_s=0.05)
        process.stdout.readline()
        time.sleep(0.3)
        kill(process)
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("INSERT INTO deliveries VALUES ('jsonl', 3, 'x')")
        connection.execute("INSERT INTO model_changes VALUES (1, 0, '', 'tiny', '')")
        left = {place: place.read_bytes() for place in disk.glob("edge.db*")}
        connection.close()
        for place, content in left.items():
            place.write_bytes(content)
        assert path.with_name("edge.db-wal").stat().st_size > 0
    path.with_name("edge.db-shm").unlink(missing_ok=True)
    filler = fill_up(disk)
    with Store.open(path, now=now) as store:
        assert "no room on disk" in store.trouble
        assert holder(path).trouble == store.trouble
        assert (store.cursor("jsonl"), store.last_model()) == ((3, "x"), "tiny")
        last = store.last_number
        assert last > 2
        stream = store.next_stream()
        store.write([opened(stream), done(stream, 0, heard(0)), file_done(9999)])
        store.set_cursor("jsonl", 4, "y")
        assert store.trouble is not None
        assert is_known(store, file_done(9999))
        filler.unlink()
        assert store.retry()
        assert (store.trouble, store.waiting) == (None, 0)
        assert is_known(store, file_done(0))
        with StoreReader(path) as reader:
            assert last < reader.status().last_number
            assert reader.status().deliveries == {"jsonl": 4}
            assert reader.status().open_faults == 0
            assert stream in [live.stream for live in reader.status().streams]
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def write_first(store):
    """Some of everything."""
    stream = store.next_stream()
    store.write([opened(stream), ModelChanged(now(), "", "tiny")])
    store.write([done(stream, window, heard(window)) for window in range(10)])
    store.write([file_done(number) for number in range(100)])
    store.set_cursor("jsonl", 3, "x")


def test_a_disk_without_room_for_a_file_is_waited_for(mount):
    """Where not even the lock can be made it opens, and takes the lock when it can."""
    disk = mount("disk", "-t", "tmpfs", "-o", "size=3m,nr_inodes=8", "tmpfs")
    path = disk / "edge.db"
    with contextlib.suppress(OSError):
        for number in range(100):
            (disk / f"filler-{number}").touch()
    with Store.open(path, now=now) as store:
        stream = store.next_stream()
        store.write([opened(stream), done(stream, 0, heard(0))])
        assert "no room on disk" in store.trouble
        for filler in disk.glob("filler-*"):
            filler.unlink()
        assert store.retry()
        with pytest.raises(ConfigError, match="in use by process"):
            Store.open(path, now=now)
        with StoreReader(path) as reader:
            assert reader.status().detections == 1


def test_beyond_the_memory_s_bound_the_oldest_detections_go_and_are_counted(disk):
    """Their windows fail for want of room; the account stays right; files are scored again."""
    path = disk / "edge.db"
    with Store.open(path, now=now, backlog_bytes=100_000) as store:
        stream = store.next_stream()
        store.write([opened(stream)])
        filler = fill_up(disk)
        store.write([file_done(number) for number in range(100)])
        for window in range(1000):
            store.write([done(stream, window, heard(window))])
        for window in range(1000, 1010):
            store.write([WindowsDone(stream, window * WINDOW + 5, ()), done(stream, window)])
        assert store.trouble is not None
        filler.unlink()
        store.write([done(stream, 1010)])
        assert store.trouble is None
        assert not is_known(store, file_done(0))
        with StoreReader(path) as reader:
            live = [one.range for one in reader.ranges() if one.source == "microphone"]
            kept = [one.start_s for one in reader.detections() if one.source == "microphone"]
            status = reader.status()
    failed, predicted = live
    assert (failed.start_sample, failed.state, failed.reason) == (0, WindowState.FAILED, NO_ROOM)
    assert [5.0 * window for window in range(failed.windows, 1000)] == kept
    assert failed.windows + predicted.windows == 1011
    assert [(s.received, s.accounted) for s in status.streams] == [(1011 * WINDOW, 1011 * WINDOW)]


def test_the_memory_stays_bounded_whatever_comes(disk):
    """Faults that flap, windows that change fate and streams that reopen stay within the bound."""
    path = disk / "edge.db"
    fates = [
        {},
        {"state": WindowState.GAP, "reason": "dropped"},
        {"state": WindowState.FAILED, "reason": "NaN"},
    ]
    with Store.open(path, now=now, backlog_bytes=50_000) as store:
        filler = fill_up(disk)
        most = 0
        for number in range(300):
            stream = store.next_stream()
            store.write([opened(stream), FaultSeen("microphone", f"gone {number}", "", now())])
            for window in range(10):
                store.write([done(stream, window, **fates[window % 3]), file_done(number)])
                most = max(most, store.waiting)
        assert most < 50_000 // 300
        filler.unlink()
        store.write([done(stream, 10)])
        assert store.trouble is None
        with StoreReader(path) as reader:
            (live,) = reader.status().streams
            assert (stream, 11 * WINDOW, 11 * WINDOW) == (
                live.stream,
                live.received,
                live.accounted,
            )

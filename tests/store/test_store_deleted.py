"""A store that is deleted, moved or unmounted while it is written loses nothing, and says so."""

import contextlib
import shutil
import sqlite3
import subprocess
import time

import pytest
from entries_for_tests import START, WINDOW, done, file_done, heard, is_known, now, opened
from store_processes import kill, run, start

from edge.errors import ConfigError, EdgeError
from edge.store.entries import ModelChanged
from edge.store.reader import StoreReader
from edge.store.store import Store


@pytest.fixture
def folder(tmp_path):
    """Where a store is to be."""
    place = tmp_path / "store"
    place.mkdir()
    return place


@pytest.fixture
def path(folder):
    return folder / "edge.db"


def write_some(store):
    """A live stream, files, a model, a cursor; return the stream."""
    stream = store.next_stream()
    store.write([opened(stream), ModelChanged(START, "", "stsg-esc10")])
    store.write([file_done(number) for number in range(50)])
    for window in range(100):
        store.write([done(stream, window, heard(window), in_flight=7)])
    store.set_cursor("jsonl", 20, "x")
    return stream


def write_more(store, stream):
    """The same stream, and another file."""
    store.write([file_done(50)])
    for window in range(100, 110):
        store.write([done(stream, window, heard(window), in_flight=7)])


def check_all(path, stream, *, in_flight=7):
    """Everything of both is in the store, as if nothing had happened."""
    with StoreReader(path) as reader:
        assert len(list(reader.files())) == 51
        starts = [one.start_s for one in reader.detections() if one.source == "microphone"]
        assert [5.0 * window for window in range(110)] == starts
        numbers = [one.number for one in reader.detections()]
        assert list(range(1, len(numbers) + 1)) == numbers
        status = reader.status()
    assert [(s.stream, s.received, s.in_flight) for s in status.streams] == [
        (stream, 110 * WINDOW + 7, in_flight)
    ]
    assert (status.deliveries, status.model) == ({"jsonl": 20}, "stsg-esc10")
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA page_size").fetchone() == (512,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (1,)
    connection.close()


def wait_for_file(path, entry):
    """Wait until another process has written that entry."""
    for _ in range(3000):
        with contextlib.suppress(EdgeError), StoreReader(path) as reader:
            if entry.path in {file.path for file in reader.files()}:
                return
        time.sleep(0.02)
    raise AssertionError("it does not write")


def names(folder):
    """What is in a folder, without SQLite's companions."""
    return sorted(
        place.name for place in folder.iterdir() if not place.name.endswith(("-wal", "-shm"))
    )


@pytest.mark.parametrize(
    "pattern", ["edge.db*", "edge.db", "edge.db.lock", "edge.db-*", "edge.db-wal", "edge.db-shm"]
)
def test_what_is_deleted_is_there_again(path, pattern):
    """Whichever of its files are gone, the next write puts everything back; one has the lock."""
    with Store.open(path, now=now) as store:
        stream = write_some(store)
        for place in path.parent.glob(pattern):
            place.unlink()
        write_more(store, stream)
        assert store.trouble is None
        check_all(path, stream)
        with pytest.raises(ConfigError, match="in use by process"):
            Store.open(path, now=now)
        told = store.take_notes()
        assert len(told) == (pattern != "edge.db.lock")
        assert all("while it was in use" in note for note in told)
        assert store.take_notes() == []
        assert is_known(store, file_done(7))
    check_all(path, stream, in_flight=0)
    assert names(path.parent) == ["edge.db", "edge.db.lock"]


def test_it_is_found_out_though_nothing_is_written(path):
    """A round of housekeeping suffices."""
    with Store.open(path, now=now) as store:
        write_some(store)
        path.unlink()
        assert store.transact(lambda connection, rows: 7) == 7
        with StoreReader(path) as reader:
            assert len(list(reader.files())) == 50


def test_it_is_put_back_at_the_end(path):
    """What was deleted just before the end of the program is there after it."""
    with Store.open(path, now=now) as store:
        stream = write_some(store)
        write_more(store, stream)
        for place in path.parent.glob("edge.db*"):
            place.unlink()
    with StoreReader(path) as reader:
        assert reader.status().ended_at == START
        assert len(list(reader.files())) == 51


def test_a_store_that_is_moved_away_is_whole_there_and_here(path):
    """A copy goes on at the path; what was moved holds all until then."""
    with Store.open(path, now=now) as store:
        stream = write_some(store)
        path.rename(path.with_name("backup.db"))
        write_more(store, stream)
        check_all(path, stream)
    with StoreReader(path.with_name("backup.db")) as reader:
        assert len(list(reader.files())) == 50
        assert reader.status().last_number > 100


def test_another_file_in_its_place_is_set_aside(path):
    """Also a store that someone else made there and wrote to: both are whole."""
    with Store.open(path, now=now) as store:
        stream = write_some(store)
        for place in path.parent.glob("edge.db*"):
            place.unlink()
        process = start(path, files=3, pause_s=60)
        wait_for_file(path, file_done(0))
        kill(process)
        write_more(store, stream)
        assert store.trouble is None
        check_all(path, stream)
        (note,) = store.take_notes()
    other = path.with_name("edge.db.found-20240501T043000Z")
    assert other.name in note
    with StoreReader(other) as reader:
        assert [file.path for file in reader.files()] == [file_done(0).path]


def test_two_that_write_to_one_path_find_out(path):
    """After its lock was deleted another may take the path: the first waits, and then goes on."""
    with Store.open(path, now=now) as store:
        stream = write_some(store)
        for place in path.parent.glob("edge.db*"):
            place.unlink()
        process = start(path, files=1000, pause_s=60)
        wait_for_file(path, file_done(0))
        write_more(store, stream)
        assert f"in use by process {process.pid}" in store.trouble
        kill(process)
        assert store.retry()
        with StoreReader(path) as reader:
            # What the other wrote stays; its numbers make way for those in use.
            assert sorted(file.path for file in reader.files()) == [
                file_done(0).path,
                file_done(50).path,
            ]
            starts = [one.start_s for one in reader.detections() if one.at == heard(105).at]
            assert starts == [5.0 * 105]
            (source,) = [s for s in reader.status().sources if s.source == "microphone"]
            assert source.in_flight == 7
            streams = [live.stream for live in reader.status().streams]
            assert stream in streams
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_folder_that_is_away_is_waited_for(folder, path):
    """Entries wait in memory, and with the folder everything is back."""
    with Store.open(path, now=now) as store:
        stream = write_some(store)
        shutil.rmtree(folder)
        write_more(store, stream)
        assert "gone" in store.trouble
        assert is_known(store, file_done(50))
        folder.mkdir()
        assert store.retry()
        check_all(path, stream)
        with StoreReader(path) as reader:
            assert reader.status().open_faults == 0


def test_an_unmounted_disk_is_waited_for(mount, tmp_path):
    """Nothing is written where it was mounted; when it is back the same file is gone on with."""
    disk = mount("disk", "-t", "tmpfs", "-o", "size=30m", "tmpfs")
    place = mount("place", "--bind", str(disk))
    path = place / "edge.db"
    with Store.open(path, now=now) as store:
        stream = write_some(store)
        inode = path.stat().st_ino
        subprocess.run(["umount", "--lazy", place], check=True)
        write_more(store, stream)
        assert "its disk is away" in store.trouble
        assert list(place.iterdir()) == []
        subprocess.run(["mount", "--bind", disk, place], check=True)
        assert store.retry()
        assert path.stat().st_ino == inode
        check_all(path, stream)


def test_a_disk_that_comes_back_as_another_is_gone_on_with(mount, tmp_path):
    """Its store is taken up: what it held stays, live streams and numbers go on."""
    first = mount("first", "-t", "tmpfs", "-o", "size=30m", "tmpfs")
    second = mount("second", "-t", "tmpfs", "-o", "size=30m", "tmpfs")
    place = mount("place", "--bind", str(first))
    path = place / "edge.db"
    run(second / "edge.db", files=40)
    process = start(second / "edge.db", files=41, pause_s=60)
    wait_for_file(second / "edge.db", file_done(40))
    kill(process)
    with Store.open(path, now=now) as store:
        stream = write_some(store)
        subprocess.run(["umount", "--lazy", place], check=True)
        write_more(store, stream)
        assert store.trouble is not None
        subprocess.run(["mount", "--bind", second, place], check=True)
        assert store.retry()
        with StoreReader(path) as reader:
            files = [file.path for file in reader.files()]
            assert sorted(files) == [file_done(n).path for n in [*range(41), 50]]
            numbers = [one.number for one in reader.detections()]
            assert sorted(set(numbers)) == numbers
            live = {s.stream: s for s in reader.status().streams}[stream]
            assert (live.received, live.in_flight) == (110 * WINDOW + 7, 7)
            assert reader.status().deliveries == {"jsonl": 20}
        with pytest.raises(ConfigError, match="in use by process"):
            Store.open(path, now=now)
    with Store.open(path, now=now) as store:
        assert store.last_model() == "stsg-esc10"


def test_without_room_for_what_was_deleted_a_new_store_is_begun(mount):
    """The deleted file takes its place on the disk as long as it is open; hearing goes on."""
    disk = mount("disk", "-t", "tmpfs", "-o", "size=1500k", "tmpfs")
    path = disk / "edge.db"
    with Store.open(path, now=now) as store:
        stream = store.next_stream()
        store.write([opened(stream)])
        number = 0
        while path.stat().st_size < 800_000:
            store.write([file_done(number)])
            number += 1
        store.write([done(stream, 0, heard(0))])
        for place in disk.glob("edge.db*"):
            place.unlink()
        store.write([done(stream, 1, heard(1))])
        store.retry()
        assert store.trouble is None
        (note,) = store.take_notes()
        assert "no room" in note
        with StoreReader(path) as reader:
            assert [one.start_s for one in reader.detections()] == [5.0]
            (live,) = reader.status().streams
            assert (live.received, live.in_flight) == (2 * WINDOW, 0)

"""One writer at a time; any number of readers beside it."""

import sqlite3

import pytest
from entries_for_tests import done, heard, now, opened
from store_processes import kill, start

from edge.errors import ConfigError
from edge.store.entries import FaultSeen
from edge.store.reader import StoreReader
from edge.store.store import Store


@pytest.fixture
def path(tmp_path):
    """Where a store is to be."""
    return tmp_path / "edge.db"


def test_a_second_daemon_is_told_who_has_the_store(path):
    """It ends with the number of the process that has it, and the first one goes on."""
    first = start(path, files=100_000, pause_s=0.001)
    first.stdout.readline()
    second = start(path, files=1)
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 1
    assert f"the store is in use by process {first.pid}" in errors
    assert "remedy:" in errors
    assert first.poll() is None
    kill(first)
    with Store.open(path, now=now) as store:
        assert store.trouble is None


def test_status_tells_a_running_daemon_from_a_dead_one(path):
    """Running while the process lives; after a kill its number and no end; then a clean end."""
    process = start(path, files=100_000, pause_s=0.001)
    process.stdout.readline()
    with StoreReader(path) as reader:
        living = reader.status()
        kill(process)
        dead = reader.status()
    assert (True, process.pid, None) == (living.running, living.pid, living.ended_at)
    assert (False, process.pid, None) == (dead.running, dead.pid, dead.ended_at)
    Store.open(path, now=now).close()
    with StoreReader(path) as reader:
        assert (False, now()) == (reader.status().running, reader.status().ended_at)


def test_a_reader_sees_what_is_written_while_it_reads(path):
    """Pages that are read later show what was committed meanwhile, each row once."""
    with Store.open(path, now=now) as store:
        stream = store.next_stream()
        store.write([opened(stream)])
        for window in range(600):
            store.write([done(stream, window, heard(window))])
        with StoreReader(path) as reader:
            rows = reader.detections()
            first = next(rows)
            store.write([done(stream, 600, heard(600))])
            assert list(range(1, 602)) == [first.number, *(row.number for row in rows)]


def test_a_slow_reader_does_not_make_the_log_grow(path):
    """An answer that is half read holds no snapshot, so the log is used again."""
    with Store.open(path, now=now) as store:
        stream = store.next_stream()
        store.write([opened(stream)])
        for window in range(600):
            store.write([done(stream, window, heard(window))])
        with StoreReader(path) as reader:
            rows = reader.detections()
            next(rows)
            for window in range(600, 6000):
                store.write([done(stream, window)])
            assert path.with_name("edge.db-wal").stat().st_size < 1 << 20


def test_another_program_that_locks_the_store_only_delays_it(path):
    """Entries wait in memory while it is locked, and are written in order when it is free."""
    with Store.open(path, now=now) as store:
        stream = store.next_stream()
        store.write([opened(stream), done(stream, 0, heard(0))])
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        store.write([done(stream, 1, heard(1))])
        assert "another program locks the store" in store.trouble
        with StoreReader(path) as reader:
            assert store.trouble == reader.status().trouble
        store.write([done(stream, 2, heard(2)), FaultSeen("card", "gone", "", now())])
        other.execute("ROLLBACK")
        other.close()
        store.write([done(stream, 3, heard(3))])
        assert (store.trouble, store.waiting) == (None, 0)
        with StoreReader(path) as reader:
            assert [one.start_s for one in reader.detections()] == [0.0, 5.0, 10.0, 15.0]
            assert (
                [fault.where for fault in reader.status().faults],
                reader.status().trouble,
            ) == (["card"], "")


def test_a_file_that_is_no_store_is_refused_and_left_alone(path):
    """Neither text nor another program's database is touched, however often it is tried."""
    path.write_text("notes of a field trip\n" * 100)
    for _ in range(2):
        with pytest.raises(ConfigError, match="is no store of edge"):
            Store.open(path, now=now)
    assert path.read_text() == "notes of a field trip\n" * 100
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE birds (name TEXT)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="is no store of edge"):
        Store.open(path, now=now)
    with pytest.raises(ConfigError, match="is no store of edge"):
        StoreReader(path)
    assert before == path.read_bytes()


def test_a_store_of_a_newer_edge_is_refused_and_left_alone(path):
    """Both its writer and its readers say what to do."""
    Store.open(path, now=now).close()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    for tried in (lambda: Store.open(path, now=now), lambda: StoreReader(path)):
        with pytest.raises(ConfigError, match="of a newer edge: its schema is 99") as error:
            tried()
        assert "install" in error.value.remedy
    assert sorted(
        place.name for place in path.parent.iterdir() if place.suffix not in (".db-shm", ".db-wal")
    ) == ["edge.db", "edge.db.lock"]

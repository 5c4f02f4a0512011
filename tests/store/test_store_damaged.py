"""A damaged store is set aside under a name that is told, and a new one is begun."""

import random

import pytest
from entries_for_tests import START, WINDOW, done, file_done, heard, now, opened
from store_processes import kill, start

from edge.store.entries import ModelChanged
from edge.store.reader import StoreReader
from edge.store.store import Store


def random_middle(path):
    """Spoil a third of the file."""
    content = bytearray(path.read_bytes())
    third = len(content) // 3
    content[third : 2 * third] = random.Random(1).randbytes(third)
    path.write_bytes(content)


def truncated(path):
    """Lose the file's second half."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 1024 * 512])


def zeroed_header(path):
    """Lose the file's first page."""
    content = path.read_bytes()
    path.write_bytes(bytes(4096) + content[4096:])


def spoilt_header(path):
    """Put chance into the file's first page."""
    path.write_bytes(random.Random(2).randbytes(512) + path.read_bytes()[512:])


DAMAGES = pytest.mark.parametrize(
    "damage", [random_middle, truncated, zeroed_header, spoilt_header]
)


@pytest.fixture
def path(tmp_path):
    """Where a store is to be."""
    return tmp_path / "edge.db"


def set_aside(path):
    """What lies beside a store under the names of damaged ones, logs left out."""
    return [
        place
        for place in path.parent.glob("edge.db.damaged-*")
        if not place.name.endswith(("-wal", "-shm"))
    ]


@DAMAGES
def test_after_a_kill_a_damaged_store_is_set_aside(path, damage):
    """The daemon begins a new one; the old one is there with its log, and a fault names it."""
    process = start(path, files=2000)
    assert [process.stdout.readline(), process.stdout.readline()] == ["open\n", "done\n"]
    process.communicate()
    process = start(path, files=2001, pause_s=30)
    process.stdout.readline()
    kill(process)
    damage(path)
    size, log = path.stat().st_size, path.with_name("edge.db-wal").read_bytes()
    with Store.open(path, now=now) as store:
        (place,) = set_aside(path)
        assert place.name == "edge.db.damaged-20240501T043000Z"
        assert size == place.stat().st_size
        assert log == place.with_name(f"{place.name}-wal").read_bytes()
        (note,) = store.notes
        assert place.name in note
        store.write([file_done(1)])
        assert store.trouble is None
        with StoreReader(path) as reader:
            (fault,) = reader.status().faults
            assert ([file_done(1).path], place.name) == (
                [file.path for file in reader.files()],
                fault.where,
            )


@DAMAGES
def test_damage_that_comes_to_light_in_use_stops_nothing(path, damage):
    """A store damaged after a clean end is set aside when it is found out; all goes on."""
    with Store.open(path, now=now) as store:
        store.write([file_done(number) for number in range(2000)])
    damage(path)
    with Store.open(path, now=now) as store:
        stream = store.next_stream()
        store.write([opened(stream)])
        for number in range(2000, 2600):
            store.known_fingerprints(file_done(number).path, 1, 1)
            store.known_content(file_done(number).sha256)
            store.write([file_done(number), done(stream, number - 2000, heard(number - 2000))])
        assert store.trouble is None
        with StoreReader(path) as reader:
            assert {"/card/2024/002599.wav"} <= {file.path for file in reader.files()}
            (live,) = reader.status().streams
            assert (live.received, live.accounted) == (600 * WINDOW, 600 * WINDOW)
    assert len(set_aside(path)) == 1


def test_live_streams_and_numbers_go_on_in_the_new_store(path):
    """Cursor, model, the count of samples and of detections are carried over."""
    with Store.open(path, now=now) as store:
        stream = store.next_stream()
        store.write([opened(stream), ModelChanged(START, "", "stsg-esc10")])
        for window in range(2000):
            store.write([done(stream, window, heard(window), in_flight=7)])
        store.set_cursor("jsonl", 1500, "x")
        with StoreReader(path) as reader:
            assert reader.status().last_number == 2000
            path.write_bytes(random.Random(3).randbytes(path.stat().st_size))
            path.with_name("edge.db-wal").write_bytes(b"")
            store.write([file_done(number) for number in range(200)])
            for window in range(2000, 2100):
                store.write([done(stream, window, heard(window), in_flight=7)])
            status = reader.status()
    assert len(set_aside(path)) == 1
    with Store.open(path, now=now) as store:
        assert (store.cursor("jsonl"), store.last_model()) == ((1500, "x"), "stsg-esc10")
        assert stream < store.next_stream()
    (live,) = status.streams
    assert (live.received, live.in_flight) == (2100 * WINDOW + 7, 7)
    with StoreReader(path) as reader:
        numbers = [one.number for one in reader.detections()]
        assert numbers[0] > 2000
        assert sorted(set(numbers)) == numbers


def test_the_fault_ends_when_the_damaged_file_is_taken_away(path):
    """It stays open while the file is there, through restarts, and not after."""
    Store.open(path, now=now).close()
    zeroed_header(path)
    Store.open(path, now=now).close()
    for expected in (1, 0):
        with Store.open(path, now=now), StoreReader(path) as reader:
            assert expected == reader.status().open_faults
        for place in path.parent.glob("edge.db.damaged-*"):
            place.unlink()


def test_one_damaged_store_after_another_keeps_its_name(path):
    """Two that are set aside in the same second do not overwrite one another."""
    for _ in range(2):
        Store.open(path, now=now).close()
        spoilt_header(path)
        Store.open(path, now=now).close()
    assert sorted(place.name for place in set_aside(path)) == [
        "edge.db.damaged-20240501T043000Z",
        "edge.db.damaged-20240501T043000Z.2",
    ]

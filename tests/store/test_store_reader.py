"""Everything can be read, in bounded pages, also where nothing can be written."""

import os
import shutil
from datetime import timedelta

import pytest
from entries_for_tests import START, contents, done, file_done, heard, now, opened
from store_processes import kill, start

from edge.errors import ConfigError, InputError
from edge.store.reader import StoreReader
from edge.store.store import Store


@pytest.fixture
def path(tmp_path):
    """A store with 1200 windows, each with a detection, and 700 files."""
    place = tmp_path / "edge.db"
    with Store.open(place, now=now) as store:
        stream = store.next_stream()
        store.write([opened(stream)])
        for window in range(1200):
            confidence = (window % 100) / 100
            store.write([done(stream, window, heard(window, confidence=confidence))])
        store.write([file_done(number) for number in range(700)])
    return place


def test_detections_are_chosen_by_number_time_and_confidence(path):
    """Each bound alone and all together give what a full read gives when it is sifted."""
    since, until = START + timedelta(minutes=20), START + timedelta(minutes=70)
    with StoreReader(path) as reader:
        everything = list(reader.detections())
        assert sorted(one.number for one in everything) == [one.number for one in everything]
        assert everything[777:] == list(reader.detections(after_number=everything[776].number))
        expected = [one for one in everything if since <= one.at < until]
        assert expected == list(reader.detections(since=since, until=until))
        expected = [one for one in everything if one.confidence >= 0.5]
        assert expected == list(reader.detections(min_confidence=0.5))
        expected = [
            one
            for one in everything[300:]
            if one.at >= since and one.at < until and one.confidence >= 0.25
        ][:250]
        assert expected == list(
            reader.detections(
                after_number=everything[299].number,
                since=since,
                until=until,
                min_confidence=0.25,
                limit=250,
            )
        )
        for limit in (0, 1, 499, 500, 501, 1000):
            assert everything[:limit] == list(reader.detections(limit=limit))


def test_files_and_ranges_are_read_whole_over_many_pages(path):
    """Every file and every range comes once, as it was written."""
    with StoreReader(path) as reader:
        assert [file_done(number).path for number in range(700)] == [
            file.path for file in reader.files()
        ]
        shown = {path: found for path, _, _, found in contents(reader)}
        total = sum(one.range.windows for one in reader.ranges())
    assert total == 1200 + 700 * 12
    for number in range(700):
        entry = file_done(number)
        expected = [
            (one.start_s, one.end_s, one.at, one.label, one.confidence, one.model)
            for one in entry.heard
        ]
        assert expected == shown[entry.path]


def test_a_store_that_is_not_there_is_an_error_with_a_remedy(tmp_path):
    """Nothing is made by looking."""
    with pytest.raises(InputError, match="there is no store yet") as error:
        StoreReader(tmp_path / "edge.db")
    assert "edge run" in error.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_name_with_special_characters_is_only_a_name(path, tmp_path):
    """`?`, `%` and `#` in a path mean themselves."""
    place = tmp_path / "100%?mode=rw#1.db"
    shutil.copyfile(path, place)
    with StoreReader(place) as reader:
        assert reader.status().detections >= 1200


def test_a_damaged_store_says_so_when_it_is_read(path):
    """The error tells what to do, and the file stays as it is."""
    content = bytearray(path.read_bytes())
    content[:512] = bytes(512)
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="the store is damaged") as error:
        StoreReader(path)
    assert "edge run" in error.value.remedy
    assert bytes(content) == path.read_bytes()


@pytest.mark.parametrize("left", [["-wal", "-shm"], ["-wal"], []])
def test_a_dead_daemon_s_card_is_read_where_it_cannot_be_written(mount, left):
    """With the log and its index, with the log alone and after a clean end, read-only."""
    card = mount("card", "-t", "tmpfs", "tmpfs")
    path = card / "edge.db"
    process = start(path, files=100_000, pause_s=0.001)
    process.stdout.readline()
    while not path.with_name("edge.db-wal").stat().st_size > 200_000:
        assert process.poll() is None
    kill(process)
    if not left:
        Store.open(path, now=now).close()
    with StoreReader(path) as reader:
        expected = contents(reader)
    for companion in {"-wal", "-shm"} - set(left):
        path.with_name(f"edge.db{companion}").unlink(missing_ok=True)
    before = sorted(os.listdir(card))
    mount("card", "-o", "remount,ro")
    with StoreReader(path) as reader:
        assert expected == contents(reader)
        assert not reader.status().running
        assert reader.status().detections > 50
    assert before == sorted(os.listdir(card))

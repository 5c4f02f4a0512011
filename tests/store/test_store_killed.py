"""Whatever instant a kill comes at, no row is lost and none is there twice."""

import os
import random
import time

import pytest
from entries_for_tests import WINDOW, contents, now
from store_processes import kill, run, start

from edge.store.reader import StoreReader
from edge.store.rows import ENDED_EARLY
from edge.store.store import Store


@pytest.mark.slow
def test_a_store_that_was_killed_again_and_again_equals_an_undisturbed_one(tmp_path):
    """After the last restart every file has its rows once, and every live sample its range."""
    kills = 300 if os.environ.get("EDGE_SOAK") else 30
    files = 50 * kills
    draw = random.Random(20240501)
    path = tmp_path / "killed.db"
    for _ in range(kills):
        process = start(path, files=files, pause_s=0.001)
        assert process.stdout.readline() == "open\n"
        time.sleep(draw.uniform(0, 0.06))
        kill(process)
    run(path, files=files)
    run(tmp_path / "undisturbed.db", files=files)
    with StoreReader(path) as killed, StoreReader(tmp_path / "undisturbed.db") as undisturbed:
        expected = contents(undisturbed)
        assert files == len(expected)
        assert expected == contents(killed)
        numbers = [one.number for one in killed.detections()]
        assert list(range(1, len(numbers) + 1)) == numbers
        check_live(killed)


def check_live(reader):
    """Each live stream's windows follow one another, and end in what its run left unscored."""
    status = reader.status()
    (live,) = [source for source in status.sources if source.source == "microphone"]
    assert (live.received, 0) == (live.accounted, live.in_flight)
    ends = {}
    for one in reader.ranges():
        if one.source == "microphone":
            assert ends.get(one.number, 0) == one.range.start_sample
            ends[one.number] = one.range.end_sample
            if one.range.reason == ENDED_EARLY:
                assert one.range.received in (WINDOW // 2, WINDOW // 3)


def test_numbers_after_a_kill_go_on_where_they_were(tmp_path):
    """No number of a detection is used again by the next run."""
    path = tmp_path / "edge.db"
    process = start(path, files=10_000, pause_s=0.001)
    process.stdout.readline()
    time.sleep(0.2)
    kill(process)
    with StoreReader(path) as reader:
        before = [one.number for one in reader.detections()]
    run(path, files=400)
    with StoreReader(path) as reader:
        after = [one.number for one in reader.detections()]
    assert before == after[: len(before)]
    assert list(range(1, len(after) + 1)) == after


def test_a_kill_while_the_store_is_made_leaves_nothing_in_the_way(tmp_path):
    """Whenever the first start is killed, the next one opens a sound store, none is set aside."""
    draw = random.Random(7)
    for number in range(20):
        path = tmp_path / f"{number}.db"
        process = start(path, files=0)
        while not path.exists() and process.poll() is None:
            pass
        time.sleep(draw.uniform(0, 0.03))
        kill(process)
        with Store.open(path, now=now) as store:
            # It may have come so far that it had received something.
            assert all("received and not scored" in note for note in store.notes)
            assert store.trouble is None
        assert list(tmp_path.glob("*.damaged-*")) == []
        with StoreReader(path) as reader:
            assert list(reader.files()) == []

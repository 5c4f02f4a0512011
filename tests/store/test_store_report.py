"""What `edge status` shows of a store."""

import dataclasses
from datetime import timedelta

from entries_for_tests import START, done, file_done, heard, now, opened

from edge.store.entries import FaultSeen, FileState
from edge.store.reader import StoreReader
from edge.store.report import as_json, as_text
from edge.store.store import Store


def test_the_clock_of_a_sound_card_is_shown(tmp_path):
    """How fast it runs is shown once it is known, and stays what it was when it is not any more."""
    path = tmp_path / "edge.db"
    with Store.open(path, now=now) as store:
        stream = store.next_stream()
        store.write([opened(stream), done(stream, 0)])
        assert "ppm" not in shown(path)[0]
        store.write([done(stream, 1, drift_ppm=-37)])
        store.write([done(stream, 2)])
        text, found = shown(path)
    assert "clock    -37 ppm" in text
    assert [live["drift_ppm"] for live in found["streams"]] == [-37]


def test_recordings_are_told_by_when_they_were_scored(tmp_path):
    """When the last one was done, and of which day its sound is: that may be years ago."""
    path = tmp_path / "edge.db"
    done_at = START + timedelta(minutes=59)
    with Store.open(path, now=lambda: done_at) as store:
        old = dataclasses.replace(file_done(1), started_at=START - timedelta(days=1800))
        store.write([old])
        text, found = shown(path)
        day = f"{old.started_at:%Y-%m-%d}"
        at = "2024-05-01 05:29:00 UTC"
        assert f"last       recording scored {at}, 60 s ago; its sound is of {day}\n" in text
        assert "window until" not in text
        assert [found["last_file_done"], found["last_file_started"]] == [
            done_at.isoformat(),
            old.started_at.isoformat(),
        ]
        undated = dataclasses.replace(file_done(2), started_at=None)
        broken = dataclasses.replace(file_done(3), state=FileState.FAILED, ranges=(), heard=())
        store.write([undated, broken])
        text, _ = shown(path)
        assert f"recording scored {at}, 60 s ago; of when, it does not say\n" in text


def test_live_sound_and_recordings_are_told_apart(tmp_path):
    """A station that has both shows until when it heard, and when it scored."""
    path = tmp_path / "edge.db"
    with Store.open(path, now=now) as store:
        stream = store.next_stream()
        store.write([opened(stream), done(stream, 0, heard(0)), file_done(9)])
        text, _ = shown(path)
    assert "last       window until 2024-05-01 04:30:05 UTC, 60 min ago\n" in text
    assert "last       recording scored 2024-05-01 04:30:00 UTC, 60 min ago; its " in text


def test_a_program_s_last_words_stand_between_fault_and_remedy(tmp_path):
    """Each in lines of its own, indented."""
    path = tmp_path / "edge.db"
    remedy = "run it by hand\nit said last:\nno card\ngood bye"
    with Store.open(path, now=now) as store:
        store.write([FaultSeen("mic", "arecord: ended with status 1", remedy, START)])
        text, _ = shown(path)
    assert (
        "faults     1 open\n"
        "  mic: arecord: ended with status 1\n"
        "    since 2024-05-01 04:30:00 UTC\n"
        "    it said last:\n"
        "      no card\n"
        "      good bye\n"
        "    remedy: run it by hand"
    ) in text


def test_sources_are_shown_with_where_their_sound_comes_from(tmp_path):
    """Also those of which nothing came yet."""
    path = tmp_path / "edge.db"
    with Store.open(path, now=now) as store:
        stream = store.next_stream()
        store.write([opened(stream), done(stream, 0)])
        text, _ = shown(path, listened_to={"microphone": "arecord -q", "card": "/media/card"})
    assert "source microphone: 1 predicted\n  from     arecord -q\n" in text
    assert "source card: nothing yet\n  from     /media/card\n" in text


def shown(path, **more):
    """The status as text and as JSON."""
    at = START + timedelta(hours=1)
    with StoreReader(path) as reader:
        status = reader.status()
    return as_text(status, now=at, **more), as_json(status, now=at)

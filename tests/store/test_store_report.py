"""What `edge status` shows of a store."""

from datetime import timedelta

from entries_for_tests import START, done, now, opened

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


def shown(path):
    """The status as text and as JSON."""
    at = START + timedelta(hours=1)
    with StoreReader(path) as reader:
        status = reader.status()
    return as_text(status, now=at), as_json(status, now=at)

"""Everything that is there, and then the end."""

import pytest
from recordings import record

from edge.store.reader import StoreReader


def run_once(here):
    """Its exit code."""
    return here.start("--once").wait(60)


def test_all_is_well(watching, card):
    """The folder is scored, and the exit code is 0."""
    record(card / "a.wav")
    here = watching()
    assert run_once(here) == 0
    assert here.status_now()["sources"][0]["files"] == {"done": 1}


def test_a_recording_that_cannot_be_read(watching, card):
    """The others are scored, and the exit code is 1."""
    record(card / "a.wav")
    (card / "b.wav").write_text("no sound\n" * 1000)
    here = watching()
    assert run_once(here) == 1
    assert here.status_now()["sources"][0]["files"] == {"done": 1, "failed": 1}


def test_a_folder_that_is_not_there(watching, card):
    """It is told, and the exit code is 1."""
    card.rmdir()
    here = watching()
    assert run_once(here) == 1
    assert str(card) in here.log()


def test_a_model_that_is_not_there(watching, card):
    """No other one is taken in its place."""
    record(card / "a.wav")
    here = watching()
    assert run_once(here) == 0
    record(card / "b.wav", seed=2)
    here.write(model="nosuch")
    assert run_once(here) == 2
    assert here.status_now()["sources"][0]["files"] == {"done": 1}


@pytest.mark.parametrize("seconds", [7.0, 40.0])
def test_the_same_sound_in_two_folders(watching, card, seconds):
    """It is scored once, however close together the two are met."""
    other = card.with_name("other")
    other.mkdir()
    record(card / "a.wav", seconds)
    record(other / "b.wav", seconds)
    sources = [
        {"name": folder.name, "directory": {"path": str(folder), "settle_seconds": 0.2}}
        for folder in (card, other)
    ]
    here = watching(source=sources)
    assert run_once(here) == 0
    with StoreReader(here.store) as reader:
        assert sorted(row.state.value for row in reader.files()) == ["done", "duplicate"]

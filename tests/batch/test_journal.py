from pathlib import Path

import numpy as np
import pytest

from edge.batch.journal import Journal
from edge.batch.record import FileRecord, Rows, Stretch, pack, pack_rows
from edge.errors import InputError

RUN = {"model": "m@1 abc", "windows": "frame"}


def fill(journal: Journal, path: str, scores: np.ndarray) -> FileRecord:
    states = "P" * len(scores) + "S"
    rows = Rows([5.0 * n for n in range(len(states))], states, scores)
    place = journal.add_rows(pack_rows(rows))
    record = FileRecord(
        path=path,
        size=10,
        mtime_ns=20,
        model="m@1 abc",
        seconds=5.0,
        elapsed_s=0.1,
        counts={"P": len(scores), "S": 1},
        unscored=[Stretch(15.0, 20.0, 1, "S", "tail")],
        notes=["note"],
        parts=[place],
    )
    journal.add_file(record)
    return record


def scores(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((3, 4), dtype=np.float32)


def test_records_come_back_as_they_were(tmp_path):
    """What was appended is there after the file is opened again, odd names included."""
    path = tmp_path / "out.csv.partial"
    journal = Journal(path, RUN, resume=False)
    records = [fill(journal, name, scores(n)) for n, name in enumerate(["a", "b\n\udcff"])]
    journal.close()
    again = Journal(path, RUN, resume=True)
    assert records == [again.find(record.path) for record in records]
    assert again.find("c") is None
    for n, record in enumerate(records):
        (rows,) = again.rows(record)
        assert (rows.ends_s, rows.states) == ([0.0, 5.0, 10.0, 15.0], "PPPS")
        assert np.array_equal(scores(n), rows.scores)
    again.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lost", [1, 7, 60, 150, 300])
def test_torn_end_is_dropped(tmp_path, lost):
    """A record that was cut short counts as never written; those before it stay."""
    path = tmp_path / "out.csv.partial"
    journal = Journal(path, RUN, resume=False)
    fill(journal, "a", scores(1))
    whole = path.stat().st_size
    fill(journal, "b", scores(2))
    journal.close()
    content = path.read_bytes()
    path.write_bytes(content[: max(whole, len(content) - lost)])
    again = Journal(path, RUN, resume=True)
    assert again.find("a") is not None
    assert again.find("b") is None
    fill(again, "b", scores(3))
    again.close()
    third = Journal(path, RUN, resume=True)
    (rows,) = third.rows(third.find("b"))
    assert np.array_equal(scores(3), rows.scores)
    third.close()


def test_damaged_record_ends_the_journal(tmp_path):
    """A flipped bit is seen, and nothing after it is trusted."""
    path = tmp_path / "out.csv.partial"
    journal = Journal(path, RUN, resume=False)
    fill(journal, "a", scores(1))
    whole = path.stat().st_size
    fill(journal, "b", scores(2))
    journal.close()
    content = bytearray(path.read_bytes())
    content[whole + 90] ^= 1
    path.write_bytes(content)
    again = Journal(path, RUN, resume=True)
    assert again.find("a") is not None
    assert again.find("b") is None
    assert len(content) - whole == again.dropped_bytes
    again.close()


def test_another_runs_journal_is_refused(tmp_path):
    """Scores of another model or other options are never mixed in; it says what differs."""
    path = tmp_path / "out.csv.partial"
    Journal(path, RUN, resume=False).close()
    with pytest.raises(InputError, match="windows was frame, is native") as caught:
        Journal(path, {**RUN, "windows": "native"}, resume=True)
    assert "--resume" in caught.value.remedy


def test_journal_of_another_version_is_refused(tmp_path):
    """Records that hold other fields are not read; the file stays for the version that wrote it."""
    path = tmp_path / "out.csv.partial"
    old = pack({"run": RUN}) + pack({"file": {"path": "a", "reasons": {}}})
    path.write_bytes(old)
    with pytest.raises(InputError, match="another version of edge-batch") as caught:
        Journal(path, RUN, resume=True)
    assert caught.value.remedy
    assert old == path.read_bytes()


def test_file_that_is_no_journal_is_not_resumed(tmp_path):
    """A stranger's file under that name stays as it is."""
    path = tmp_path / "out.csv.partial"
    path.write_bytes(b"precious")
    with pytest.raises(InputError, match="is no journal"):
        Journal(path, RUN, resume=True)
    assert path.read_bytes() == b"precious"


def test_journal_torn_in_its_first_record_is_begun_again(tmp_path):
    """A run that was killed at once left nothing to go on with, and does not stand in the way."""
    path = tmp_path / "out.csv.partial"
    Journal(path, RUN, resume=False).close()
    whole = path.read_bytes()
    for left in (0, 2, 10, len(whole) - 1):
        path.write_bytes(whole[:left])
        journal = Journal(path, RUN, resume=True)
        assert journal.is_fresh
        journal.close()
        assert whole == path.read_bytes()


def test_file_that_is_no_journal_is_kept_aside(tmp_path):
    """A stranger's file under that name is neither read nor lost."""
    path = tmp_path / "out.csv.partial"
    path.write_bytes(b"precious")
    journal = Journal(path, RUN, resume=False)
    assert journal.put_aside.read_bytes() == b"precious"
    journal.close()


def test_unfinished_run_is_put_aside_unless_resumed(tmp_path):
    """Starting afresh loses nothing, however often."""
    path = tmp_path / "out.csv.partial"
    for expected in (None, "out.csv.partial.1", "out.csv.partial.2"):
        journal = Journal(path, RUN, resume=False)
        assert expected == (journal.put_aside.name if journal.put_aside else None)
        assert journal.is_fresh
        journal.close()


def test_journal_in_use_is_refused(tmp_path):
    """Two runs never write one output."""
    path: Path = tmp_path / "out.csv.partial"
    first = Journal(path, RUN, resume=False)
    for resume in (True, False):
        with pytest.raises(InputError, match="another edge-batch"):
            Journal(path, RUN, resume=resume)
    first.close()

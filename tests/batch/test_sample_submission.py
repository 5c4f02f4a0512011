"""The rows and columns of a template."""

import csv
import json

import numpy as np
import pytest
from batch_process import table
from tiny_stsg import LABELS


def test_template_is_filled_exactly(edge_batch, recordings, tmp_path):
    """Rows and columns of the template in its order; what is missing gets 0 or the mean."""
    template = tmp_path / "sample_submission.csv"
    rows = ["rec_03_10", "rec_00_5", "absent_5", "rec_03_5", "rec_00_5", "absent_10"]
    columns = ["unicorn", "wren", "row_id", "owl", "frog, small"]
    with template.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([0.1, 0.2, row, 0.3, 0.4] for row in rows)
    plain = edge_batch(recordings, "--model", "tiny", "--out", "all.csv")
    arguments = (recordings, "--model", "tiny", "--out", "s.csv", "--template", template)
    done = edge_batch(*arguments, "--report", "r.json")
    assert (plain.returncode, done.returncode) == (0, 0)
    with (tmp_path / "s.csv").open(newline="") as file:
        header, *filled = csv.reader(file)
    assert header == columns
    assert [row[2] for row in filled] == rows
    labels, scores = table(tmp_path / "all.csv")
    good = ["rec_03_10", "rec_00_5", "rec_03_5"]
    for row in filled:
        assert float(row[0]) == 0.0
        for place, label in ((1, "wren"), (3, "owl"), (4, "frog, small")):
            at = labels.index(label)
            mean = np.mean([scores[name][at] for name in good])
            expected = scores[row[2]][at] if row[2] in scores else mean
            assert float(row[place]) == pytest.approx(expected, rel=2e-6)
    unasked = len(scores) - 3
    for line in (
        f"template: 6 rows; predicted, but not in it: {unasked} rows\n",
        "2 rows without a prediction, holding the means of their columns: absent_5, absent_10\n",
        "template: 1 row there more than once: rec_00_5\n",
        "template: 1 class unknown to the model, holding 0: unicorn\n",
    ):
        assert line in done.stderr
    report = json.loads((tmp_path / "r.json").read_text())["template"]
    assert report["filled_rows"] == ["absent_5", "absent_10"]
    assert report["repeated_rows"] == ["rec_00_5"]


def test_template_of_unscored_recordings_is_still_filled(edge_batch, tmp_path):
    """With nothing scored there is no mean: every cell is 0, none is empty."""
    (tmp_path / "a.wav").write_text("no sound")
    (tmp_path / "t.csv").write_text("row_id,owl,wren\na_5,1,1\na_10,1,1\n")
    done = edge_batch("a.wav", "--model", "tiny", "--out", "s.csv", "--template", "t.csv")
    assert done.returncode == 1
    labels, rows = table(tmp_path / "s.csv")
    assert (labels, rows) == (["owl", "wren"], {"a_5": [0.0, 0.0], "a_10": [0.0, 0.0]})


def test_competition_template(edge_batch, data_dir, recordings, tmp_path):
    """The rows and columns of BirdCLEF's own sample submission, with every cell a number."""
    template = data_dir / "birdclef2026" / "sample_submission.csv"
    done = edge_batch(recordings, "--model", "tiny", "--out", "s.csv", "--template", template)
    assert done.returncode == 0
    with template.open(newline="") as file:
        expected = list(csv.reader(file))
    with (tmp_path / "s.csv").open(newline="") as file:
        found = list(csv.reader(file))
    assert found[0] == expected[0]
    assert [row[0] for row in found] == [row[0] for row in expected]
    assert all(float(cell) == 0.0 for row in found[1:] for cell in row[1:])


def test_template_of_other_classes_is_warned_of_before_and_after(edge_batch, recordings, tmp_path):
    """Who gave the wrong model reads it at once and at the end, also when quiet."""
    (tmp_path / "t.csv").write_text("row_id,unicorn,yeti\nrec_00_5,1,1\n")
    arguments = (recordings, "--model", "tiny", "--out", "s.csv", "--template", "t.csv")
    for quiet in ([], ["--quiet"]):
        done = edge_batch(*arguments, *quiet, "--report", "r.json")
        assert done.returncode == 0
        warning = (
            "WARNING: none of the template's 2 classes is a label of tiny@1 or quick@1: "
            "EVERY CELL WILL BE 0\n  the template has: unicorn, yeti\n"
        )
        budget = ("--budget", "90m")
        before, after = edge_batch(*arguments, *quiet, *budget).stderr.split("s.csv: 1 row")
        assert before.startswith(warning)
        assert warning in after
        warning = warning.replace(" or quick@1", "")
        assert done.stderr.startswith(warning)
        assert f"  the model has:    {', '.join(LABELS[:5])}" in done.stderr
        assert "remedy: " in done.stderr
        (said,) = json.loads((tmp_path / "r.json").read_text())["warnings"]
        assert said.startswith("none of the template's 2 classes")


def test_template_of_other_recordings_is_warned_of(edge_batch, recordings, tmp_path):
    """A sample submission whose recordings are elsewhere gives nothing but means."""
    (tmp_path / "t.csv").write_text("row_id,owl\nhidden_5,1\nhidden_10,1\n")
    arguments = (recordings, "--model", "tiny", "--out", "s.csv", "--template", "t.csv")
    done = edge_batch(*arguments)
    assert done.returncode == 0
    assert done.stderr.count("WARNING: no row of the template belongs to an input file") == 2
    assert "the template has: hidden_5, hidden_10" in done.stderr
    assert "the files give:   rec_00_5, rec_01_5," in done.stderr


def test_template_that_fits_is_not_warned_of(edge_batch, recordings, tmp_path):
    """One class and one row are enough."""
    (tmp_path / "t.csv").write_text("row_id,owl,yeti\nrec_00_5,1,1\nhidden_5,1,1\n")
    done = edge_batch(recordings, "--model", "tiny", "--out", "s.csv", "--template", "t.csv")
    assert done.returncode == 0
    assert "WARNING" not in done.stderr


def test_template_that_is_no_utf8_is_refused(edge_batch, recordings, tmp_path):
    """Its names could match nothing, and would make the output unreadable."""
    (tmp_path / "t.csv").write_bytes(b"row_id,owl\nrec\xff_5,1\n")
    done = edge_batch(recordings, "--model", "tiny", "--out", "s.csv", "--template", "t.csv")
    assert done.returncode == 2
    assert "is no UTF-8 text" in done.stderr
    assert "remedy:" in done.stderr


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("a_5,1,1\na_10,1\n", "t.csv:3: has 2 cells, the first line 3"),
        ("a_5,1,1\na_10,1,1,1\n", "t.csv:3: has 4 cells, the first line 3"),
        ("a_5,1,1\n\n,1,1\n", "t.csv:4: has no row_id"),
        ("", "t.csv: has a first line and no rows"),
    ],
)
def test_template_with_a_line_that_is_none_is_refused(
    edge_batch, recordings, tmp_path, lines, says
):
    """A row that is cut or has no name can be no row of a submission."""
    (tmp_path / "t.csv").write_text(f"row_id,owl,wren\n{lines}")
    done = edge_batch(recordings, "--model", "tiny", "--out", "s.csv", "--template", "t.csv")
    assert done.returncode == 2
    assert says in done.stderr
    assert "remedy:" in done.stderr

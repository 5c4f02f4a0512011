"""Recordings that are none, or not quite."""

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from batch_process import RATE, table, write_noise

ODD = os.fsdecode(b"odd\xff")
"""A name that is no UTF-8."""


@pytest.fixture
def bad_input(tmp_path) -> Path:
    """Two good recordings among everything that can be wrong with one."""
    folder = tmp_path / "card"
    (folder / "sub").mkdir(parents=True)
    write_noise(folder / "good 1.wav", seconds=10, seed=1)
    write_noise(folder / "good,\n2.flac", seconds=10, seed=2)
    good = (folder / "good 1.wav").read_bytes()
    (folder / "empty.wav").write_bytes(b"")
    (folder / "header.wav").write_bytes(good[:40] + struct.pack("<I", 0))
    (folder / "text.wav").write_text("not a sound")
    (folder / "gone.wav").symlink_to("nowhere.wav")
    (folder / "cut.wav").write_bytes(good[: 44 + 2 * RATE * 6])
    (folder / "unsized.wav").write_bytes(good[:4] + bytes(4) + good[8:40] + bytes(4) + good[44:])
    wrong = np.zeros(RATE * 15, dtype=np.float32)
    wrong[[RATE * 2, RATE * 13]] = np.nan, np.inf
    soundfile.write(folder / "nan.wav", wrong, RATE, subtype="FLOAT")
    absurd = np.zeros((RATE * 10, 2), dtype=np.float32)
    absurd[RATE * 7] = 1e30, -1e30
    soundfile.write(folder / "absurd.wav", absurd, RATE, subtype="FLOAT")
    soundfile.write(folder / "short.wav", np.zeros(RATE * 4), RATE)
    soundfile.write(folder / "tenth.wav", np.zeros(RATE // 10), RATE)
    soundfile.write(folder / "silence.wav", np.zeros(RATE * 5), RATE)
    for channels in (2, 8):
        soundfile.write(folder / f"c{channels}.wav", np.zeros((RATE * 5, channels)), RATE)
    for rate_hz in (8_000, 256_000):
        write_noise(folder / f"r{rate_hz}.wav", seconds=5, seed=3, rate_hz=rate_hz)
    write_noise(folder / "sub" / "good 1.flac", seconds=5, seed=4)
    write_noise(folder / "Übung 日本.flac", seconds=5, seed=5)
    (folder / f"{ODD}.wav").write_bytes(good)
    os.mkfifo(folder / "pipe.wav")
    return folder


def test_bad_input_is_counted_and_the_rest_scored(edge_batch, bad_input, tmp_path):
    """Each fault is said with its file; every sound recording beside them gets its rows."""
    done = edge_batch(
        bad_input, "--model", "tiny", "--out", "s.csv", "--workers", 2, "--report", "r.json"
    )
    assert done.returncode == 1
    _, rows = table(tmp_path / "s.csv")
    assert list(rows) == [
        *("absurd_5", "c2_5", "c8_5", "cut_5", "cut_10", "sub/good 1_5", "good 1_5", "good 1_10"),
        *("good,\n2_5", "good,\n2_10", "nan_10", "odd\\xff_5", "odd\\xff_10"),
        *("r256000_5", "r8000_5", "short_5", "silence_5", "unsized_5", "unsized_10"),
        "Übung 日本_5",
    ]
    report = json.loads((tmp_path / "r.json").read_text())
    failed = {Path(item["path"]).name: item["reason"] for item in report["failures"]}
    assert set(failed) == {"empty.wav", "header.wav", "text.wav", "gone.wav"}
    for name, reason in {
        "empty.wav": "is empty",
        "header.wav": "holds a header and no audio",
        "text.wav": "no audio format recognised",
        "gone.wav": "No such file",
    }.items():
        assert reason in failed[name]
        assert name in done.stderr
    notes = {Path(item["path"]).name: item["note"] for item in report["notes"]}
    assert set(notes) == {"cut.wav", "unsized.wav"}
    assert "promises 10.0 s, 6.0 s are there" in notes["cut.wav"]
    assert "wrong size in the header" in notes["unsized.wav"]
    assert report["windows"] == {"predicted": len(rows), "skipped": 1, "failed": 3, "gap": 0}
    assert "failed: 2 windows: holds samples that are NaN or infinite" in done.stderr
    assert "failed: 1 window: holds samples that are absurdly large" in done.stderr
    (unheard,) = report["unheard"]
    assert Path(unheard["path"]).name == "tenth.wav"
    assert "shorter than 1 s" in unheard["reason"]
    (left_out,) = report["left_out"]
    assert Path(left_out["path"]).name == "pipe.wav"
    assert "pipe.wav: is a pipe, not a file" in done.stderr
    assert "Warning" not in done.stderr
    assert "internal error" not in done.stderr
    renamed = {Path(item["path"]).suffix: item["stem"] for item in report["renamed"]}
    assert renamed == {".wav": "good 1", ".flac": "sub/good 1"}
    assert rows["unsized_5"] == rows["good 1_5"]


def test_bad_files_change_nothing_for_good_ones(edge_batch, bad_input, tmp_path):
    """A recording has the same rows alone and among the others."""
    edge_batch(bad_input, "--model", "tiny", "--out", "all.csv")
    edge_batch(bad_input / "good,\n2.flac", "--model", "tiny", "--out", "one.csv")
    _, among = table(tmp_path / "all.csv")
    _, alone = table(tmp_path / "one.csv")
    assert len(alone) == 2
    assert all(among[name] == row for name, row in alone.items())


def test_names_that_are_no_utf8_give_a_table_and_a_report_that_are(edge_batch, tmp_path):
    """Each byte that is no text is written as its number; the report holds no half characters."""
    folder = tmp_path / ODD
    folder.mkdir()
    for name in (ODD, "odd\\xff"):
        write_noise(tmp_path / "plain.wav", seconds=5, seed=1).rename(folder / f"{name}.wav")
    (folder / f"bad{ODD}.wav").write_text("no sound")
    done = edge_batch(ODD, "--model", "tiny", "--out", f"{ODD}.csv", "--report", "r.json")
    assert done.returncode == 1
    _, rows = table(tmp_path / f"{ODD}.csv")
    assert list(rows) == ["odd\\\\xff_5", "odd\\xff_5"]
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    (failure,) = report["failures"]
    assert failure["path"].encode().endswith(b"odd\\xff/badodd\\xff.wav")
    assert report["out"].encode() == b"odd\\xff.csv"
    assert "badodd\\xff.wav" in done.stderr

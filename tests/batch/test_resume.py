"""Runs that were killed, stopped or gone on with."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from batch_process import RATE, sparse_wav, start, table, wait_for, write_noise


def test_kill_and_resume_give_the_same_bytes(edge_batch, models_dir, tmp_path):
    """After kill -9 half way the rest is scored, nothing twice, and the file is the same."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(12):
        write_noise(folder / f"r{number:02d}.wav", seconds=60, seed=number)
    assert edge_batch(folder, "--model", "tiny", "--out", "whole.csv").returncode == 0
    arguments = (folder, "--model", "tiny", "--out", "s.csv", "--workers", 2)
    process = start(models_dir, *arguments, cwd=tmp_path)
    partial = tmp_path / "s.csv.partial"
    wait_for(lambda: partial.exists() and partial.read_bytes().count(b'"file"') >= 3)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "s.csv").exists()
    with partial.open("ab") as file:
        file.write(b"edg1 torn")
    done = edge_batch(*arguments, "--resume", "--report", "r.json")
    assert done.returncode == 0
    assert 3 <= json.loads((tmp_path / "r.json").read_text())["resumed"] < 12
    assert (tmp_path / "s.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not partial.exists()


def test_interrupt_keeps_what_was_scored(edge_batch, models_dir, tmp_path):
    """Ctrl-C ends with 130, says how to go on, and leaves no process behind."""
    folder = tmp_path / "in"
    folder.mkdir()
    write_noise(folder / "r00.wav", seconds=5, seed=0)
    for number in (1, 2):
        sparse_wav(folder / f"r{number:02d}.wav", seconds=3600 * 18, rate_hz=RATE)
    arguments = (folder, "--model", "tiny", "--out", "s.csv", "--workers", 2)
    process = start(models_dir, *arguments, cwd=tmp_path, start_new_session=True)
    partial = tmp_path / "s.csv.partial"
    wait_for(lambda: partial.exists() and b'"file"' in partial.read_bytes())
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "--resume" in errors
    assert "Traceback" not in errors
    wait_for(lambda: not alive(process.pid))
    for number in (1, 2):
        write_noise(folder / f"r{number:02d}.wav", seconds=5, seed=number)
    done = edge_batch(*arguments, "--resume", "--report", "r.json")
    assert done.returncode == 0
    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["resumed"], report["rows"]) == (1, 3)


@pytest.mark.parametrize("delay_s", [0.0, 0.03, 0.1, 0.3])
def test_interrupt_while_workers_start_is_quiet(models_dir, tmp_path, delay_s):
    """No process shows where it was, and where nothing was kept, nothing is promised."""
    sparse_wav(tmp_path / "a.wav", seconds=3600 * 18, rate_hz=RATE)
    sparse_wav(tmp_path / "b.wav", seconds=3600 * 18, rate_hz=RATE)
    arguments = (tmp_path, "--model", "tiny", "--out", "s.csv", "--workers", 2)
    process = start(models_dir, *arguments, cwd=tmp_path, start_new_session=True)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait_for(lambda: len(children.read_text().split()) >= 2)
    time.sleep(delay_s)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors == "edge-batch: stopped; nothing was scored yet\n"
    wait_for(lambda: not alive(process.pid))
    assert not (tmp_path / "s.csv.partial").exists()


def test_changed_recording_is_scored_again(edge_batch, models_dir, tmp_path):
    """A resumed run takes a recording as it is now."""
    partial = begin_and_kill(models_dir, tmp_path)
    write_noise(tmp_path / "in" / "r00.wav", seconds=7, seed=99)
    done = edge_batch("in", "--model", "tiny", "--out", "s.csv", "--resume")
    assert done.returncode == 0
    _, rows = table(tmp_path / "s.csv")
    assert [name for name in rows if name.startswith("r00_")] == ["r00_5", "r00_10"]
    assert not partial.exists()


def test_resumed_run_says_what_the_earlier_one_met(edge_batch, models_dir, tmp_path):
    """Windows without a score stay known; the speed is that of this run alone."""
    begin_and_kill(models_dir, tmp_path)
    arguments = ("in", "--model", "tiny", "--out", "s.csv", "--resume", "--report", "r.json")
    done = edge_batch(*arguments)
    assert done.returncode == 0
    report = json.loads((tmp_path / "r.json").read_text())
    (stretch,) = report["unscored"]
    assert stretch["path"].endswith("r00.wav")
    assert (stretch["start_s"], stretch["state"]) == (5.0, "skipped")
    assert report["resumed_audio_s"] == pytest.approx(5.5, abs=0.01)
    assert report["audio_s"] == pytest.approx(605.5, abs=0.01)
    assert "audio: 10.0 min in " in done.stderr
    assert "0.1 min by the run that was resumed" in done.stderr


def test_resume_with_another_model_is_refused(edge_batch, models_dir, tmp_path):
    """Scores of two models are never mixed; the journal stays for the right one."""
    partial = begin_and_kill(models_dir, tmp_path)
    done = edge_batch("in", "--model", "other", "--out", "s.csv", "--resume")
    assert done.returncode == 2
    assert "belongs to another run: model was tiny@1" in done.stderr
    assert "remedy:" in done.stderr
    assert partial.exists()


def test_start_without_resume_keeps_the_unfinished_run_aside(edge_batch, models_dir, tmp_path):
    """Forgetting --resume loses nothing, and is said."""
    begin_and_kill(models_dir, tmp_path)
    done = edge_batch("in", "--model", "tiny", "--out", "s.csv")
    assert done.returncode == 0
    assert "it is kept as" in done.stderr
    assert (tmp_path / "s.csv.partial.1").exists()


def begin_and_kill(models_dir: Path, tmp_path: Path) -> Path:
    """Score one short recording and be killed in a long one; return the journal."""
    folder = tmp_path / "in"
    folder.mkdir()
    write_noise(folder / "r00.wav", seconds=5.5, seed=0)
    sparse_wav(folder / "r01.wav", seconds=600, rate_hz=RATE)
    process = start(
        models_dir, "in", "--model", "tiny", "--out", "s.csv", "--workers", 1, cwd=tmp_path
    )
    partial = tmp_path / "s.csv.partial"
    wait_for(lambda: partial.exists() and b'"file"' in partial.read_bytes())
    process.kill()
    process.communicate()
    return partial


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True

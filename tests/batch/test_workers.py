"""The processes that score."""

import contextlib
import json
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from batch_process import RATE, sparse_wav, start, wait_for, write_noise
from tiny_stsg import seal, write_tiny_stsg


def test_dead_worker_costs_one_recording(models_dir, tmp_path):
    """A process that dies is replaced; its recording is counted as failed with the signal."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(2):
        sparse_wav(folder / f"long{number}.wav", seconds=5400, rate_hz=RATE)
    for number in range(4):
        write_noise(folder / f"z{number}.wav", seconds=5, seed=number)
    arguments = (folder, "--model", "tiny", "--out", "s.csv", "--workers", 2, "--report", "r.json")
    process = start(models_dir, *arguments, cwd=tmp_path)
    wait_for(lambda: busy_workers_of(process.pid))
    os.kill(busy_workers_of(process.pid)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    report = json.loads((tmp_path / "r.json").read_text())
    (failure,) = report["failures"]
    assert Path(failure["path"]).name.startswith("long")
    assert "SIGKILL" in failure["reason"]
    assert "SIGKILL" in errors
    assert sum(report["scored"].values()) == 5


@pytest.mark.parametrize("workers", [1, 2])
def test_model_that_strays_from_its_golden_vector_is_refused(
    edge_batch, recordings, tmp_path, workers
):
    """A model that no longer computes what it did scores nothing, in whatever process."""
    folder = write_tiny_stsg(tmp_path / "strayed")
    golden = np.load(folder / "golden.npy")
    np.save(folder / "golden.npy", golden + np.float32(0.01))
    seal(folder, yaml.safe_load((folder / "model.yaml").read_text()))
    arguments = (recordings, "--model", folder, "--out", "s.csv", "--workers", workers)
    done = edge_batch(*arguments)
    assert done.returncode == 2
    assert "strays" in done.stderr
    assert "remedy:" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["strayed"]


def workers_of(process: int) -> list[int]:
    """List the worker processes of a process: its children but for Python's resource tracker."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [
        int(child)
        for child in children
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def busy_workers_of(process: int) -> list[int]:
    """List those of them that have a long recording open."""
    return [worker for worker in workers_of(process) if any(map(is_long, open_files_of(worker)))]


def open_files_of(process: int) -> list[str]:
    with contextlib.suppress(OSError):
        return [os.readlink(entry) for entry in Path(f"/proc/{process}/fd").iterdir()]
    return []


def is_long(path: str) -> bool:
    return Path(path).name.startswith("long")


def test_last_words_of_a_dead_worker_are_kept(models_dir, tmp_path):
    """What native code wrote to standard error before it died is part of the reason."""
    for number in range(2):
        sparse_wav(tmp_path / f"long{number}.wav", seconds=5400, rate_hz=RATE)
    arguments = (tmp_path, "--model", "tiny", "--out", "s.csv", "--workers", 2)
    process = start(models_dir, *arguments, "--report", "r.json", cwd=tmp_path)
    wait_for(lambda: busy_workers_of(process.pid))
    worker = busy_workers_of(process.pid)[0]
    os.kill(worker, signal.SIGSTOP)
    with open(f"/proc/{worker}/fd/2", "w") as words:
        words.write("INFO: all is well\nterminate called after throwing 'std::bad_alloc'\n")
    os.kill(worker, signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    (failure,) = json.loads((tmp_path / "r.json").read_text())["failures"]
    expected = "its last words: terminate called after throwing 'std::bad_alloc'"
    assert failure["reason"].endswith(expected)
    assert "INFO" not in errors


def test_what_a_worker_writes_is_shown_once_and_not_without_end(models_dir, tmp_path):
    """A native library that says something without end neither blocks nor floods anything."""
    for number in range(2):
        sparse_wav(tmp_path / f"long{number}.wav", seconds=5400, rate_hz=RATE)
    arguments = (tmp_path, "--model", "tiny", "--out", "s.csv", "--workers", 2)
    process = start(models_dir, *arguments, cwd=tmp_path)
    wait_for(lambda: busy_workers_of(process.pid))
    with open(f"/proc/{busy_workers_of(process.pid)[0]}/fd/2", "w") as words:
        words.writelines("W0000 a strange model\n" for _ in range(20_000))
        words.writelines(f"line {number}\n" for number in range(20_000))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert errors.count("W0000 a strange model\n") == 1
    assert "line 0\n" in errors
    assert errors.count("line ") == 19


def test_decoders_mutter_nothing_into_the_output(edge_batch, tmp_path):
    """What is off in an MP3 file is said once, by its note."""
    rng = np.random.default_rng(1)
    for number in range(2):
        path = tmp_path / f"{number}.mp3"
        soundfile.write(path, rng.standard_normal(RATE * 20) * 0.1, RATE)
        content = bytearray(path.read_bytes())
        content[5000:30_000] = rng.integers(0, 256, 25_000, dtype=np.uint8).tobytes()
        path.write_bytes(content)
    done = edge_batch(tmp_path, "--model", "tiny", "--out", "s.csv", "--workers", 2)
    for number in range(2):
        assert re.search(rf"{number}\.mp3: (truncated|\w+ decoder errors?)", done.stderr)
    assert "mpg123" not in done.stderr
    assert "Note:" not in done.stderr

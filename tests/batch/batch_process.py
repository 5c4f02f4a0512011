"""`edge-batch` as a process, recordings for it, and the table that it writes."""

import csv
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import soundfile

RATE = 32_000
"""Hz, of most recordings."""


def write_noise(path: Path, *, seconds: float, seed: int, rate_hz: int = RATE) -> Path:
    """Write noise whose colour changes from second to second."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(max(1, round(seconds))):
        time_s = np.arange(round(rate_hz * seconds / max(1, round(seconds)))) / rate_hz
        tone = np.sin(2 * np.pi * rng.uniform(300, 3000) * time_s)
        parts.append(0.2 * tone + rng.standard_normal(len(time_s)) * rng.uniform(0.001, 0.1))
    soundfile.write(path, np.concatenate(parts).clip(-1, 1), rate_hz)
    return path


def start(models_dir: Path, *arguments: object, **options: object) -> "subprocess.Popen[str]":
    """Start `edge-batch` as a process of its own."""
    models = [] if "--models-dir" in arguments else ["--models-dir", str(models_dir)]
    return subprocess.Popen(
        [sys.executable, "-m", "edge.batch", *map(str, arguments), *models],
        **{"stderr": subprocess.PIPE, **options},
        text=True,
        errors="surrogateescape",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )


def table(path: Path) -> tuple[list[str], dict[str, list[float]]]:
    """Read the columns, and the rows by their ids."""
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header[0] == "row_id"
    assert all(len(row) == len(header) for row in rows)
    return header[1:], {row[0]: [float(cell) for cell in row[1:]] for row in rows}


def sparse_wav(path: Path, *, seconds: int, rate_hz: int) -> None:
    """Write silence that takes no room on the disk."""
    size = seconds * rate_hz * 2
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate_hz, 2 * rate_hz, 2, 16)
    data = struct.pack("<4sI", b"data", size)
    with path.open("wb") as file:
        file.write(struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE") + form + data)
        file.truncate(44 + size)


def wait_for(what, *, seconds: float = 30.0) -> None:
    end_s = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end_s, "it did not happen"
        time.sleep(0.01)

"""`edge-batch` as a process, and recordings for it."""

import os
import subprocess
import sys
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

"""Models and recordings for tests of `edge-batch`, and the command itself."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_stsg import write_tiny_stsg

RATE = 32_000


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory) -> Path:
    """`tiny`, `other` (same labels, other numbers) and `quick` (other labels, for step-down)."""
    folder = tmp_path_factory.mktemp("models")
    write_tiny_stsg(folder / "tiny", fallback="quick")
    write_tiny_stsg(folder / "other", seed=2)
    write_tiny_stsg(folder / "quick", seed=3, labels=("wren", "owl", "newt"))
    return folder


@pytest.fixture(scope="session")
def recordings(tmp_path_factory) -> Path:
    """Six recordings of 12 to 17 seconds."""
    folder = tmp_path_factory.mktemp("recordings")
    for number in range(6):
        write_noise(folder / f"rec_{number:02d}.flac", seconds=12 + number, seed=number)
    return folder


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


Command = Callable[..., "subprocess.CompletedProcess[str]"]


def start(models_dir: Path, *arguments: object, **options: object) -> "subprocess.Popen[str]":
    """Start `edge-batch` as a process of its own."""
    models = [] if "--models-dir" in arguments else ["--models-dir", str(models_dir)]
    return subprocess.Popen(
        [sys.executable, "-m", "edge.batch", *map(os.fspath, map(_text, arguments)), *models],
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        **options,
    )


def _text(argument: object) -> str:
    return argument if isinstance(argument, str) else os.fspath(argument)  # type: ignore[arg-type]


@pytest.fixture
def edge_batch(models_dir, tmp_path) -> Command:
    """Run `edge-batch` in an empty folder and wait for its end."""

    def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
        process = start(models_dir, *arguments, cwd=tmp_path)
        _, errors = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, "", errors)

    return run

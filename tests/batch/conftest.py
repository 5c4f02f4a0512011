"""Models and recordings for tests of `edge-batch`, and the command itself."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from batch_process import start, write_noise
from tiny_stsg import write_tiny_stsg


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


Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def edge_batch(models_dir, tmp_path) -> Command:
    """Run `edge-batch` in an empty folder and wait for its end."""

    def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
        process = start(models_dir, *arguments, cwd=tmp_path)
        _, errors = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, "", errors)

    return run

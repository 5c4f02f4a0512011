"""Clips that the small clip model tells apart, for tests of models of one's own."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile
from tiny_clip import EMBEDDING, RATE_HZ, write_tiny_clip
from tiny_training import environment

LABELS = ("frog", "käuzchen, klein", "wren")


def call_of(label: str, *, seconds: float, take: int) -> np.ndarray:
    """A label's own pattern, which repeats every half second, in a noise of the take's own."""
    pattern = np.random.default_rng(sum(label.encode())).choice([-0.3, 0.3], RATE_HZ // 2)
    samples = round(seconds * RATE_HZ)
    noise = np.random.default_rng([take, *label.encode()]).normal(0, 0.08, samples)
    return np.resize(pattern, samples) + noise


def write_calls(
    folder: Path, *, labels: Iterable[str] = LABELS, clips: int = 6, seconds: float = 12.0
) -> Path:
    """Write `label/rNN.wav`; those of `background` hold noise alone. Return the folder."""
    for label in labels:
        (folder / label).mkdir(parents=True)
        for take in range(clips):
            write_call(folder / label / f"r{take:02d}.wav", label, take=take, seconds=seconds)
    return folder


def write_call(path: Path, label: str, *, take: int, seconds: float = 12.0) -> Path:
    """Write one clip."""
    if label == "background":
        noise = np.random.default_rng([take, 1]).normal(0, 0.1, round(seconds * RATE_HZ))
        soundfile.write(path, noise, RATE_HZ, "PCM_16")
    else:
        soundfile.write(path, call_of(label, seconds=seconds, take=take), RATE_HZ, "PCM_16")
    return path


def write_base(place: Path, *, backend: str = "tflite", embedding: int = EMBEDDING) -> Path:
    """Write the small clip model; return its folder."""
    folder = place / "tiny-base"
    write_tiny_clip(folder, backend=backend, embedding=embedding)
    return folder


COLUMNS = 'row_id,frog,"käuzchen, klein",wren'
"""The heading of scores by a model of these calls."""


def run_module(*arguments: object, cache: Path) -> None:
    """Run a program of the project; it must end well."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        env=environment(cache),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def batch_heading(wav: Path, model: Path, *, cache: Path, rows: int) -> str:
    """Score a recording by `edge-batch` into so many rows; return the heading of the table."""
    table = wav.with_suffix(".csv")
    run_module("edge.batch", wav, "--model", model, "--out", table, "--quiet", cache=cache)
    heading, *scores = table.read_text("utf-8").splitlines()
    assert len(scores) == rows
    return heading

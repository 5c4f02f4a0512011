"""A few seconds of training: a small recipe over a folder of tones."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

REPOSITORY = Path(__file__).resolve().parents[2]

RECIPE = """\
name: tiny
version: "1"
licence: {name: CC0-1.0, commercial_use: true}
source: tones
recording: ^(r\\d+)
features: {mel_bands: 32}
tokens: {dims: 4, count: 24, iterations: 4}
word2vec: {vector_size: 8, window: 4, sample: 0.0, epochs: 3}
head: {hidden: 64, max_epochs: 30, learning_rate: 0.01}
"""


def write_recipe(folder: Path, text: str = RECIPE) -> Path:
    """Write a recipe; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny.yaml"
    path.write_text(text, "utf-8")
    return path


def write_clips(folder: Path, *, clips: int = 5, labels: int = 3, seconds: float = 5.0) -> Path:
    """Write `label/rNN.wav`, tones of a label's own pitch in noise; return the folder."""
    generator = np.random.Generator(np.random.PCG64(7))
    for label in range(labels):
        place = folder / f"tone-{label}"
        place.mkdir(parents=True)
        for clip in range(clips):
            time_s = np.arange(round(seconds * 16_000)) / 16_000
            tone = np.sin(2 * np.pi * (400.0 * 3**label + 20.0 * clip) * time_s)
            noise = generator.uniform(-1, 1, len(time_s))
            samples = 0.2 * tone * (np.sin(time_s * 5.0) > 0) + 0.02 * noise
            soundfile.write(place / f"r{10 * label + clip:02d}.wav", samples, 16_000, "PCM_16")
    return folder


def write_loud(path: Path, loudest: float) -> Path:
    """Write 5 s of a tone whose largest sample is `loudest`, as 32-bit floats."""
    tone = np.sin(2 * np.pi * 440.0 * np.arange(80_000) / 16_000)
    samples = np.clip(tone * 2.0 * min(loudest, 1e38), -loudest, loudest).astype(np.float32)
    samples[40_000] = loudest
    soundfile.write(path, samples, 16_000, "FLOAT")
    return path


def shown_commands(card: Path) -> list[list[str]]:
    """Return the arguments of each `edge-build` command that a model card gives."""
    blocks = card.read_text("utf-8").replace("\\\n", "").split("```\n")
    return [shlex.split(text)[1:] for text in blocks if text.startswith("edge-build ")]


def environment(cache: Path, **more: str) -> dict[str, str]:
    """Return an environment in which a subprocess finds both packages and its own cache."""
    paths = [str(REPOSITORY), str(REPOSITORY / "build"), *filter(None, sys.path)]
    return {
        **{name: value for name, value in os.environ.items() if name != "EDGE_BUILD_PINNED"},
        "PYTHONPATH": os.pathsep.join(paths),
        "EDGE_BUILD_CACHE": str(cache),
        **more,
    }


def run_edge_build(
    *arguments: object, cache: Path, cwd: Path | None = None, **more: str
) -> "subprocess.CompletedProcess[str]":
    """Run `edge-build` to its end in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "edge_build", *map(str, arguments)],
        env=environment(cache, **more),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def wait_for(happened: Callable[[], bool], *, seconds: float = 60.0) -> None:
    """Return when it has happened; fail when it does not."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"nothing for {seconds:g} s"
        time.sleep(0.002)


def contents(folder: Path) -> dict[str, bytes]:
    """Read every file of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}

"""The sound the benchmarks work on: one-minute OGG files, made here.

Two kinds: of the synthesiser, whose noise has little structure and is the hardest case for the
search of the nearest centroid, and of field recordings, where the real audio is at hand (see
tests/conftest.py).
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile
from benchmarks.full_model import write_full_model
from benchmarks.timing import PLACE, REPOSITORY

from edge.contracts import FloatArray
from edge.stsg.spec import Normalisation
from edge_build.frames import stream_samples
from edge_build.synth import render_recording

DATA = Path(os.environ.get("EDGE_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
RATE_HZ = 32_000
SEED = 20250905
SYNTHETIC_MINUTES = 30
SYNTHETIC_CODEBOOK_MINUTES = 180


@dataclass(frozen=True)
class Material:
    """Where one kind of sound and its model are."""

    kind: str
    """What is heard, and how its frames are normalised."""
    many: Path
    """A folder of one-minute, 32 kHz OGG files, for quick models."""
    few: Path
    """The same, fewer, for slow ones."""
    model: Path
    """An STSG folder with 16 384 centroids of 128 dimensions and 1024-d vectors."""
    quick: bool
    """Whether it is for a smoke test only."""

    @property
    def pairs(self) -> int:
        """How often two commands are compared."""
        return 1 if self.quick else 3

    @staticmethod
    def make(kind: str, normalisation: str, *, quick: bool) -> "Material | None":
        """Make what is missing below .bench/; None where the real audio is not at hand."""
        if kind == "field" and not (DATA / "recorder-day").is_dir():
            return None
        place = PLACE / kind
        return Material(
            f"{kind}, {'dB frames' if normalisation == 'none' else 'normalised frames'}",
            _files(place / ("few" if quick else "many"), kind, 10 if quick else 300),
            _files(place / ("two" if quick else "some"), kind, 2 if quick else 24),
            write_full_model(
                place / f"stsg-full-{normalisation}",
                lambda: _codebook_minutes(kind),
                normalisation=Normalisation(normalisation),
            ),
            quick,
        )


def _files(folder: Path, kind: str, count: int) -> Path:
    """Write minutes as OGG files, again from the first where there are too few."""
    done = folder / ".done"
    if done.exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    distinct = list(islice(_scored_minutes(kind), count))
    for number in range(count):
        path = folder / f"BENCH_{number:04d}.ogg"
        if number < len(distinct):
            # libsndfile overruns its stack on long Vorbis writes: a second at a time is safe.
            with soundfile.SoundFile(path, "w", RATE_HZ, 1) as file:
                for second in np.array_split(distinct[number], 60):
                    file.write(second)
        else:
            shutil.copyfile(folder / f"BENCH_{number % len(distinct):04d}.ogg", path)
    done.touch()
    return folder


def _scored_minutes(kind: str) -> Iterator[FloatArray]:
    if kind == "synthetic":
        for number in range(SYNTHETIC_MINUTES):
            yield render_recording(SEED + number).samples
        return
    day = sorted((DATA / "recorder-day").glob("*.wav"))
    names = ("1min.wav", "aru_1.wav", "XC563936.mp3", "Pica_pica_30s.wav", "spinetail.wav")
    yield from _minutes([*day[len(day) // 2 :], *(DATA / "soundscapes" / name for name in names)])


def _codebook_minutes(kind: str) -> Iterator[FloatArray]:
    """Other sound of the same kind, to fit the codebook to."""
    if kind == "synthetic":
        for number in range(SYNTHETIC_CODEBOOK_MINUTES):
            yield render_recording(SEED + 10_000 + number).samples
        return
    day = sorted((DATA / "recorder-day").glob("*.wav"))
    clips = [*(DATA / "esc10").glob("*/*.ogg"), *(DATA / "frogs").glob("*/*.[mw][pa][3v]")]
    yield from _minutes([*day[: len(day) // 2], *sorted(clips)])


def _minutes(paths: Sequence[Path]) -> Iterator[FloatArray]:
    """Join files and cut them into minutes [shape=(60 * RATE_HZ,)], without the rest."""
    minute = 60 * RATE_HZ
    held = np.empty(0, dtype=np.float32)
    for path in paths:
        held = np.concatenate([held, *stream_samples(path, sample_rate_hz=RATE_HZ)])
        while len(held) >= minute:
            yield held[:minute]
            held = held[minute:]

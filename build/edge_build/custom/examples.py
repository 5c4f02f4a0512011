"""From labelled clips to a base's embeddings of their windows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.contracts import (
    FRAME_SECONDS,
    AudioBlock,
    FloatArray,
    Model,
    Prediction,
    WindowKind,
)
from edge.errors import AudioError
from edge.model.manifest import Manifest
from edge.pipeline import score
from edge.sources.file import AudioFile
from edge_build.cache import Cache, key_of
from edge_build.custom.windows import MOST_WINDOWS, cut_windows, energies, loudest_windows
from edge_build.custom.windows import start_seconds as seconds_of
from edge_build.dataset import BACKGROUND, Clip
from edge_build.frames import stream_samples, try_each
from edge_build.pinned import library_versions, pinning


class Cut(StrEnum):
    """Which windows of a file are looked at."""

    LOUDEST = "loudest"
    """Some, of a clip that was cut out for its label."""
    EVERY = "every"
    """All, one after the other, of a recording whose labels have times."""


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """One row for each window."""

    embeddings: FloatArray
    """[shape=(n, size)]"""
    truth: NDArray[np.bool_]
    """Which labels a window holds [shape=(n, n_labels)]."""
    clips: NDArray[np.intp]
    """Number of the clip it is of [shape=(n,)]."""
    recordings: tuple[str, ...]
    """Of each window."""
    labels: tuple[str, ...]
    marked: bool = False
    """Whether labels have times, so that the windows of one file differ in what they hold."""

    def part(self, rows: NDArray[np.intp]) -> "Examples":
        """Take some of the rows."""
        return Examples(
            self.embeddings[rows],
            self.truth[rows],
            self.clips[rows],
            tuple(self.recordings[row] for row in rows),
            self.labels,
            self.marked,
        )

    @property
    def classes(self) -> NDArray[np.intp]:
        """The rarest label of each window, `n_labels` for one without any [shape=(n,)]."""
        counts = self.truth.sum(axis=0)
        ranked = np.where(self.truth, counts, np.inf)
        return np.where(self.truth.any(axis=1), ranked.argmin(axis=1), len(self.labels))

    @property
    def strata(self) -> NDArray[np.intp]:
        """The class that each window's recording counts for when recordings are dealt [shape=(n,)].

        That of the window itself, or, where labels have times, the rarest of its recording.
        """
        if not self.marked:
            return self.classes
        names, numbers = np.unique(np.array(self.recordings), return_inverse=True)
        held = np.zeros((len(names), len(self.labels)), dtype=np.bool_)
        np.logical_or.at(held, numbers, self.truth)
        ranked = np.where(held, self.truth.sum(axis=0), np.inf)
        rarest = np.where(held.any(axis=1), ranked.argmin(axis=1), len(self.labels))
        return np.asarray(rarest[numbers], dtype=np.intp)

    def recordings_of(self, label: int) -> int:
        """Count the recordings that hold a label."""
        return len({self.recordings[row] for row in np.flatnonzero(self.truth[:, label])})


class EmbeddingStore:
    """A base's embeddings of windows of clips, kept by content.

    Args:
        model: The loaded base, which shows embeddings.
        manifest: What it says of itself.
        cache: Keeps them.
        cut: Which windows.
    """

    def __init__(
        self, model: Model, manifest: Manifest, cache: Cache, *, cut: Cut = Cut.LOUDEST
    ) -> None:
        self._model = model
        self._cache = cache
        self._cut = cut
        # A head that the base has itself does not bear on its embeddings.
        files = {k: v.sha256 for k, v in manifest.files.items() if k in _BEAR_ON_EMBEDDINGS}
        self._key = [
            files,
            msgspec.to_builtins([manifest.backend, manifest.input, manifest.output, manifest.stsg]),
            [MOST_WINDOWS, _RULE] if cut is Cut.LOUDEST else [_EVERY_RULE],
            pinning(),
            {name: library_versions()[name] for name in ("numpy", "soxr")},
        ]
        self._paths: dict[str, Path] = {}

    def add(self, clips: Sequence[Clip]) -> tuple[list[Clip], list[str]]:
        """Compute the embeddings of clips that have none yet.

        Returns:
            good: The clips that have some now.
            bad: Why each of the others was left out, a line each.
        """

        def compute(clip: Clip) -> None:
            key = key_of("windows", clip.sha256, self._key)
            self._paths[clip.sha256] = self._cache.get(
                "windows", key, ".npz", partial(self._write, clip)
            )

        return try_each(clips, compute, task=f"embeddings of {self._model.info.name}")

    def windows(self, clip: Clip) -> tuple[FloatArray, FloatArray]:
        """Return a clip's windows: starts in seconds [shape=(n,)], embeddings [shape=(n, size)]."""
        with np.load(self._paths[clip.sha256], allow_pickle=False) as kept:
            return kept["starts"], kept["embeddings"]

    def length_s(self, clip: Clip) -> float:
        """Return how long a clip is, in seconds, where every window is looked at."""
        with np.load(self._paths[clip.sha256], allow_pickle=False) as kept:
            return float(kept["length_s"])

    def _write(self, clip: Clip, path: Path) -> None:
        if self._cut is Cut.EVERY:
            self._write_every(clip, path)
        else:
            self._write_loudest(clip, path)

    def _write_every(self, clip: Clip, path: Path) -> None:
        with AudioFile(clip.path) as file:
            outcomes = list(score(file, self._model, keep_embeddings=True))
            length_s = file.seconds
        heard = [
            (outcome.window.start_s, outcome.embedding)
            for outcome in outcomes
            if isinstance(outcome, Prediction)
            and outcome.embedding is not None
            and np.isfinite(outcome.embedding).all()
        ]
        if not heard:
            raise AudioError(f"{clip.path}: {self._model.info.name} has no embedding of it")
        with path.open("wb") as kept:
            np.savez(
                kept,
                starts=np.array([start_s for start_s, _ in heard], dtype=np.float32),
                embeddings=np.stack([embedding for _, embedding in heard]),
                length_s=np.array(length_s),
            )

    def _write_loudest(self, clip: Clip, path: Path) -> None:
        rate_hz = self._model.info.sample_rate_hz
        samples = partial(stream_samples, clip.path, sample_rate_hz=rate_hz)
        starts = loudest_windows(energies(samples(), sample_rate_hz=rate_hz))
        if not starts:
            raise AudioError(f"{clip.path}: holds silence alone")
        rows = list(self._embed(clip, samples(), starts))
        with path.open("wb") as file:
            np.savez(
                file,
                starts=np.array([seconds_of(start) for start in starts], dtype=np.float32),
                embeddings=np.stack(rows),
            )

    def _embed(
        self, clip: Clip, blocks: Iterator[FloatArray], starts: Sequence[int]
    ) -> Iterator[FloatArray]:
        info = self._model.info
        cut = cut_windows(
            blocks,
            starts,
            sample_rate_hz=info.sample_rate_hz,
            after_s=min(info.clip_seconds, FRAME_SECONDS),
        )
        for samples in cut:
            stream = self._model.open(windows=WindowKind.FRAME, keep_embeddings=True)
            block = AudioBlock(clip.name, 0, info.sample_rate_hz, samples)
            first = [*stream.push(block), *stream.finish()][0]
            stream.close()
            if not isinstance(first, Prediction) or first.embedding is None:
                raise AudioError(f"{clip.path}: {info.name} predicts no window of it")
            if not np.isfinite(first.embedding).all():
                raise AudioError(f"{clip.path}: {info.name} finds no finite embedding of it")
            yield first.embedding


def examples_of(clips: Sequence[Clip], store: EmbeddingStore) -> Examples:
    """Give each window of each clip its clip's label; clips of `background` have none.

    Args:
        clips: Usable clips, with labels.
        store: Has their embeddings.
    """
    labels = tuple(sorted({clip.label for clip in clips if clip.label} - {BACKGROUND}))
    rows, truth, numbers = [], [], []
    for number, clip in enumerate(clips):
        _, embeddings = store.windows(clip)
        rows.append(embeddings)
        truth += [[clip.label == label for label in labels]] * len(embeddings)
        numbers += [number] * len(embeddings)
    return Examples(
        np.concatenate(rows),
        np.array(truth, dtype=np.bool_),
        np.array(numbers, dtype=np.intp),
        tuple(clips[number].recording for number in numbers),
        labels,
    )


_BEAR_ON_EMBEDDINGS = ("model", "codebook", "vectors")
_RULE = "half seconds, 10 dB"
"""Stands for how windows are chosen: another rule needs another text."""
_EVERY_RULE = "every 5 s"

"""What a teacher says of each 5 s window, and what of it is to be learnt."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.contracts import AudioBlock, FloatArray, Model, Outcome, Prediction
from edge.errors import AudioError
from edge.model.manifest import Manifest
from edge_build.cache import Cache, key_of
from edge_build.dataset import Clip
from edge_build.frames import stream_samples, try_each
from edge_build.pinned import library_versions, pinning


class TeacherStore:
    """A model's scores of the 5 s windows of clips, kept by content.

    Args:
        model: The loaded teacher.
        manifest: What it says of itself.
        cache: Keeps the scores.
    """

    def __init__(self, model: Model, manifest: Manifest, cache: Cache) -> None:
        self._model = model
        self._cache = cache
        parts = [manifest.backend, manifest.input, manifest.output, manifest.stsg]
        self._key = [
            {key: entry.sha256 for key, entry in manifest.files.items()},
            msgspec.to_builtins([*parts, manifest.aggregate]),
            pinning(),
            {name: library_versions()[name] for name in ("numpy", "soxr")},
            {name: _version(name) for name in _RUNTIMES},
        ]
        self._paths: dict[str, Path] = {}

    def add(self, clips: Sequence[Clip]) -> tuple[list[Clip], list[str]]:
        """Let the teacher hear clips that it has not heard yet.

        Returns:
            good: The clips that have scores now.
            bad: Why each of the others was left out, a line each.
        """

        def compute(clip: Clip) -> None:
            key = key_of("teacher", clip.sha256, self._key)
            self._paths[clip.sha256] = self._cache.get(
                "teacher", key, ".npy", partial(self._write, clip)
            )

        return try_each(clips, compute, task=f"scores of {self._model.info.name}")

    def scores(self, clip: Clip) -> FloatArray:
        """Return probabilities of a clip's windows [shape=(n, n_labels)], memory-mapped."""
        return np.asanyarray(np.load(self._paths[clip.sha256], mmap_mode="r", allow_pickle=False))

    def _write(self, clip: Clip, path: Path) -> None:
        info = self._model.info
        stream = self._model.open()
        outcomes: list[Outcome] = []
        end = 0
        for samples in stream_samples(clip.path, sample_rate_hz=info.sample_rate_hz):
            outcomes += stream.push(AudioBlock(clip.name, end, info.sample_rate_hz, samples))
            end += len(samples)
        outcomes += stream.finish()
        stream.close()
        rows = [outcome.scores for outcome in outcomes if isinstance(outcome, Prediction)]
        if len(rows) < len(outcomes) or not np.isfinite(rows).all():
            raise AudioError(f"{clip.path}: {info.name} has no scores of some of it")
        with path.open("wb") as file:
            np.save(file, np.stack(rows))


@dataclass(frozen=True, slots=True, eq=False)
class Curriculum:
    """Which of a teacher's labels are learnt, and how its scores are meant."""

    labels: tuple[str, ...]
    columns: NDArray[np.intp]
    """Their numbers among the teacher's labels, ascending [shape=(n_labels,)]."""
    exclusive: bool
    """Whether the teacher's scores of a window are one distribution over its labels; otherwise
    each label is there or not on its own."""
    rest: bool
    """Whether there is one output more, for all other labels of a distribution."""

    @property
    def outputs(self) -> int:
        """Outputs of the student's net: the labels, and perhaps the rest."""
        return len(self.labels) + self.rest

    def targets(self, scores: FloatArray) -> FloatArray:
        """Take from all scores [shape=(n, ...)] those to be learnt [shape=(n, outputs)]."""
        chosen = np.asarray(scores[:, self.columns], dtype=np.float32)
        if not self.rest:
            return chosen
        others = np.maximum(1.0 - chosen.sum(axis=1, keepdims=True, dtype=np.float64), 0.0)
        return np.concatenate([chosen, others.astype(np.float32)], axis=1)

    def logits(self, targets: FloatArray) -> FloatArray:
        """Return logits of probabilities, as if no score were nearer to 0 or 1 than float32."""
        found = np.clip(targets, np.float32(_LEAST), np.float32(1.0 - _LEAST))
        logits = np.log(found)
        if not self.exclusive:
            logits -= np.log1p(-found)
        return np.asarray(logits, dtype=np.float32)


def choose_labels(labels: Sequence[str], scores: Sequence[FloatArray], *, most: int) -> Curriculum:
    """Choose what is learnt of a teacher.

    Its scores are a distribution where they add up to 1 in every window: that holds whatever made
    them, a model's own activation or a head.

    Args:
        labels: All of the teacher's.
        scores: Its probabilities of each clip of the training [shape=(windows, all labels)].
        most: How many labels at most: those with the highest score anywhere; 0 for all.
    """
    sums = np.concatenate([part.sum(axis=1, dtype=np.float64) for part in scores])
    exclusive = len(labels) > 1 and bool(np.abs(sums - 1.0).max() < _NEAR_ONE)
    highest = np.max([part.max(axis=0) for part in scores], axis=0)
    order = np.argsort(-highest, kind="stable")
    columns = np.sort(order[: most or None])
    return Curriculum(
        tuple(labels[i] for i in columns),
        columns,
        exclusive,
        exclusive and len(columns) < len(labels),
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


_RUNTIMES = ("ai-edge-litert", "tflite-runtime", "onnxruntime", "faiss-cpu")
_NEAR_ONE = 1e-3
_LEAST = 1e-7

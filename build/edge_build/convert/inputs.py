"""What the ONNX graphs of a model are given when it hears real audio, and how long they take."""

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.backends import onnx, stsg
from edge.contracts import FloatArray, Model, Prediction
from edge.errors import AudioError, InputError
from edge.load import open_model
from edge.model.clip_model import ClipGraph, ClipModel, fit_input
from edge.model.folder import ModelFolder
from edge.model.head import OnnxHead
from edge.model.onnx_session import open_session
from edge.pipeline import score
from edge.sources.file import AudioFile
from edge.stsg.codebook import TokenArray
from edge_build.dataset import Clip

MOST_INPUTS = 256
"""Runs of a graph that are kept: enough for the ranges of its values."""

Feed = dict[str, NDArray[Any]]
"""The inputs of one run, by name."""


def given_inputs(
    folder: ModelFolder, keys: Sequence[str], clips: Sequence[Clip]
) -> dict[str, list[Feed]]:
    """Let a model hear clips, and keep what its graphs are given.

    Args:
        folder: The verified folder.
        keys: Of its ONNX graphs in `files`: `head`, `model`.
        clips: Heard in order until enough is kept; those that cannot be read are passed over.

    Returns:
        The inputs of up to `MOST_INPUTS` runs of each graph.

    Raises:
        InputError: The clips hold no window.
    """
    rows: dict[str, list[NDArray[Any]]] = {key: [] for key in keys}
    model = _listening(folder, rows)
    by_embedding = "head" in rows and folder.manifest.backend != "stsg"
    for clip in clips:
        if all(len(kept) >= MOST_INPUTS for kept in rows.values()):
            break
        for prediction in _predictions(model, clip, keep_embeddings=by_embedding):
            if by_embedding and prediction.embedding is not None:
                rows["head"].append(prediction.embedding)
    model.close()
    if not all(rows.values()):
        raise InputError(
            "--data: holds no window that the model can score",
            remedy="name a folder of recordings of 5 s or more",
        )
    return {key: _feeds(folder, key, kept[:MOST_INPUTS]) for key, kept in rows.items()}


def run_seconds(graphs: tuple[Path, Path], feeds: Sequence[Feed]) -> tuple[float, float]:
    """Measure what one run of two ONNX graphs takes: CPU time, turn by turn, in seconds.

    Args:
        graphs: Two files with the same inputs.
        feeds: Inputs.

    Returns:
        The median over several rounds, for each graph.
    """
    sessions = [open_session(path) for path in graphs]
    feeds = feeds[:_TIMED]
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(_ROUNDS + 1):
        for which in (0, 1) if number % 2 else (1, 0):
            begun = time.process_time()
            for feed in feeds:
                sessions[which].run(None, feed)
            # The first round fills the caches.
            if number:
                taken[which].append((time.process_time() - begun) / len(feeds))
        if number >= _LEAST_ROUNDS and sum(map(sum, taken)) * len(feeds) > _LONG_ENOUGH_S:
            break
    return statistics.median(taken[0]), statistics.median(taken[1])


class _ListeningHead(OnnxHead):
    """A head that keeps what it is given."""

    def __init__(self, path: Path, kept: list[NDArray[Any]]) -> None:
        super().__init__(path)
        self._kept = kept

    def __call__(self, taken: FloatArray | TokenArray) -> FloatArray:
        if len(self._kept) < MOST_INPUTS:
            self._kept.append(taken.copy())
        return super().__call__(taken)


class _ListeningGraph:
    """A `ClipGraph` that keeps the clips it is given."""

    def __init__(self, graph: ClipGraph, kept: list[NDArray[Any]]) -> None:
        self._graph = graph
        self._kept = kept
        self.scores_size = graph.scores_size
        self.embedding_sizes = graph.embedding_sizes

    def run(
        self, clip: FloatArray, *, scores: bool, embedding: bool
    ) -> tuple[FloatArray | None, FloatArray | None]:
        if len(self._kept) < MOST_INPUTS:
            self._kept.append(clip.copy())
        return self._graph.run(clip, scores=scores, embedding=embedding)

    def close(self) -> None:
        self._graph.close()


def _listening(folder: ModelFolder, rows: Mapping[str, list[NDArray[Any]]]) -> Model:
    if "model" in rows:
        return ClipModel(folder, _ListeningGraph(onnx.OnnxGraph(folder), rows["model"]))
    if folder.manifest.backend == "stsg":
        model = stsg.load(folder)
        model.head = _ListeningHead(folder.file("head"), rows["head"])
        return model
    return open_model(folder)


def _predictions(model: Model, clip: Clip, *, keep_embeddings: bool) -> Iterator[Prediction]:
    try:
        with AudioFile(clip.path) as file:
            for outcome in score(file, model, keep_embeddings=keep_embeddings):
                if isinstance(outcome, Prediction):
                    yield outcome
    except AudioError:
        # The comparison, which hears all clips, says which ones are bad.
        return


def _feeds(folder: ModelFolder, key: str, rows: Sequence[NDArray[Any]]) -> list[Feed]:
    """Shape what a graph was given as its one input wants it."""
    (given,) = open_session(folder.file(key)).get_inputs()
    kind = np.int64 if given.type == "tensor(int64)" else np.float32
    shape: tuple[int, ...] = (1, len(rows[0]))
    if key == "model":
        axes = [axis if isinstance(axis, int) else None for axis in given.shape]
        shape = fit_input(folder, given.name, axes)
    return [{given.name: row.reshape(shape).astype(kind)} for row in rows]


_TIMED = 64
_ROUNDS = 15
_LEAST_ROUNDS = 3
_LONG_ENOUGH_S = 5.0

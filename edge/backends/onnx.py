"""Runs ONNX models of fixed clips, by onnxruntime."""

import difflib
from typing import Any

import numpy as np

from edge.contracts import FloatArray
from edge.errors import ModelError
from edge.model.clip_model import ClipModel, check_inputs, fit_input
from edge.model.folder import ModelFolder
from edge.model.onnx_graph import nodes_of
from edge.model.onnx_session import open_session, width_of
from edge.windows.tensor_pool import TensorPool, channel_axis, pool_tensor


def load(folder: ModelFolder) -> ClipModel:
    """Load `model` of a verified folder.

    Raises:
        ModelError: The manifest does not describe the model.
    """
    return ClipModel(folder, OnnxGraph(folder))


class OnnxGraph:
    """An ONNX file in a session; a `ClipGraph`.

    Args:
        folder: The verified folder.

    Raises:
        ModelError: The manifest does not describe the model.
    """

    def __init__(self, folder: ModelFolder) -> None:
        self._folder = folder
        self._path = folder.file("model")
        said = folder.manifest.output
        self._session: Any = self._open()
        outputs = [argument.name for argument in self._session.get_outputs()]
        inner = [name for name in said.embeddings if isinstance(name, str) and name not in outputs]
        if inner:
            self._session = None
            self._session = self._open(*map(self._inner, inner))
        self._input, self._input_shape = self._fit_input()
        self._scores = self._output("scores", said.scores)
        self._embedding = [self._output("embedding", wanted) for wanted in said.embeddings]
        self._pools = [said.pool_of(_axes(argument)) for argument in self._embedding]
        self.scores_size = None if self._scores is None else self._width("scores", self._scores)
        self.embedding_sizes = tuple(
            self._width("embedding", argument, pool)
            for argument, pool in zip(self._embedding, self._pools, strict=True)
        )

    def run(
        self, clip: FloatArray, *, scores: bool, embedding: bool
    ) -> tuple[FloatArray | None, FloatArray | None]:
        """Run one clip; see `ClipGraph.run`."""
        parts = self._embedding if embedding else []
        first = [] if self._scores is None or not scores else [self._scores]
        names = [argument.name for argument in (*first, *parts)]
        given = self._session.run(names, {self._input: clip.reshape(self._input_shape)})
        rows = [
            pool_tensor(values, pool)
            for values, pool in zip(given[len(first) :], self._pools if parts else [], strict=True)
        ]
        return (
            pool_tensor(given[0], None) if first else None,
            np.concatenate(rows) if rows else None,
        )

    def close(self) -> None:
        """Free the session."""
        self._session = None

    def _open(self, *also: str) -> Any:
        try:
            return open_session(self._path, also=also)
        except ValueError as reason:
            raise self._unusable(reason) from None

    def _inner(self, wanted: str) -> str:
        """Make sure that a node makes the value that `output.embedding` names."""
        try:
            nodes = nodes_of(self._path.read_bytes())
        except ValueError as reason:
            raise self._unusable(reason) from None
        made = [name for node in nodes for name in node.outputs if name]
        if wanted not in made:
            close = difflib.get_close_matches(wanted, made, n=3, cutoff=0.3) or made[-3:]
            raise self._folder.error(
                "output.embedding",
                f"no value of {self._path.name} is called {wanted!r}",
                remedy=f"name a value of the model, such as {', '.join(close)}",
            )
        return wanted

    def _unusable(self, reason: Exception) -> ModelError:
        return self._folder.error(
            "files.model", str(reason), remedy="restore the file, or export the model again"
        )

    def _fit_input(self) -> tuple[str, tuple[int, ...]]:
        """Find the input and check that it takes a clip."""
        arguments = self._session.get_inputs()
        check_inputs(self._folder, [argument.name for argument in arguments])
        (argument,) = arguments
        if argument.type != "tensor(float)":
            raise self._folder.error(
                "files.model",
                f"input {argument.name!r} is {argument.type}, not float32",
                remedy="export the model with an input of float32",
            )
        return argument.name, fit_input(self._folder, argument.name, _axes(argument))

    def _output(self, key: str, wanted: int | str | None) -> Any:
        """Find the output that `output.<key>` names."""
        if wanted is None:
            return None
        outputs = self._session.get_outputs()
        for number, argument in enumerate(outputs):
            if wanted in (number, argument.name):
                return argument
        raise self._folder.error(
            f"output.{key}",
            f"{wanted!r} is not an output of {self._path.name}",
            remedy=f"name one of {', '.join(argument.name for argument in outputs)}",
        )

    def _width(self, key: str, argument: Any, pool: TensorPool | None = None) -> int:
        try:
            width = width_of(argument) if pool is None else _pooled_width(argument, pool)
        except ValueError as reason:
            remedy = "name an output of one row a clip"
            if key == "embedding":
                remedy += ", or pool it by output.pool" if pool is None else ", and leave pool out"
            raise self._folder.error(
                f"output.{key}" if pool is None else "output.pool",
                f"output {reason}",
                remedy=remedy,
            ) from None
        if width is None:
            # The graph does not say: what it gives for silence does.
            silence = np.zeros(self._input_shape, dtype=np.float32)
            (given,) = self._session.run([argument.name], {self._input: silence})
            width = len(pool_tensor(given, pool))
        return width


def _axes(argument: Any) -> list[int | None]:
    """The axes of a session's input or output; None for one that is open."""
    return [axis if isinstance(axis, int) else None for axis in argument.shape]


def _pooled_width(argument: Any, pool: TensorPool) -> int | None:
    """Width of a session's output when it is pooled; None where the graph leaves it open.

    Raises:
        ValueError: Too few axes, or not float32.
    """
    if argument.type != "tensor(float)":
        raise ValueError(f"{argument.name!r} is {argument.type}, not float32")
    shape = list(argument.shape)
    try:
        width = shape[channel_axis(pool, rank=len(shape))]
    except ValueError as reason:
        raise ValueError(f"{argument.name!r} {reason}") from None
    return width if isinstance(width, int) else None

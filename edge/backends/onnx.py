"""Runs ONNX models of fixed clips, by onnxruntime."""

from typing import Any

import numpy as np

from edge.contracts import FloatArray
from edge.model.clip_model import ClipModel, check_inputs, check_width, clip_samples
from edge.model.folder import ModelFolder
from edge.model.onnx_session import open_session, width_of


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
        try:
            self._session: Any = open_session(self._path)
        except ValueError as reason:
            raise folder.error(
                "files.model", str(reason), remedy="restore the file, or export the model again"
            ) from None
        self._input, self._input_shape = self._fit_input()
        said = folder.manifest.output
        self._scores = self._output("scores", said.scores)
        self._embedding = self._output("embedding", said.embedding)
        self.scores_size = self._width("scores", self._scores)
        self.embedding_size = self._width("embedding", self._embedding)

    def run(
        self, clip: FloatArray, *, scores: bool, embedding: bool
    ) -> tuple[FloatArray | None, FloatArray | None]:
        """Run one clip [shape=(clip_samples,)]; see `ClipGraph.run`."""
        chosen = [self._scores if scores else None, self._embedding if embedding else None]
        names = [argument.name for argument in chosen if argument is not None]
        given = self._session.run(names, {self._input: clip.reshape(self._input_shape)})
        rows = iter(given)
        first, second = (None if c is None else next(rows).reshape(-1) for c in chosen)
        return first, second

    def close(self) -> None:
        """Free the session."""
        self._session = None

    def _fit_input(self) -> tuple[str, tuple[int, ...]]:
        """Find the input and check that it takes a clip."""
        arguments = self._session.get_inputs()
        check_inputs(self._folder, [argument.name for argument in arguments])
        (argument,) = arguments
        try:
            width = width_of(argument)
        except ValueError as reason:
            raise self._folder.error(
                "files.model", f"input {reason}", remedy="use a model that takes samples"
            ) from None
        if width is not None:
            check_width(self._folder, width)
        return argument.name, (1, clip_samples(self._folder))[-len(argument.shape) :]

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
            f"{wanted!r} is not an output of {self._path.name}; an inner tensor cannot be read",
            remedy=f"name one of {', '.join(argument.name for argument in outputs)}, or add the "
            "tensor to graph.output with the onnx package",
        )

    def _width(self, key: str, argument: Any) -> int | None:
        if argument is None:
            return None
        try:
            width = width_of(argument)
        except ValueError as reason:
            raise self._folder.error(
                f"output.{key}", f"output {reason}", remedy="name an output of one row a clip"
            ) from None
        if width is None:
            # The graph does not say: what it gives for silence does.
            silence = np.zeros(self._input_shape, dtype=np.float32)
            (given,) = self._session.run([argument.name], {self._input: silence})
            width = int(given.size)
        return width

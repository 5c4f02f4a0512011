"""All tensors of an ONNX model at once."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.contracts import FloatArray
from edge.model.clip_model import ClipInput, fit_input
from edge.model.folder import ModelFolder
from edge.model.onnx_graph import nodes_of
from edge.model.onnx_session import open_session
from edge.windows.tensor_pool import TensorPool
from edge_build.probe.tensors import MOST_VALUES, Tensor, as_float32, heard


class OnnxTensors:
    """An ONNX file in a session that gives out every value; `Tensors`.

    Args:
        folder: A verified folder whose model loads.

    Raises:
        ModelError: onnxruntime does not give out the inner values.
    """

    def __init__(self, folder: ModelFolder) -> None:
        path = folder.file("model")
        try:
            nodes = nodes_of(path.read_bytes())
            plain = open_session(path)
            (given,) = plain.get_inputs()
            outputs = {argument.name for argument in plain.get_outputs()}
            flow = [(node.inputs, tuple(filter(None, node.outputs))) for node in nodes]
            values = heard(flow, given.name)
            inner = [name for _, name in values if name not in outputs]
            del plain
            self._session: Any = open_session(path, also=inner)
        except ValueError as reason:
            raise folder.error(
                "files.model", str(reason), remedy="export the model again, with a newer opset"
            ) from None
        self._input = given.name
        axes = [axis if isinstance(axis, int) else None for axis in given.shape]
        self._input_shape = fit_input(folder, given.name, axes)
        arguments = {argument.name: argument for argument in self._session.get_outputs()}
        self._names = [name for _, name in values if _is_readable(arguments[name])]
        silence = self._run(np.zeros(ClipInput(folder).shape, dtype=np.float32))
        shapes = {name: value.shape for name, value in zip(self._names, silence, strict=True)}
        self._names = [name for name in self._names if _has_channels(shapes[name])]
        node_of = {name: number for number, name in values}
        self.found: Sequence[Tensor] = [
            Tensor(
                name=name,
                operator=nodes[node_of[name]].operator,
                shape=shapes[name],
                place=node_of[name] / max(1, len(nodes) - 1),
                pools=_pools(shapes[name]),
                obstacle=""
                if arguments[name].type == _FLOAT32
                else f"it is {arguments[name].type}",
            )
            for name in self._names
        ]

    def run(self, clip: FloatArray) -> list[FloatArray]:
        """Run one clip; see `Tensors.run`."""
        return [as_float32(value) for value in self._run(clip)]

    def _run(self, clip: FloatArray) -> list[NDArray[np.generic]]:
        given = {self._input: clip.reshape(self._input_shape)}
        values: list[NDArray[np.generic]] = self._session.run(self._names, given)
        return values


def _is_readable(argument: Any) -> bool:
    known = [n for n in argument.shape if isinstance(n, int)] if argument.shape else []
    return argument.type in _FLOATS and 0 < math.prod(known) <= MOST_VALUES


def _has_channels(shape: tuple[int, ...]) -> bool:
    return len(shape) > 0 and 0 < math.prod(shape) <= MOST_VALUES


def _pools(shape: tuple[int, ...]) -> tuple[TensorPool | None, ...]:
    """Say how a value becomes one vector.

    Which axis counts channels is up to the operator, and to what stood before it: both are tried.
    """
    if len(shape) == 1 or (len(shape) == 2 and shape[0] == 1):
        return (None,)
    if len(shape) == 2:
        return (TensorPool.MEAN,)
    return (TensorPool.MEAN_CHANNELS_FIRST, TensorPool.MEAN)


_FLOAT32 = "tensor(float)"
_FLOATS = (_FLOAT32, "tensor(float16)", "tensor(double)")

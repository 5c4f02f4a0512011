"""All tensors of a TFLite model at once."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.backends.tflite import interpreter_module
from edge.contracts import FloatArray
from edge.model.clip_model import ClipInput, fit_input
from edge.model.folder import ModelFolder
from edge.model.quantised import quantisation_of
from edge.model.tflite_graph import with_outputs
from edge.windows.tensor_pool import TensorPool
from edge_build.probe.tensors import MOST_VALUES, Tensor, as_float32, heard, name_obstacle


class TfliteTensors:
    """A TFLite file in an interpreter that gives out every tensor; `Tensors`.

    All are made outputs: where an interpreter is only told to preserve tensors, some nodes of
    tflite-runtime 2.14 still write over their input.

    Args:
        folder: A verified folder whose model loads.
    """

    def __init__(self, folder: ModelFolder) -> None:
        content = folder.file("model").read_bytes()
        interpreter = _open(content)
        # No public method tells which node makes which tensor.
        nodes = interpreter._get_ops_details()
        (given,) = interpreter.get_input_details()
        self._input = int(given["index"])
        flow = [([*map(int, n["inputs"])], [*map(int, n["outputs"])]) for n in nodes]
        self._details = {int(d["index"]): d for d in interpreter.get_tensor_details()}
        made = [
            (node, number)
            for node, number in heard(flow, self._input)
            if _is_readable(self._details[number])
        ]
        outputs = {int(detail["index"]) for detail in interpreter.get_output_details()}
        inner = [number for _, number in made if number not in outputs]
        self._interpreter = _open(with_outputs(content, inner))
        axes = [None if n == -1 else int(n) for n in given["shape_signature"]]
        self._input_shape = fit_input(folder, given["name"], axes)
        if self._input_shape != tuple(given["shape"]):
            self._interpreter.resize_tensor_input(self._input, self._input_shape, strict=True)
        self._interpreter.allocate_tensors()
        self._invoke(np.zeros(ClipInput(folder).shape, dtype=np.float32))
        names = Counter(str(detail["name"]) for detail in self._details.values())
        found = []
        self._numbers = []
        for node, number in made:
            shape = self._interpreter.get_tensor(number).shape
            if not shape or not 0 < np.prod(shape) <= MOST_VALUES:
                continue
            name, kind = (
                str(self._details[number]["name"]),
                np.dtype(self._details[number]["dtype"]),
            )
            usable = kind == np.float32 or quantisation_of(self._details[number]) is not None
            obstacle = "" if usable else f"it is {kind}"
            self._numbers.append(number)
            found.append(
                Tensor(
                    name=name,
                    operator=str(nodes[node]["op_name"]),
                    shape=shape,
                    place=node / max(1, len(nodes) - 1),
                    pools=(None,) if np.prod(shape[:-1]) == 1 else (TensorPool.MEAN,),
                    obstacle=name_obstacle(name, names[name]) or obstacle,
                )
            )
        self.found: Sequence[Tensor] = found

    def run(self, clip: FloatArray) -> list[FloatArray]:
        """Run one clip; see `Tensors.run`."""
        self._invoke(clip)
        return [self._value(number) for number in self._numbers]

    def _invoke(self, clip: FloatArray) -> None:
        given = clip.reshape(self._input_shape)
        code = quantisation_of(self._details[self._input])
        self._interpreter.set_tensor(self._input, given if code is None else code.encode(given))
        self._interpreter.invoke()

    def _value(self, number: int) -> FloatArray:
        values: NDArray[np.generic] = self._interpreter.get_tensor(number)
        code = quantisation_of(self._details[number])
        return as_float32(values) if code is None else code.decode(values)


def _open(content: bytes) -> Any:
    module = interpreter_module()
    return module.Interpreter(
        model_content=content,
        num_threads=1,
        # Delegates put nodes of their own in place of the file's.
        experimental_op_resolver_type=module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )


def _is_readable(detail: dict[str, Any]) -> bool:
    """Say whether a tensor holds numbers, as they are or by a scale."""
    return np.dtype(detail["dtype"]).kind == "f" or quantisation_of(detail) is not None

"""Runs TFLite models of fixed clips, by ai-edge-litert or tflite-runtime."""

import difflib
import importlib
from typing import Any

import numpy as np

from edge.contracts import FloatArray
from edge.errors import ModelError
from edge.model.clip_model import ClipModel, check_inputs, fit_input
from edge.model.folder import ModelFolder
from edge.model.private_copy import PrivateCopy
from edge.model.quantised import Quantisation, quantisation_of
from edge.model.tflite_graph import with_outputs
from edge.windows.clips import Aggregate
from edge.windows.tensor_pool import TensorPool, channel_axis, pool_tensor


def load(folder: ModelFolder) -> ClipModel:
    """Load `model` of a verified folder.

    Raises:
        ModelError: No runtime here, or the manifest does not describe the model.
    """
    graph = TfliteGraph(folder)
    if folder.manifest.aggregate is Aggregate.MEAN_EMBEDDING:
        graph.give_out_embedding()
    return ClipModel(folder, graph)


class TfliteGraph:
    """A TFLite file in an interpreter; a `ClipGraph`.

    An embedding that is an inner tensor is made an output when a stream first asks for it: until
    then the weights stay mapped from disk.

    Args:
        folder: The verified folder.

    Raises:
        ModelError: The manifest does not describe the model.
    """

    def __init__(self, folder: ModelFolder) -> None:
        self._folder = folder
        self._path = folder.file("model")
        self._copy = PrivateCopy(self._path)
        self._codes: dict[int, Quantisation] = {}
        self._interpreter: Any = self._open(model_path=str(self._copy.path))
        self._fit_input()
        outputs = self._interpreter.get_output_details()
        said = folder.manifest.output
        self._scores = None if said.scores is None else self._output("scores", said.scores, outputs)
        self._embedding: list[tuple[int, TensorPool | None]] = []
        self.scores_size = None if self._scores is None else self._width("scores", self._scores)
        details = {int(d["index"]): d for d in self._interpreter.get_tensor_details()}
        for wanted in said.embeddings:
            among = [*details.values()] if isinstance(wanted, str) else outputs
            tensor = self._output("embedding", wanted, among)
            self._embedding.append((tensor, said.pool_of(details[tensor]["shape"].tolist())))
        self.embedding_sizes = tuple(self._width("embedding", *part) for part in self._embedding)
        self._given_out = {int(detail["index"]) for detail in outputs}

    def run(
        self, clip: FloatArray, *, scores: bool, embedding: bool
    ) -> tuple[FloatArray | None, FloatArray | None]:
        """Run one clip; see `ClipGraph.run`."""
        if embedding:
            self.give_out_embedding()
        given = clip.reshape(self._input_shape)
        coded = given if self._input_code is None else self._input_code.encode(given)
        self._interpreter.set_tensor(self._input, coded)
        self._interpreter.invoke()
        return (
            self._row(self._scores if scores else None),
            self._rows() if embedding and self._embedding else None,
        )

    def give_out_embedding(self) -> None:
        """Make the embedding's tensors outputs, if they are none yet."""
        missing = [tensor for tensor, _ in self._embedding if tensor not in self._given_out]
        if not missing:
            return
        try:
            content = with_outputs(self._copy.path.read_bytes(), missing)
        except ValueError as reason:
            raise self._unusable(reason) from None
        self._interpreter = self._open(model_content=content)
        self._fit_input()
        self._given_out.update(missing)
        self._copy.close()

    def close(self) -> None:
        """Free the interpreter."""
        self._interpreter = None
        self._copy.close()

    def _open(self, **model: Any) -> Any:
        try:
            return interpreter_module().Interpreter(num_threads=1, **model)
        except (ValueError, RuntimeError) as reason:
            raise self._unusable(reason) from None

    def _fit_input(self) -> None:
        """Find the input, check that it takes a clip, and allocate the tensors."""
        details = self._interpreter.get_input_details()
        check_inputs(self._folder, [detail["name"] for detail in details])
        (detail,) = details
        self._input_code = quantisation_of(detail)
        if self._input_code is None and detail["dtype"] is not np.float32:
            raise self._folder.error(
                "files.model",
                f"input {detail['name']!r} is {detail['dtype'].__name__}, neither float32 nor "
                "integers with a scale",
                remedy="convert the model with an input of float32",
            )
        # TFLite gives open axes a length of 1 until it is told another.
        axes = [None if n == -1 else int(n) for n in detail["shape_signature"]]
        shape = fit_input(self._folder, detail["name"], axes)
        if shape != tuple(detail["shape"]):
            self._interpreter.resize_tensor_input(detail["index"], shape, strict=True)
        try:
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as reason:
            raise self._unusable(reason) from None
        self._input, self._input_shape = detail["index"], shape

    def _output(self, key: str, wanted: int | str, among: list[dict[str, Any]]) -> int:
        """Find the number of the tensor that `output.<key>` names."""
        names = [str(detail["name"]) for detail in among]
        if isinstance(wanted, int):
            if 0 <= wanted < len(among):
                return int(among[wanted]["index"])
            problem = f"{wanted} is not the number of one of its {len(among)} outputs"
        else:
            found = [int(detail["index"]) for detail in among if detail["name"] == wanted]
            if len(found) == 1:
                return found[0]
            problem = f"{len(found) or 'no'} tensors are called {wanted!r}"
        close = difflib.get_close_matches(str(wanted), names, n=3, cutoff=0.3) or names[:3]
        raise self._folder.error(
            f"output.{key}",
            f"{problem} in {self._path.name}",
            remedy=f"name a tensor of the model, such as {', '.join(close)}",
        )

    def _width(self, key: str, tensor: int, pool: TensorPool | None = None) -> int:
        (detail,) = (d for d in self._interpreter.get_tensor_details() if d["index"] == tensor)
        shape = [int(n) for n in detail["shape"]]
        said = f"tensor {detail['name']!r} is {detail['dtype'].__name__} {shape}"
        code = quantisation_of(detail)
        readable = detail["dtype"] is np.float32 or code is not None
        if code is not None:
            self._codes[tensor] = code
        if pool is not None and readable:
            try:
                return shape[channel_axis(pool, rank=len(shape))]
            except ValueError as reason:
                raise self._folder.error(
                    "output.pool", f"{said}, which {reason}", remedy="leave the key out"
                ) from None
        if not readable or not shape or np.prod(shape[:-1]) != 1:
            raise self._folder.error(
                f"output.{key}",
                f"{said}, not float32 [1, n]",
                remedy="name a tensor that holds one row a clip"
                + (", or pool it by output.pool" if key == "embedding" else ""),
            )
        return shape[-1]

    def _row(self, tensor: int | None, pool: TensorPool | None = None) -> FloatArray | None:
        """Copy a tensor out as a row; the interpreter writes over its own at the next clip."""
        if tensor is None:
            return None
        values = self._interpreter.get_tensor(tensor)
        code = self._codes.get(tensor)
        return pool_tensor(values if code is None else code.decode(values), pool)

    def _rows(self) -> FloatArray:
        """Put the tensors of the embedding one behind the other."""
        rows = [self._row(tensor, pool) for tensor, pool in self._embedding]
        return np.concatenate([row for row in rows if row is not None])

    def _unusable(self, reason: Exception) -> ModelError:
        return self._folder.error(
            "files.model",
            f"{self._path.name} cannot be run: {reason}",
            remedy="restore the file, or install a newer ai-edge-litert",
        )


def interpreter_module() -> Any:
    """Import the module `interpreter` of whichever runtime is installed."""
    try:
        return importlib.import_module("ai_edge_litert.interpreter")
    except ImportError:
        return importlib.import_module("tflite_runtime.interpreter")

"""Runs TFLite models of fixed clips, by ai-edge-litert or tflite-runtime."""

import difflib
import importlib
from typing import Any

import numpy as np

from edge.contracts import FloatArray
from edge.errors import ModelError
from edge.model.clip_model import ClipModel, check_inputs, check_width, clip_samples
from edge.model.folder import ModelFolder
from edge.model.private_copy import PrivateCopy
from edge.model.tflite_graph import with_outputs
from edge.windows.clips import Aggregate
from edge.windows.tensor_pool import TensorPool, channel_axis, pool_tensor


def load(folder: ModelFolder) -> ClipModel:
    """Load `model` of a verified folder.

    Raises:
        ModelError: No runtime here, or the manifest does not describe the model.
    """
    graph = TfliteGraph(folder)
    if folder.manifest.aggregate is Aggregate.MEAN_EMBEDDING and graph.embedding_size is not None:
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
        self._interpreter: Any = self._open(model_path=str(self._copy.path))
        self._fit_input()
        outputs = self._interpreter.get_output_details()
        said = folder.manifest.output
        self._scores = None if said.scores is None else self._output("scores", said.scores, outputs)
        self._embedding: int | None = None
        self.scores_size = None if self._scores is None else self._width("scores", self._scores)
        self.embedding_size: int | None = None
        if said.embedding is not None:
            inner = self._interpreter.get_tensor_details()
            among = inner if isinstance(said.embedding, str) else outputs
            self._embedding = self._output("embedding", said.embedding, among)
            self.embedding_size = self._width("embedding", self._embedding, said.pool)
        self._given_out = {int(detail["index"]) for detail in outputs}

    def run(
        self, clip: FloatArray, *, scores: bool, embedding: bool
    ) -> tuple[FloatArray | None, FloatArray | None]:
        """Run one clip [shape=(clip_samples,)]; see `ClipGraph.run`."""
        if embedding:
            self.give_out_embedding()
        self._interpreter.set_tensor(self._input, clip.reshape(self._input_shape))
        self._interpreter.invoke()
        return (
            self._row(self._scores if scores else None),
            self._row(self._embedding if embedding else None, self._folder.manifest.output.pool),
        )

    def give_out_embedding(self) -> None:
        """Make the embedding an output, if it is not one yet."""
        if self._embedding is None or self._embedding in self._given_out:
            return
        try:
            content = with_outputs(self._copy.path.read_bytes(), [self._embedding])
        except ValueError as reason:
            raise self._unusable(reason) from None
        self._interpreter = self._open(model_content=content)
        self._fit_input()
        self._given_out.add(self._embedding)
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
        shape = [int(n) for n in detail["shape"]]
        if detail["dtype"] is not np.float32 or not shape or np.prod(shape[:-1]) != 1:
            raise self._folder.error(
                "files.model",
                f"input {detail['name']!r} is {detail['dtype'].__name__} {shape}, no float32 "
                "waveform [n] or [1, n]",
                remedy="use a model that takes samples",
            )
        if int(detail["shape_signature"][-1]) == -1:
            # The graph leaves the length open, and the manifest states it.
            shape[-1] = clip_samples(self._folder)
            self._interpreter.resize_tensor_input(detail["index"], shape, strict=True)
        check_width(self._folder, shape[-1])
        try:
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as reason:
            raise self._unusable(reason) from None
        self._input, self._input_shape = detail["index"], tuple(shape)

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
        if pool is not None and detail["dtype"] is np.float32:
            try:
                return shape[channel_axis(pool, rank=len(shape))]
            except ValueError as reason:
                raise self._folder.error(
                    "output.pool", f"{said}, which {reason}", remedy="leave the key out"
                ) from None
        if detail["dtype"] is not np.float32 or not shape or np.prod(shape[:-1]) != 1:
            raise self._folder.error(
                f"output.{key}",
                f"{said}, not float32 [1, n]",
                remedy="name a tensor that holds one row a clip"
                + (", or pool it by output.pool" if key == "embedding" else ""),
            )
        return shape[-1]

    def _row(self, tensor: int | None, pool: TensorPool | None = None) -> FloatArray | None:
        """Copy a tensor out as a row; the interpreter writes over its own at the next clip."""
        return None if tensor is None else pool_tensor(self._interpreter.get_tensor(tensor), pool)

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

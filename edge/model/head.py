"""Small classifiers that make scores from an embedding, run by onnxruntime."""

from pathlib import Path

import numpy as np

from edge.contracts import FloatArray
from edge.model.folder import ModelFolder
from edge.model.onnx_session import open_session, width_of
from edge.stsg.codebook import TokenArray


class OnnxHead:
    """A head in an ONNX file: one input [1, size], one output [1, n_labels] of probabilities.

    The input is a vector, float32, or the numbers of tokens, int64. A second output [1, n], where
    there is one, is an embedding for other heads.

    It runs one embedding a call, on one thread: the scores of a window do not depend on what else
    is scored.

    Args:
        path: The `.onnx` file.

    Raises:
        ValueError: Not a graph of that form.
    """

    def __init__(self, path: Path) -> None:
        self._session = open_session(path)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) not in (1, 2):
            raise ValueError(
                f"{path.name} has {len(inputs)} inputs and {len(outputs)} outputs, not one of each"
            )
        self._input, self._output = inputs[0].name, outputs[0].name
        self._kind = np.int64 if inputs[0].type == "tensor(int64)" else np.float32
        input_size = width_of(inputs[0], also="tensor(int64)")
        output_size = width_of(outputs[0])
        if input_size is None or output_size is None:
            raise ValueError(f"{path.name} leaves the width of its input or output open")
        self.input_size, self.output_size = input_size, output_size
        self._embedding = outputs[1].name if len(outputs) > 1 else ""
        self.embedding_size = width_of(outputs[1]) if self._embedding else None

    def __call__(self, taken: FloatArray | TokenArray) -> FloatArray:
        """Return probabilities [shape=(output_size,)] of what it takes [shape=(input_size,)]."""
        return self._run(self._output, taken)

    def embed(self, taken: FloatArray | TokenArray) -> FloatArray:
        """Return the embedding [shape=(embedding_size,)] of a head that has one."""
        return self._run(self._embedding, taken)

    def _run(self, output: str, taken: FloatArray | TokenArray) -> FloatArray:
        given = np.asarray(taken[np.newaxis], dtype=self._kind)
        row = self._session.run([output], {self._input: given})[0][0]
        return np.asarray(row, dtype=np.float32)


def read_head(folder: ModelFolder) -> OnnxHead:
    """Open `files.head` of a model folder.

    Raises:
        ModelError: Not named, or no head.
    """
    path = folder.file("head")
    try:
        return OnnxHead(path)
    except ValueError as reason:
        raise folder.error("files.head", str(reason), remedy="build the model again") from None

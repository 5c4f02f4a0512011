"""Small classifiers that make scores from an embedding, run by onnxruntime."""

from pathlib import Path

import numpy as np

from edge.contracts import FloatArray


class OnnxHead:
    """A head in an ONNX file: one input [1, size], one output [1, n_labels] of probabilities.

    It runs one embedding a call, on one thread: the scores of a window do not depend on what else
    is scored.

    Args:
        path: The `.onnx` file.

    Raises:
        ValueError: Not a graph of that form.
    """

    def __init__(self, path: Path) -> None:
        import onnxruntime  # noqa: PLC0415 (heavy: loaded by who has a head)

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ValueError(
                f"{path.name} has {len(inputs)} inputs and {len(outputs)} outputs, not one of each"
            )
        self._input, self._output = inputs[0].name, outputs[0].name
        self.input_size = int(inputs[0].shape[-1])
        self.output_size = int(outputs[0].shape[-1])

    def __call__(self, embedding: FloatArray) -> FloatArray:
        """Return probabilities [shape=(output_size,)] of an embedding [shape=(input_size,)]."""
        scores = self._session.run([self._output], {self._input: embedding[np.newaxis]})[0][0]
        return np.asarray(scores, dtype=np.float32)

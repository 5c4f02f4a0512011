"""A trained head as an ONNX file that the runtime can read."""

from pathlib import Path

import numpy as np

from edge_build.head import Head


def write_onnx(head: Head, path: Path) -> None:
    """Write Gemm, Relu, Gemm, Softmax: `embedding` [1, size] to `scores` [1, n_labels].

    The standardisation of the embedding is folded into the first layer's weights.

    Args:
        head: The trained head.
        path: The file to write.
    """
    import onnx  # noqa: PLC0415 (heavy, build only)
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

    first = head.weights[0].astype(np.float64) / head.scale.astype(np.float64)[:, np.newaxis]
    bias = head.biases[0].astype(np.float64) - head.mean.astype(np.float64) @ first
    last, last_bias = head.weights[1], head.biases[1]
    if last.shape[1] == 1:
        # scikit-learn keeps one logit z for two classes: softmax of (0, z) is the same.
        last = np.concatenate([np.zeros_like(last), last], axis=1)
        last_bias = np.concatenate([np.zeros_like(last_bias), last_bias])
    tensors = {"weights_1": first, "bias_1": bias, "weights_2": last, "bias_2": last_bias}
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["embedding", "weights_1", "bias_1"], ["hidden"]),
            helper.make_node("Relu", ["hidden"], ["active"]),
            helper.make_node("Gemm", ["active", "weights_2", "bias_2"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["scores"], axis=-1),
        ],
        "head",
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, len(first)])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, last.shape[1]])],
        initializer=[
            numpy_helper.from_array(np.ascontiguousarray(tensor, dtype=np.float32), name)
            for name, tensor in tensors.items()
        ],
    )
    model = helper.make_model(
        graph, producer_name="edge-build", opset_imports=[helper.make_opsetid("", _OPSET)]
    )
    model.ir_version = _IR_VERSION
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


# Old enough for every onnxruntime that edge runs on.
_OPSET = 13
_IR_VERSION = 8

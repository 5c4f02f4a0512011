"""A student as an ONNX file that the runtime can read."""

from pathlib import Path
from typing import Any

import numpy as np

from edge.contracts import FloatArray
from edge_build.student.fit import Student


def write_onnx(student: Student, path: Path, *, per_window: int) -> None:
    """Write the net: `tokens` int64 [1, per_window] to `scores` [1, n_labels].

    What the last layer takes is a second output, `embedding` [1, hidden].

    Args:
        student: The trained net.
        path: The file to write.
        per_window: Tokens of a window.
    """
    import onnx  # noqa: PLC0415 (heavy, build only)
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

    tensors: dict[str, FloatArray] = {}
    nodes = []

    def add(
        operator: str, taken: str, made: str, weights: dict[str, Any], **attributes: Any
    ) -> str:
        tensors.update(
            {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}
        )
        first = [*weights, taken] if operator == "Gather" else [taken, *weights]
        nodes.append(helper.make_node(operator, first, [made], **attributes))
        return made

    net = student.net
    taken = add("Gather", "tokens", "vectors", {"table": _numbers(net["table"].weight)}, axis=0)
    taken = add("Transpose", taken, "series", {}, perm=[0, 2, 1])
    for number, (conv, _, norm) in enumerate(net["blocks"], start=1):
        weights = {f"kernel_{number}": conv.weight, f"kernel_bias_{number}": conv.bias}
        pads = [conv.padding[0]] * 2
        taken = add("Conv", taken, f"sum_{number}", _all_numbers(weights), pads=pads)
        taken = add("Relu", taken, f"active_{number}", {})
        scale, shift = _scale_and_shift(norm)
        taken = add("Mul", taken, f"scaled_{number}", {f"scale_{number}": scale[:, np.newaxis]})
        taken = add("Add", taken, f"block_{number}", {f"shift_{number}": shift[:, np.newaxis]})
    taken = add("GlobalMaxPool", taken, "highest", {})
    taken = add("Flatten", taken, "pooled", {}, axis=1)
    hidden = {"hidden_weights": net["hidden"].weight, "hidden_bias": net["hidden"].bias}
    taken = add("Gemm", taken, "hidden", _all_numbers(hidden), transB=1)
    taken = add("Relu", taken, "active", {})
    scale, shift = _scale_and_shift(net["norm"])
    taken = add("Mul", taken, "scaled", {"scale": scale})
    taken = add("Add", taken, "embedding", {"shift": shift})
    last = {"last_weights": net["last"].weight, "last_bias": net["last"].bias}
    taken = add("Gemm", taken, "logits", _all_numbers(last), transB=1)
    curriculum = student.curriculum
    if curriculum.exclusive:
        taken = add("Softmax", taken, "shares" if curriculum.rest else "scores", {}, axis=-1)
    else:
        add("Sigmoid", taken, "scores", {})
    labels = len(curriculum.labels)
    initializers = [numpy_helper.from_array(value, name) for name, value in tensors.items()]
    if curriculum.rest:
        cuts = {"first": [0], "end": [labels], "axis": [1]}
        nodes.append(helper.make_node("Slice", [taken, *cuts], ["scores"]))
        initializers += [
            numpy_helper.from_array(np.array(value, dtype=np.int64), name)
            for name, value in cuts.items()
        ]
    graph = helper.make_graph(
        nodes,
        "student",
        [helper.make_tensor_value_info("tokens", TensorProto.INT64, [1, per_window])],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, labels]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, len(scale)]),
        ],
        initializer=initializers,
    )
    model = helper.make_model(
        graph, producer_name="edge-build", opset_imports=[helper.make_opsetid("", _OPSET)]
    )
    model.ir_version = _IR_VERSION
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _numbers(tensor: Any) -> FloatArray:
    return np.asarray(tensor.detach().numpy(), dtype=np.float32)


def _all_numbers(tensors: dict[str, Any]) -> dict[str, FloatArray]:
    return {name: _numbers(tensor) for name, tensor in tensors.items()}


def _scale_and_shift(norm: Any) -> tuple[Any, Any]:
    """Return what a trained batch normalisation multiplies by and adds, float64 [shape=(n,)]."""
    weight, bias, mean, variance = (
        _numbers(part).astype(np.float64)
        for part in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    )
    scale = weight / np.sqrt(variance + norm.eps)
    return scale, bias - mean * scale


# Old enough for every onnxruntime that edge runs on.
_OPSET = 13
_IR_VERSION = 8

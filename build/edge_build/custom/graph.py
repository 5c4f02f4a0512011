"""The calibrated head as an ONNX file that the runtime can read."""

from pathlib import Path
from typing import Any

import numpy as np

from edge_build.custom.attention import AttentionHead
from edge_build.custom.attention_graph import attention_parts
from edge_build.custom.calibration import Calibration
from edge_build.custom.fit import SigmoidHead


def write_onnx(head: SigmoidHead | AttentionHead, calibration: Calibration, path: Path) -> None:
    """Write a graph from `embedding` [1, size] to `scores` [1, n_labels].

    Args:
        head: The trained head.
        calibration: Of its logits.
        path: The file to write.
    """
    import onnx  # noqa: PLC0415 (heavy, build only)
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

    nodes, tensors = (
        attention_parts(head, calibration)
        if isinstance(head, AttentionHead)
        else _layers(head, calibration)
    )
    size, labels = len(head.mean), len(calibration.slopes)
    graph = helper.make_graph(
        nodes,
        "head",
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, size])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, labels])],
        initializer=[
            numpy_helper.from_array(_stored(tensor), name) for name, tensor in tensors.items()
        ],
    )
    model = helper.make_model(
        graph, producer_name="edge-build", opset_imports=[helper.make_opsetid("", _OPSET)]
    )
    model.ir_version = _IR_VERSION
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _layers(head: SigmoidHead, calibration: Calibration) -> tuple[list[Any], dict[str, Any]]:
    """Describe Gemm, perhaps Relu and Gemm, Sigmoid.

    The standardisation is folded into the first layer's weights, the calibration into the last's.

    Returns:
        Nodes, and initializers by name.
    """
    from onnx import helper  # noqa: PLC0415 (heavy, build only)

    weights = [part.astype(np.float64) for part in head.weights]
    biases = [part.astype(np.float64) for part in head.biases]
    weights[0] = weights[0] / head.scale.astype(np.float64)[:, np.newaxis]
    biases[0] = biases[0] - head.mean.astype(np.float64) @ weights[0]
    weights[-1] = weights[-1] * calibration.slopes
    biases[-1] = biases[-1] * calibration.slopes + calibration.offsets
    nodes, taken = [], "embedding"
    tensors: dict[str, Any] = {}
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True), start=1):
        if number > 1:
            nodes.append(helper.make_node("Relu", [taken], [f"active_{number}"]))
            taken = f"active_{number}"
        names = [f"weights_{number}", f"bias_{number}"]
        nodes.append(helper.make_node("Gemm", [taken, *names], [f"sum_{number}"]))
        taken = f"sum_{number}"
        tensors |= dict(zip(names, (weight, bias), strict=True))
    nodes.append(helper.make_node("Sigmoid", [taken], ["scores"]))
    return nodes, tensors


def _stored(tensor: Any) -> Any:
    """Return an initializer as the graph holds it: numbers as float32, sizes as they are."""
    kind = np.int64 if tensor.dtype == np.int64 else np.float32
    return np.asarray(tensor, dtype=kind, order="C")


# Old enough for every onnxruntime that edge runs on.
_OPSET = 13
_IR_VERSION = 8

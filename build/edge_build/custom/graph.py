"""The calibrated head as an ONNX file that the runtime can read."""

from pathlib import Path

import numpy as np

from edge_build.custom.calibration import Calibration
from edge_build.custom.fit import SigmoidHead


def write_onnx(head: SigmoidHead, calibration: Calibration, path: Path) -> None:
    """Write Gemm, perhaps Relu and Gemm, Sigmoid: `embedding` [1, size] to `scores` [1, n_labels].

    The standardisation is folded into the first layer's weights, the calibration into the last's.

    Args:
        head: The trained head.
        calibration: Of its logits.
        path: The file to write.
    """
    import onnx  # noqa: PLC0415 (heavy, build only)
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

    weights = [part.astype(np.float64) for part in head.weights]
    biases = [part.astype(np.float64) for part in head.biases]
    weights[0] = weights[0] / head.scale.astype(np.float64)[:, np.newaxis]
    biases[0] = biases[0] - head.mean.astype(np.float64) @ weights[0]
    weights[-1] = weights[-1] * calibration.slopes
    biases[-1] = biases[-1] * calibration.slopes + calibration.offsets
    nodes, tensors, taken = [], [], "embedding"
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True), start=1):
        if number > 1:
            nodes.append(helper.make_node("Relu", [taken], [f"active_{number}"]))
            taken = f"active_{number}"
        names = [f"weights_{number}", f"bias_{number}"]
        nodes.append(helper.make_node("Gemm", [taken, *names], [f"sum_{number}"]))
        taken = f"sum_{number}"
        tensors += [
            numpy_helper.from_array(np.ascontiguousarray(tensor, dtype=np.float32), name)
            for name, tensor in zip(names, (weight, bias), strict=True)
        ]
    nodes.append(helper.make_node("Sigmoid", [taken], ["scores"]))
    size, labels = weights[0].shape[0], weights[-1].shape[1]
    graph = helper.make_graph(
        nodes,
        "head",
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, size])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, labels])],
        initializer=tensors,
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

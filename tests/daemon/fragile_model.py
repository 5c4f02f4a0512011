"""A model whose runtime fails on loud sound."""

from pathlib import Path

import numpy as np
from tiny_clip import CLIP, LABELS, change, write_tiny_clip


def write_fragile_model(folder: Path) -> None:
    """Write a clip model that looks up a row which is not there once a sample exceeds 0.95."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    write_tiny_clip(folder, backend="onnx")
    given = {
        "level": np.float32(0.95),
        "table": np.zeros((1, 1), np.float32),
        "bias": np.linspace(-1, 1, len(LABELS), dtype=np.float32)[None],
    }
    nodes = [
        helper.make_node("ReduceMax", ["wave"], ["most"], keepdims=0),
        helper.make_node("Greater", ["most", "level"], ["loud"]),
        helper.make_node("Cast", ["loud"], ["row"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "row"], ["found"], axis=0),
        helper.make_node("Add", ["bias", "found"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "fragile",
        [helper.make_tensor_value_info("wave", TensorProto.FLOAT, [1, CLIP])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, len(LABELS)])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in given.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, folder / "model.onnx")
    bias = np.linspace(-1, 1, len(LABELS))
    np.save(folder / "golden.npy", (1 / (1 + np.exp(-bias))).astype(np.float32))
    change(folder, {"output.embedding": None})

"""A model that takes longer for a stretch of sound than it lasts."""

import time
from pathlib import Path

import numpy as np
import yaml
from tiny_clip import CLIP, LABELS, RATE_HZ, change, write_tiny_clip

_AIM_S = 0.25
"""What one call shall take, about; there are 24 in 5 s of sound."""


def write_slow_model(folder: Path) -> None:
    """Write a clip model whose every call multiplies a large matrix by itself, often enough."""
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    def save(products: int) -> None:
        nodes = [
            helper.make_node("ReduceMean", ["wave"], ["mean"], axes=[1], keepdims=1),
            helper.make_node("Add", ["big", "mean"], ["m0"]),
        ]
        nodes += [
            helper.make_node("MatMul", [f"m{n}", "big"], [f"m{n + 1}"]) for n in range(products)
        ]
        nodes += [
            helper.make_node("ReduceMax", [f"m{products}"], ["most"], keepdims=0),
            helper.make_node("Mul", ["most", "zero"], ["nothing"]),
            helper.make_node("Add", ["bias", "nothing"], ["logits"]),
        ]
        rng = np.random.default_rng(3)
        given = {
            "big": rng.uniform(-0.03, 0.03, (1000, 1000)).astype(np.float32),
            "zero": np.zeros((), np.float32),
            "bias": np.linspace(-1, 1, len(LABELS), dtype=np.float32)[None],
        }
        graph = helper.make_graph(
            nodes,
            "slow",
            [helper.make_tensor_value_info("wave", TensorProto.FLOAT, [1, CLIP])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, len(LABELS)])],
            [numpy_helper.from_array(array, name) for name, array in given.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
        model.ir_version = 8
        onnx.save(model, folder / "model.onnx")

    write_tiny_clip(folder, backend="onnx")
    save(10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)
    wave = np.zeros((1, CLIP), np.float32)
    session.run(None, {"wave": wave})
    from_s = time.monotonic()
    session.run(None, {"wave": wave})
    save(max(1, round(10 * _AIM_S / (time.monotonic() - from_s))))
    bias = np.linspace(-1, 1, len(LABELS))
    np.save(folder / "golden.npy", (1 / (1 + np.exp(-bias))).astype(np.float32))
    assert RATE_HZ == 1_000
    change(folder, {"input.step_seconds": 0.2, "output.embedding": None})
    assert yaml.safe_load((folder / "model.yaml").read_text())["name"] == folder.name

"""A small clip model of random numbers, as TFLite, as ONNX, and as a model folder."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from edge.dsp.signals import golden_signal
from edge.load import golden_scores, open_model
from edge.model.folder import read_folder

RATE_HZ = 1_000
CLIP_SECONDS = 3.0
CLIP = 3_000
EMBEDDING = 4
LABELS = ("owl", "frog, small", 'the "loud" one', "wren", "cicada")


@dataclass(frozen=True)
class TinyNet:
    """Two fully connected layers: samples, ReLU embedding, raw scores."""

    first: np.ndarray
    first_bias: np.ndarray
    last: np.ndarray
    last_bias: np.ndarray

    def embed(self, clip: np.ndarray) -> np.ndarray:
        """What the inner tensor must hold."""
        return np.maximum(self.first.astype(np.float64) @ clip + self.first_bias, 0)

    def raw(self, clip: np.ndarray) -> np.ndarray:
        """What the output must hold."""
        return self.last.astype(np.float64) @ self.embed(clip) + self.last_bias


def tiny_net(
    *,
    seed: int = 1,
    labels: int = len(LABELS),
    samples: int = CLIP,
    embedding: int = EMBEDDING,
) -> TinyNet:
    """Draw a net."""
    rng = np.random.default_rng(seed)
    return TinyNet(
        rng.normal(0, 0.2, (embedding, samples)).astype(np.float32),
        rng.normal(0, 1, embedding).astype(np.float32),
        rng.normal(0, 1, (labels, embedding)).astype(np.float32),
        rng.normal(0, 1, labels).astype(np.float32),
    )


def write_tflite(
    net: TinyNet, path: Path, *, inputs: int = 1, blocks: tuple[int, ...] | None = None
) -> None:
    """Write `wave` [1, n] -> `embedding` (an inner tensor) -> `logits` [1, n_labels].

    With `blocks`, the samples are first laid out in that shape, as an inner tensor `blocks`.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    labels, samples = len(net.last_bias), net.first.shape[1]
    tensors, buffers = [], [schema.BufferT()]

    def add(name: str, shape: tuple[int, ...], content: np.ndarray | None = None) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name, shape, schema.TensorType.FLOAT32
        if content is not None and content.dtype == np.int32:
            tensor.type = schema.TensorType.INT32
        tensor.buffer = 0
        if content is not None:
            tensor.buffer = len(buffers)
            buffers.append(schema.BufferT())
            buffers[-1].data = np.frombuffer(content.tobytes(), dtype=np.uint8)
        tensors.append(tensor)
        return len(tensors) - 1

    def connect(source: int, weights: int, bias: int, target: int, activation: int) -> Any:
        layer = schema.OperatorT()
        layer.opcodeIndex, layer.inputs, layer.outputs = 0, [source, weights, bias], [target]
        layer.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
        layer.builtinOptions = schema.FullyConnectedOptionsT()
        layer.builtinOptions.fusedActivationFunction = activation
        return layer

    wave = add("wave", (1, samples))
    first = add("first", net.first.shape, net.first)
    first_bias = add("first_bias", net.first_bias.shape, net.first_bias)
    embedding = add("embedding", (1, len(net.first_bias)))
    last = add("last", net.last.shape, net.last)
    last_bias = add("last_bias", net.last_bias.shape, net.last_bias)
    logits = add("logits", (1, labels))
    graph = schema.SubGraphT()
    graph.tensors = tensors
    graph.inputs = [wave] + [add(f"more_{k}", (1, 1)) for k in range(inputs - 1)]
    graph.outputs = [logits]
    relu, none = schema.ActivationFunctionType.RELU, schema.ActivationFunctionType.NONE
    laid_out, source = [], wave
    if blocks is not None:
        shape = add("shape", (len(blocks),), np.array(blocks, dtype=np.int32))
        source = add("blocks", blocks)
        laid_out = [schema.OperatorT()]
        laid_out[0].opcodeIndex, laid_out[0].inputs, laid_out[0].outputs = (
            1,
            [wave, shape],
            [source],
        )
    graph.operators = [
        *laid_out,
        connect(source, first, first_bias, embedding, relu),
        connect(embedding, last, last_bias, logits, none),
    ]
    codes = [schema.OperatorCodeT(), schema.OperatorCodeT()]
    kinds = (schema.BuiltinOperator.FULLY_CONNECTED, schema.BuiltinOperator.RESHAPE)
    for code, kind in zip(codes, kinds, strict=True):
        code.builtinCode = code.deprecatedBuiltinCode = kind
        code.version = 1
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, codes, [graph], buffers
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))


def write_onnx(
    net: TinyNet,
    path: Path,
    *,
    batch: int | str = 1,
    outputs: tuple[str, ...] = ("logits",),
    blocks: tuple[int, ...] | None = None,
) -> None:
    """Write the same net with `wave` as its input and some of its tensors as outputs."""
    from onnx import TensorProto, helper, numpy_helper

    widths = {"embedding": EMBEDDING, "logits": len(net.last_bias)}
    source, laid_out = "wave", []
    weights = [
        numpy_helper.from_array(getattr(net, name), name) for name in net.__dataclass_fields__
    ]
    if blocks is not None:
        weights.append(numpy_helper.from_array(np.array(blocks, dtype=np.int64), "shape"))
        laid_out = [
            helper.make_node("Reshape", ["wave", "shape"], ["blocks"]),
            helper.make_node("Flatten", ["blocks"], ["flat"]),
        ]
        source = "flat"
    graph = helper.make_graph(
        [
            *laid_out,
            helper.make_node("Gemm", [source, "first", "first_bias"], ["sum"], transB=1),
            helper.make_node("Relu", ["sum"], ["embedding"]),
            helper.make_node("Gemm", ["embedding", "last", "last_bias"], ["logits"], transB=1),
        ],
        "tiny",
        [helper.make_tensor_value_info("wave", TensorProto.FLOAT, [batch, net.first.shape[1]])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, widths[name]])
            for name in outputs
        ],
        weights,
    )
    _save_onnx(graph, path)


def write_head(path: Path, *, size: int = EMBEDDING, labels: int = len(LABELS)) -> np.ndarray:
    """Write a head, sigmoid of a matrix product; return its weights [shape=(size, labels)]."""
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(5).normal(0, 1, (size, labels)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "weights"], ["sum"]),
            helper.make_node("Sigmoid", ["sum"], ["scores"]),
        ],
        "head",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, size])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, labels])],
        [numpy_helper.from_array(weights, "weights")],
    )
    _save_onnx(graph, path)
    return weights


def write_tiny_clip(
    folder: Path, *, backend: str = "tflite", seed: int = 1, embedding: int = EMBEDDING
) -> TinyNet:
    """Write a model folder that passes every check; its golden vector is computed by NumPy."""
    folder.mkdir(parents=True)
    net = tiny_net(seed=seed, embedding=embedding)
    if backend == "tflite":
        write_tflite(net, folder / "model.tflite")
    else:
        write_onnx(net, folder / "model.onnx", outputs=("logits", "embedding"))
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    raw = net.raw(golden_signal(sample_rate_hz=RATE_HZ, seconds=CLIP_SECONDS))
    np.save(folder / "golden.npy", (1 / (1 + np.exp(-raw))).astype(np.float32))
    manifest = {
        "schema": 1,
        "name": folder.name,
        "version": "1",
        "backend": backend,
        "files": {
            "model": {"path": f"model.{backend}"},
            "labels": {"path": "labels.txt", "format": "lines"},
            "golden": {"path": "golden.npy"},
        },
        "input": {
            "sample_rate": RATE_HZ,
            "clip_seconds": CLIP_SECONDS,
            "step_seconds": CLIP_SECONDS,
        },
        "output": {"scores": "logits", "embedding": "embedding", "activation": "sigmoid"},
        "golden": {"scores": "golden"},
        "licence": {"name": "Apache-2.0", "commercial_use": True},
        "source": "random numbers",
    }
    (folder / "model.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
    reseal(folder)
    return net


def change(folder: Path, changes: Mapping[str, Any], *, seal: bool = True) -> None:
    """Set dotted keys of the manifest, such as `input.tensor`; None takes a key out."""
    path = folder / "model.yaml"
    manifest = yaml.safe_load(path.read_text())
    for dotted, value in changes.items():
        *parents, last = dotted.split(".")
        part = manifest
        for parent in parents:
            part = part.setdefault(parent, {})
        if value is None:
            del part[last]
        else:
            part[last] = value
    path.write_text(yaml.safe_dump(manifest, sort_keys=False))
    if seal:
        reseal(folder)


def reseal(folder: Path) -> None:
    """Write the sizes and hashes of the files as they are now."""
    path = folder / "model.yaml"
    manifest = yaml.safe_load(path.read_text())
    for entry in manifest["files"].values():
        file = folder / entry["path"]
        if file.is_file() and "package" not in entry and "external" not in entry:
            content = file.read_bytes()
            entry["sha256"] = hashlib.sha256(content).hexdigest()
            entry["size"] = len(content)
    path.write_text(yaml.safe_dump(manifest, sort_keys=False))


def renew_golden(folder: Path) -> None:
    """Let what the model computes now be its golden vector."""
    np.save(folder / "golden.npy", golden_scores(open_model(read_folder(folder))))
    reseal(folder)


def _save_onnx(graph: Any, path: Path) -> None:
    import onnx
    from onnx import helper

    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)

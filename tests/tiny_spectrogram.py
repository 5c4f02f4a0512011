"""A model folder whose scores are the spectrogram it is given: the front end in plain sight."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from tiny_clip import reseal

from edge.dsp.signals import golden_signal

RATE_HZ = 1_000
CLIP = 1_000
BANDS, FRAMES = 9, 5
FRONT_END = {
    "kind": "linear_stft",
    "frame_size": 16,
    "hop": 200,
    "edges": "zeros",
    "frames": FRAMES,
    "normalisation": {"kind": "min_max"},
}
SCALE, ZERO = 1 / 255, -128
"""Of the quantised form: 0 to 1 in 256 steps."""


def expected_spectrogram(clip: np.ndarray) -> np.ndarray:
    """What FRONT_END makes of a clip, by the definition [shape=(BANDS, FRAMES)]."""
    padded = np.pad(clip.astype(np.float64), 8)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(16) / 16)
    frames = [padded[200 * j : 200 * j + 16] * window for j in range(FRAMES)]
    magnitudes = np.abs(np.fft.rfft(frames, axis=1)).T
    return (magnitudes - magnitudes.min()) / (np.ptp(magnitudes) + 1e-10)


def write_spectrogram_tflite(
    path: Path, shape: Sequence[int], *, quantised: bool = False, kind: str = ""
) -> None:
    """Write `spectrogram` of some shape, -1 for an open axis -> `scores` [1, BANDS * FRAMES].

    Quantised, both are int8; `kind` is a type in its place, such as INT32, without a scale.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    values = BANDS * FRAMES
    buffers = [schema.BufferT(), schema.BufferT()]
    buffers[1].data = np.frombuffer(np.array([1, values], np.int32).tobytes(), dtype=np.uint8)
    graph = schema.SubGraphT()
    graph.tensors = []
    for name, size in (("spectrogram", [abs(n) for n in shape]), ("scores", [1, values])):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, size, 0
        tensor.type = getattr(schema.TensorType, kind or ("INT8" if quantised else "FLOAT32"))
        if quantised:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [SCALE], [ZERO]
        graph.tensors.append(tensor)
    if -1 in shape:
        graph.tensors[0].shapeSignature = list(shape)
    target = schema.TensorT()
    target.name, target.shape, target.type = "target", [2], schema.TensorType.INT32
    target.buffer = 1
    graph.tensors.append(target)
    graph.inputs, graph.outputs = [0], [1]
    reshape = schema.OperatorT()
    reshape.opcodeIndex, reshape.inputs, reshape.outputs = 0, [0, 2], [1]
    graph.operators = [reshape]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RESHAPE
    code.version = 1
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], buffers
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))


def write_spectrogram_onnx(path: Path, shape: Sequence[int | str], *, kind: str = "FLOAT") -> None:
    """Write the same graph, with names for open axes."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    values = BANDS * FRAMES
    element = getattr(TensorProto, kind)
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["spectrogram", "target"], ["scores"])],
        "spectrogram",
        [helper.make_tensor_value_info("spectrogram", element, shape)],
        [helper.make_tensor_value_info("scores", element, [1, values])],
        [numpy_helper.from_array(np.array([1, values], dtype=np.int64), "target")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)


def write_spectrogram_folder(
    folder: Path, shape: Sequence[Any], *, backend: str = "tflite", **options: Any
) -> None:
    """Write a model folder that passes every check; its golden vector is computed by NumPy."""
    folder.mkdir(parents=True)
    write = write_spectrogram_tflite if backend == "tflite" else write_spectrogram_onnx
    write(folder / f"model.{backend}", shape, **options)
    labels = [f"band {band}, frame {frame}" for band in range(BANDS) for frame in range(FRAMES)]
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
    signal = golden_signal(sample_rate_hz=RATE_HZ, seconds=1.0)
    np.save(folder / "golden.npy", expected_spectrogram(signal).astype(np.float32).ravel())
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
            "clip_seconds": 1.0,
            "step_seconds": 1.0,
            "front_end": FRONT_END,
        },
        "output": {"scores": "scores"},
        "golden": {"scores": "golden", "tolerance": 0.003},
        "licence": {"name": "Apache-2.0", "commercial_use": True},
        "source": "a reshape",
    }
    (folder / "model.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
    reseal(folder)

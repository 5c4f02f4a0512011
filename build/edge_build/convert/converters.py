"""Graphs for another runtime, by converters that are installed as extras.

Each runs in a process of its own: what it loads, TensorFlow above all, stays there.
"""

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from edge.backends.tflite import interpreter_module
from edge.errors import InputError
from edge.model import onnx_graph, tflite_graph
from edge.model.folder import ModelFolder
from edge.model.manifest import MANIFEST_NAME
from edge.model.onnx_session import open_session
from edge.remedies import for_this_python
from edge_build.convert.kinds import Kind

PACKAGES = {
    Kind.ONNX: {"tf2onnx": "tf2onnx", "tensorflow": "tensorflow-cpu"},
    Kind.TFLITE: {"onnx2tf": "onnx2tf"},
}
"""What converts to each: from a module to its name for pip."""


def check_converter(kind: Kind) -> None:
    """Make sure that what converts is installed, before any audio is heard.

    Raises:
        InputError: It is not.
    """
    missing = [
        name for module, name in PACKAGES[kind].items() if not importlib.util.find_spec(module)
    ]
    if not missing:
        return
    if kind is Kind.TFLITE and sys.version_info < (3, 12):
        raise InputError(
            "--to tflite: onnx2tf, which converts, wants Python 3.12 or newer, and this is "
            f"{sys.version_info.major}.{sys.version_info.minor}",
            remedy="pip install 'edge-bioacoustics[build,to-tflite]' with a newer Python",
        )
    raise InputError(
        f"--to {kind}: {' and '.join(missing)}, which convert{'s' * (len(missing) == 1)}, "
        f"{'is' if len(missing) == 1 else 'are'} not installed",
        remedy=for_this_python(f"pip install 'edge-bioacoustics[build,to-{kind}]'"),
    )


def to_onnx(graph: Path, target: Path) -> None:
    """Convert a TFLite file by tf2onnx.

    Args:
        graph: The TFLite file.
        target: The ONNX file to write.

    Raises:
        InputError: It has operators that the converter does not know.
    """
    arguments = ["--tflite", str(graph), "--output", str(target), "--opset", _OPSET]
    _run("tf2onnx.convert", arguments, graph, target)


def to_tflite(graph: Path, target: Path) -> None:
    """Convert an ONNX file by onnx2tf.

    Args:
        graph: The ONNX file.
        target: The TFLite file to write.

    Raises:
        InputError: It has operators that the converter does not know.
    """
    with tempfile.TemporaryDirectory() as place:
        made = Path(place) / f"{graph.stem}_float32.tflite"
        _run("onnx2tf", ["-i", str(graph), "-o", place], graph, made)
        target.write_bytes(made.read_bytes())


def for_other_runtime(kind: Kind, source: ModelFolder, place: Path) -> tuple[Path, dict[str, Any]]:
    """Convert a model's whole graph for the other runtime.

    Args:
        kind: ONNX or TFLITE.
        source: The verified folder of a model of the other one.
        place: A folder to write into.

    Returns:
        The converted file, and what changes in the manifest: converters rename outputs, so that
        these are known by number.

    Raises:
        InputError: It has operators that the converter does not know.
    """
    path, said = source.file("model"), source.manifest.output
    names = _outputs(source)
    extra = [name for name in said.embeddings if isinstance(name, str) and name not in names]
    names += extra
    numbers: dict[str, Any] = {}
    if said.scores is not None:
        numbers["scores"] = _number(names, said.scores)
    if said.embeddings:
        several = [_number(names, wanted) for wanted in said.embeddings]
        numbers["embedding"] = several if len(several) > 1 else several[0]
    whole = place / path.name
    content = path.read_bytes()
    if extra and kind is Kind.TFLITE:
        content = onnx_graph.with_outputs(content, extra)
    elif extra:
        content = tflite_graph.with_outputs(content, [_tensor(path, name) for name in extra])
    # A copy in any case: onnx2tf writes what it simplified over the file that it is given.
    whole.write_bytes(content)
    (place / "converted").mkdir()
    graph = place / "converted" / f"model.{kind}"
    (to_onnx if kind is Kind.ONNX else to_tflite)(whole, graph)
    manifest = yaml.safe_load((source.path / MANIFEST_NAME).read_text("utf-8"))
    given = {key: value for key, value in manifest["input"].items() if key != "tensor"}
    output = {**manifest.get("output", {}), **numbers}
    return graph, {"backend": str(kind), "input": given, "output": output}


def _number(names: Sequence[str], wanted: int | str) -> int:
    return wanted if isinstance(wanted, int) else names.index(wanted)


def _outputs(source: ModelFolder) -> list[str]:
    """Name the outputs of a model's file, in order."""
    path = source.file("model")
    if source.manifest.backend == "onnx":
        return [argument.name for argument in open_session(path).get_outputs()]
    return [str(detail["name"]) for detail in _interpreter(path).get_output_details()]


def _tensor(path: Path, name: str) -> int:
    """Return the number of a tensor of a TFLite file."""
    details = _interpreter(path).get_tensor_details()
    return next(int(detail["index"]) for detail in details if detail["name"] == name)


def _interpreter(path: Path) -> Any:
    return interpreter_module().Interpreter(model_path=str(path))


def _run(module: str, arguments: Sequence[str], graph: Path, made: Path) -> None:
    done = subprocess.run(  # noqa: S603 (our own arguments)
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode == 0 and made.is_file():
        return
    said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    raise InputError(
        f"{graph.name}: {module.partition('.')[0]} cannot convert it: "
        f"{said[-1] if said else 'it says nothing'}",
        remedy="keep the model as it is; its runtime is part of edge",
    )


_OPSET = "18"

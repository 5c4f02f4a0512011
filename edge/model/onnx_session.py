"""Opening ONNX files, for heads and for whole models."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge.model.onnx_graph import with_outputs


def open_session(path: Path, *, also: Sequence[str] = ()) -> Any:
    """Open an ONNX file in onnxruntime, on one thread.

    Args:
        path: The file.
        also: Inner values of its graph that are to be outputs too.

    Returns:
        An `onnxruntime.InferenceSession`.

    Raises:
        ValueError: Not a graph that onnxruntime can run.
    """
    # From 1.29 on it reports to its maker, unless this is set before it is imported; what switches
    # reporting off later comes too late.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime  # noqa: PLC0415 (heavy: loaded by who has such a file)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        model: str | bytes = str(path)
        if also:
            model = with_outputs(path.read_bytes(), also)
            # Bytes lie nowhere, and weights may be kept in files beside the graph's.
            options.add_session_config_entry(_WEIGHTS_FOLDER, str(path.resolve().parent))
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as reason:  # onnxruntime raises classes of its own without a common base
        raise ValueError(f"{path.name} cannot be run by onnxruntime: {reason}") from None


def width_of(argument: Any, *, also: str = "") -> int | None:
    """Width of a session's input or output [n] or [1, n]; None where the graph leaves it open.

    Args:
        argument: The input or output.
        also: A type that it may have instead of float32, by onnxruntime's name.

    Raises:
        ValueError: Of another shape, or not float32.
    """
    shape = list(argument.shape)
    one_row = len(shape) == 1 or (
        len(shape) == 2 and not (isinstance(shape[0], int) and shape[0] != 1)
    )
    if argument.type not in ("tensor(float)", also) or not one_row:
        raise ValueError(f"{argument.name!r} is {argument.type} {shape}, not float32 [1, n]")
    return shape[-1] if isinstance(shape[-1], int) else None


_WEIGHTS_FOLDER = "session.model_external_initializers_file_folder_path"

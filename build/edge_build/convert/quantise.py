"""Smaller ONNX graphs: 8-bit weights by onnxruntime's quantiser, or weights in half precision."""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import InputError
from edge.model.onnx_graph import nodes_of
from edge_build.convert.kinds import Kind

INNER = frozenset({"Conv", "Gemm", "MatMul", "Gather"})
"""Operators whose weights become integers. What makes probabilities of the sums is left alone:
it would give scores in 256 steps."""


def shrink(
    source: Path, target: Path, kind: Kind, feeds: Sequence[dict[str, NDArray[Any]]]
) -> None:
    """Write a graph with smaller weights; its inputs and outputs stay as they are.

    Args:
        source: An ONNX file.
        target: The file to write.
        kind: INT8_DYNAMIC, INT8_STATIC or FLOAT16.
        feeds: Inputs of the graph that INT8_STATIC finds its scales on.

    Raises:
        InputError: Nothing in the graph becomes smaller so.
    """
    before = {node.operator for node in nodes_of(source.read_bytes())}
    if before & _QUANTISED:
        raise InputError(
            f"{source}: its weights are integers already", remedy="convert the model it came from"
        )
    if kind is Kind.FLOAT16:
        _halve(source, target)
        return
    with _quiet(), tempfile.TemporaryDirectory() as place:
        prepared = Path(place) / "prepared.onnx"
        try:
            # A layer of sums is fastest with one scale; channels of a convolution differ too much.
            _quantise(source, prepared, target, kind, feeds, per_channel="Conv" in before)
        except OSError:
            raise
        except Exception as reason:  # the quantiser raises whatever it meets
            raise InputError(
                f"{source}: onnxruntime cannot quantise it: {reason}", remedy="keep it as it is"
            ) from None
    if not {node.operator for node in nodes_of(target.read_bytes())} & _QUANTISED:
        raise InputError(
            f"{source}: nothing in it can be quantised: no weights of {', '.join(sorted(INNER))}",
            remedy="keep it as it is",
        )


def _quantise(
    source: Path,
    prepared: Path,
    target: Path,
    kind: Kind,
    feeds: Sequence[dict[str, NDArray[Any]]],
    *,
    per_channel: bool,
) -> None:
    from onnxruntime.quantization import (  # noqa: PLC0415 (heavy, build only)
        CalibrationDataReader,
        QuantType,
        quantize_dynamic,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process  # noqa: PLC0415

    class Feeds(CalibrationDataReader):  # type: ignore[misc]
        """Gives out feeds, one a call."""

        def __init__(self) -> None:
            self._left: Iterator[dict[str, NDArray[Any]]] = iter(feeds)

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            return next(self._left, None)

    evened = prepared.with_name("evened.onnx")
    _even_out(source, evened, feeds)
    quant_pre_process(str(evened), str(prepared), skip_symbolic_shape=True)
    # Unsigned weights: with signed ones, x86-64 processors without VNNI add up in 16 bits, which
    # overflow: such a processor gives other scores than a newer one.
    common = {
        "op_types_to_quantize": sorted(INNER),
        "weight_type": QuantType.QUInt8,
        "per_channel": per_channel,
    }
    if kind is Kind.INT8_DYNAMIC:
        quantize_dynamic(str(prepared), str(target), **common)
        return
    quantize_static(
        str(prepared),
        str(target),
        Feeds(),
        activation_type=QuantType.QUInt8,
        extra_options={"OpTypesToExcludeOutputQuantization": ["Gemm", "MatMul"]},
        **common,
    )


def _even_out(source: Path, target: Path, feeds: Sequence[dict[str, NDArray[Any]]]) -> None:
    """Make the columns of a first layer's input equally large, and its weights to match.

    Of 8 bits, one scale serves all columns of the input, and one all weights of an output. Where a
    standardisation was folded into the weights, rare features have weights hundreds of times as
    large as others, which would become zero. So each column is multiplied by
    sqrt(largest weight / largest input) and its weights are divided by it (Xiao et al. 2023,
    SmoothQuant, equation 4 with alpha 0.5). A graph that begins otherwise stays as it is.
    """
    import onnx  # noqa: PLC0415 (heavy, build only)
    from onnx import helper, numpy_helper  # noqa: PLC0415

    model = onnx.load(str(source))
    graph = model.graph
    (name,) = feeds[0]
    takers = [node for node in graph.node if name in node.input]
    weights = {tensor.name: tensor for tensor in graph.initializer}
    first = takers[0]
    plain = first.op_type in {"Gemm", "MatMul"} and first.input[0] == name
    if len(takers) == 1 and plain and first.input[1] in weights:
        tensor = weights[first.input[1]]
        others = [node for node in graph.node if tensor.name in node.input]
        values = numpy_helper.to_array(tensor)
        turned = any(part.name == "transB" and part.i for part in first.attribute)
        axis = 0 if turned else 1
        largest = np.abs(np.concatenate([feed[name] for feed in feeds])).max(axis=0)
        heaviest = np.abs(values).max(axis=axis)
        if len(others) == 1 and largest.shape == heaviest.shape:
            # A column that is always 0, or has no weight, says nothing: it stays.
            known = (largest > 0.0) & (heaviest > 0.0)
            factors = np.ones_like(heaviest)
            factors[known] = np.sqrt(heaviest[known] / largest[known])
            even = values / np.expand_dims(factors, axis)
            tensor.CopyFrom(numpy_helper.from_array(even.astype(np.float32), tensor.name))
            graph.initializer.append(numpy_helper.from_array(factors, f"{name}_factors"))
            first.input[0] = f"{name}_evened"
            scaled = helper.make_node("Mul", [name, f"{name}_factors"], [f"{name}_evened"])
            nodes = [scaled, *graph.node]
            del graph.node[:]
            graph.node.extend(nodes)
    onnx.save(model, str(target))


def _halve(source: Path, target: Path) -> None:
    """Store large float32 weights as float16, and cast them back before they are used.

    onnxruntime casts constants once, when it opens the file: the graph runs as fast as before.
    """
    import onnx  # noqa: PLC0415 (heavy, build only)
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

    model = onnx.load(str(source))
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        if values.size < _LEAST_WEIGHTS:
            continue
        with np.errstate(over="ignore"):
            halved = values.astype(np.float16)
        if not np.isfinite(halved).all():
            raise InputError(
                f"{source}: {tensor.name!r} holds {np.abs(values).max():.3g}, more than half "
                f"precision can ({np.finfo(np.float16).max:g})",
                remedy="convert it to int8-dynamic instead",
            )
        name, kept = tensor.name, f"{tensor.name}_float16"
        tensor.CopyFrom(numpy_helper.from_array(halved, kept))
        casts.append(helper.make_node("Cast", [kept], [name], to=TensorProto.FLOAT))
    if not casts:
        raise InputError(f"{source}: it has no float32 weights to halve", remedy="keep it as it is")
    names = {tensor.name for tensor in model.graph.initializer}
    nodes = [*casts, *model.graph.node]
    inputs = [value for value in model.graph.input if f"{value.name}_float16" not in names]
    del model.graph.node[:], model.graph.input[:]
    model.graph.node.extend(nodes)
    model.graph.input.extend(inputs)
    onnx.checker.check_model(model)
    target.write_bytes(model.SerializeToString(deterministic=True))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the quantiser says of itself to itself: it advises its programmers."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


_QUANTISED = frozenset(
    {
        "ConvInteger",
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "MatMulInteger",
        "QGemm",
        "QLinearConv",
        "QLinearMatMul",
    }
)
_LEAST_WEIGHTS = 64

"""`edge-build convert`: a model in another form, kept only if it says what its source says."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge.contracts import Model
from edge.errors import EdgeError, InputError, ModelError
from edge.load import find_model, load_model, prove_model
from edge.model.folder import ModelFolder, read_folder
from edge.model.onnx_graph import with_outputs
from edge.model.onnx_session import open_session
from edge.windows.clips import Aggregate
from edge_build.convert.audio import Audio, find_audio
from edge_build.convert.compare import broken_tolerances, hear
from edge_build.convert.converters import check_converter, for_other_runtime
from edge_build.convert.folder import write_model
from edge_build.convert.inputs import Feed, given_inputs, run_seconds
from edge_build.convert.kinds import Kind, Tolerance
from edge_build.convert.quantise import shrink
from edge_build.convert.report import Comparison, Graph, write_card
from edge_build.folder import check_place, replacing


class StrayedError(EdgeError):
    """A conversion that is not its source any more; nothing was written."""

    def __init__(self, comparison: Comparison, broken: Sequence[str]) -> None:
        lines = "".join(f"\n  {line}" for line in broken)
        super().__init__(
            f"the conversion to {comparison.kind} is refused, and nothing was written:{lines}",
            remedy=_REMEDIES.get(comparison.kind, "keep the source, or allow more by that option"),
        )
        self.comparison = comparison


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be converted, to what, and where to."""

    model: str
    """Name or folder."""
    kind: Kind
    data: Path
    out: Path
    tolerance: Tolerance
    only: str | None = None
    """Key of the one graph that is converted; None for all that can be."""
    models_dir: Path | None = None
    model_files: Sequence[Path] = ()
    command: str = ""
    """What the card gives as the command that made the model."""


def convert(order: Order) -> Comparison:
    """Convert a model, compare it with its source, and write it if it holds.

    Returns:
        The comparison.

    Raises:
        StrayedError: It strays beyond a tolerance; nothing was written.
        EdgeError: A model that cannot be converted so, no usable audio, or a bad place.
    """
    check_place(order.out)
    place = find_model(order.model, models_dir=order.models_dir)
    if order.out.resolve() == place.resolve():
        raise InputError(
            f"--out: {order.out} is the model itself, which would be lost",
            remedy="name another folder",
        )
    folder = read_folder(place, external=order.model_files)
    keys = convertible(folder, order.kind, order.only)
    audio = find_audio(order.data, folder.labels, deal=order.kind is Kind.INT8_STATIC)
    source = _Source(folder, prove_model(folder), keys, audio)
    try:
        with tempfile.TemporaryDirectory() as scratch, replacing(order.out) as part:
            graphs, changes, feeds = _converted(order.kind, source, Path(scratch))
            try:
                write_model(
                    part, folder, graphs, order.kind, changes=changes, model_files=order.model_files
                )
                comparison = _compared(order, source, part, feeds)
            except ModelError as error:
                raise InputError(
                    f"{place}: as {order.kind} it does not load: "
                    f"{error.what.removeprefix(f'{part}/')}",
                    remedy="keep it as it is",
                ) from None
            if broken := broken_tolerances(comparison.heard, order.tolerance):
                raise StrayedError(comparison, broken)
            write_card(part, comparison, command=order.command)
    except OSError as reason:
        raise InputError(
            f"{order.out}: cannot be written: {reason.strerror or reason}",
            remedy="free some space, or name another place for --out",
        ) from None
    finally:
        source.model.close()
    return comparison


@dataclass(frozen=True, slots=True)
class _Source:
    """What is converted, and the audio that it hears."""

    folder: ModelFolder
    model: Model
    keys: Sequence[str]
    """Of the graphs that are converted."""
    audio: Audio


def convertible(folder: ModelFolder, kind: Kind, only: str | None = None) -> list[str]:
    """Name the graphs of a model that can be converted to a form, by their keys in `files`.

    Args:
        folder: The verified folder.
        kind: The form.
        only: The one graph that is wanted.

    Raises:
        InputError: There is none.
    """
    backend = folder.manifest.backend
    with_head = backend == "stsg" or folder.manifest.aggregate is Aggregate.MEAN_EMBEDDING
    keys = ["head"] * with_head + ["model"] * (backend == "onnx")
    remedy = "int8 and float16 are for ONNX graphs: convert it by --to onnx first"
    if not kind.shrinks:
        check_converter(kind)
        other = "tflite" if kind is Kind.ONNX else "onnx"
        keys = ["model"] * (backend == other)
        remedy = f"--to {kind} is for models that run as {other}; heads are ONNX, and stay so"
    if only is not None:
        keys = [key for key in keys if key == only]
    if not keys:
        what = f"has no {only}" if only else "has no graph"
        raise InputError(
            f"{folder.path}: {what} that can be converted to {kind}; it runs as {backend}",
            remedy=remedy,
        )
    return keys


def _converted(
    kind: Kind, source: _Source, place: Path
) -> tuple[dict[str, Path], dict[str, Any], dict[str, list[Feed]]]:
    """Convert graphs into a folder.

    Returns:
        The files by their keys, what changes in the manifest, and inputs of ONNX graphs by key.
    """
    folder = source.folder
    if not kind.shrinks:
        graph, changes = for_other_runtime(kind, folder, place)
        return {"model": graph}, changes, {}
    feeds = given_inputs(folder, source.keys, source.audio.calibrated)
    graphs = {}
    for key in source.keys:
        path = _with_embedding(folder, place) if key == "model" else folder.file(key)
        graphs[key] = place / f"{key}.converted.onnx"
        shrink(path, graphs[key], kind, feeds[key])
        before, after = folder.file(key).stat().st_size, graphs[key].stat().st_size
        if after >= before:
            raise InputError(
                f"{folder.file(key)}: as {kind} it would have {after} bytes instead of {before}: "
                "there is nothing to gain",
                remedy="keep it as it is",
            )
    return graphs, {}, feeds


def _with_embedding(source: ModelFolder, place: Path) -> Path:
    """Make sure that the embedding is an output: quantisers rename what lies within a graph."""
    path = source.file("model")
    names = [argument.name for argument in open_session(path).get_outputs()]
    said = source.manifest.output.embeddings
    inner = [name for name in said if isinstance(name, str) and name not in names]
    if not inner:
        return path
    longer = place / "with-embedding.onnx"
    longer.write_bytes(with_outputs(path.read_bytes(), inner))
    return longer


def _compared(
    order: Order, source: _Source, part: Path, feeds: Mapping[str, Sequence[Feed]]
) -> Comparison:
    """Load the conversion and let both models hear the audio."""
    before, after = source.folder, read_folder(part, external=order.model_files)
    model = load_model(part, external=order.model_files)
    shown = None not in (source.model.info.embedding_size, model.info.embedding_size)
    heard = hear(
        source.model,
        model,
        source.audio.compared,
        with_embeddings=shown and "model" in source.keys,
    )
    model.close()
    graphs = tuple(
        Graph(
            key,
            before.file(key).stat().st_size,
            after.file(key).stat().st_size,
            run_seconds((before.file(key), after.file(key)), feeds[key]) if feeds else None,
        )
        for key in source.keys
    )
    heard = replace(heard, notes=(*source.audio.notes, *heard.notes))
    return Comparison(order.kind, before, after, graphs, heard, order.tolerance)


_REMEDIES = {
    Kind.INT8_DYNAMIC: "convert to float16, or allow more by that option",
    Kind.INT8_STATIC: "give more audio by --data to find the scales on, or convert to int8-dynamic",
}

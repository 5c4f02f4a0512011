"""`model.yaml`: what a model folder says of itself, and the files it stands on."""

import csv
import hashlib
import importlib.util
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from msgspec import Meta, Struct

from edge import strict_yaml
from edge.errors import ModelError
from edge.stsg.features import Normalisation
from edge.windows.clips import Aggregate

MANIFEST_NAME = "model.yaml"
FILES_VARIABLE = "EDGE_MODEL_FILES"
"""Environment variable: folders, separated by colons, that hold files of `external` models."""

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Positive = Annotated[int, Meta(gt=0)]
PositiveFloat = Annotated[float, Meta(gt=0)]
Probability = Annotated[float, Meta(ge=0, le=1)]


class Record(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of the manifest: read-only, and strict about its keys."""


class FileEntry(Record):
    """One file, and where it is: in the folder, in an installed package, or elsewhere."""

    path: str
    """Relative to the model folder, the package, or a folder of external files."""
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    size: Positive
    """Bytes."""
    package: Name | None = None
    """Installed Python package that carries the file."""
    external: Name | None = None
    """Name under which the user keeps a file that may not ship."""
    format: Literal["lines", "scientific_common", "csv"] | None = None
    """How labels are written; required for `labels`."""
    column: str | None = None
    """Column of a `csv` label file."""


class InputSpec(Record):
    """What the model listens to."""

    sample_rate: Positive
    """Hz."""
    clip_seconds: PositiveFloat
    step_seconds: PositiveFloat
    scale: Literal["unit", "int16"] = "unit"
    """Samples within ±1, or within ±32768."""
    tensor: str | None = None
    """Name of the input tensor; the only one by default."""


class OutputSpec(Record):
    """What the model says."""

    scores: int | str | None = None
    """Output tensor of the scores, by number or name."""
    embedding: int | str | None = None
    """Tensor of the embedding, by number or name; it may be an inner one."""
    activation: Literal["none", "sigmoid", "softmax"] = "none"
    """What turns the raw scores into probabilities."""


class FeaturesSpec(Record):
    """The mel frames of an STSG model (paper, Table 2a)."""

    frame_size: Positive = 8_000
    hop: Positive = 4_000
    fft_size: Positive = 8_192
    mel_bands: Positive = 768
    low_hz: Annotated[float, Meta(ge=0)] = 0.0
    high_hz: PositiveFloat = 16_000.0
    floor_db: float = -100.0
    normalisation: Normalisation = Normalisation.STANDARD


class StsgSpec(Record):
    """The tokens of an STSG model."""

    tokens: Positive
    dims: Positive
    vector_size: Positive
    features: FeaturesSpec
    search: Literal["exact", "approximate"] = "exact"
    """`approximate` takes the index in the codebook file as it is, such as HNSW."""


class GoldenSpec(Record):
    """A vector the model must reproduce when it is loaded."""

    scores: str
    """Key in `files` of the scores [shape=(n_labels,)] for the first clip of the built-in signal."""
    input: Literal["sweep"] = "sweep"
    """`edge.dsp.signals.golden_signal` at the model's rate, one clip long."""
    tolerance: PositiveFloat = 1e-4


class LicenceSpec(Record):
    """On what terms the model may be used."""

    name: str
    commercial_use: bool
    attribution: str = ""


class Manifest(Record):
    """The whole of `model.yaml`."""

    schema: Literal[1]
    name: Name
    version: str
    backend: Literal["stsg", "tflite", "onnx"]
    files: Mapping[str, FileEntry]
    input: InputSpec
    golden: GoldenSpec
    licence: LicenceSpec
    source: str
    output: OutputSpec = OutputSpec()
    stsg: StsgSpec | None = None
    aggregate: Aggregate = Aggregate.MEAN_PROBABILITY
    threshold: Probability = 0.5
    fallback: Name | None = None
    """Model to step down to when a time budget will not hold."""
    remedy: str = ""
    """The one command that makes the model usable where its files are missing."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A manifest that was read, with its files found and their hashes checked."""

    path: Path
    manifest: Manifest
    files: Mapping[str, Path]
    labels: tuple[str, ...]

    def file(self, key: str) -> Path:
        """Return the path of a file the backend needs.

        Raises:
            ModelError: The manifest does not name it.
        """
        if key not in self.files:
            raise self.error(f"files.{key}", "is missing", remedy=f"name the file under files.{key}")
        return self.files[key]

    def error(self, key: str, problem: str, *, remedy: str) -> ModelError:
        """Make an error that names this folder's manifest and a key in it."""
        return ModelError(f"{self.path / MANIFEST_NAME}: {key}: {problem}", remedy=remedy)


def read_manifest(folder: Path) -> Manifest:
    """Read `model.yaml` alone, without looking at the files it names.

    Raises:
        ModelError: No manifest there, or a bad one.
    """
    path = folder / MANIFEST_NAME
    if not path.is_file():
        raise ModelError(
            f"{folder}: holds no {MANIFEST_NAME}", remedy="name a model folder; see `edge models list`"
        )
    manifest = strict_yaml.read(path, Manifest, error=ModelError)
    for needed in ("labels", manifest.golden.scores):
        if needed not in manifest.files:
            raise ModelError(
                f"{path}: files.{needed}: is missing", remedy=f"name the file under files.{needed}"
            )
    return manifest


def read_folder(folder: Path, *, external: Sequence[Path] = ()) -> ModelFolder:
    """Read a model folder, find each file and check its size and hash.

    Args:
        folder: The folder that holds `model.yaml`.
        external: Folders to look for `external` files in, before those of $EDGE_MODEL_FILES.

    Raises:
        ModelError: Naming the file, the key and the remedy.
    """
    manifest = read_manifest(folder)
    elsewhere = [*external, *_folders_of_environment()]
    files = {
        key: _find_file(folder, key, entry, manifest, elsewhere)
        for key, entry in manifest.files.items()
    }
    labels = _read_labels(folder, manifest.files["labels"], files["labels"])
    return ModelFolder(folder, manifest, files, labels)


def sha256_of(path: Path) -> str:
    """Hash a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folders_of_environment() -> list[Path]:
    return [Path(part) for part in os.environ.get(FILES_VARIABLE, "").split(os.pathsep) if part]


def _find_file(
    folder: Path, key: str, entry: FileEntry, manifest: Manifest, elsewhere: Sequence[Path]
) -> Path:
    where = f"{folder / MANIFEST_NAME}: files.{key}"
    relative = PurePosixPath(entry.path)
    if relative.is_absolute() or ".." in relative.parts or "\\" in entry.path:
        raise ModelError(
            f"{where}.path: {entry.path!r} leaves its folder",
            remedy="give a path below the folder, without `..`",
        )
    if entry.package and entry.external:
        raise ModelError(f"{where}: has both package and external", remedy="keep one of them")
    roots = [folder]
    if entry.package:
        roots = _folders_of_package(entry.package)
    elif entry.external:
        roots = [root for base in elsewhere for root in (base / entry.external, base)]
    candidates = [root / relative for root in roots if (root / relative).is_file()]
    if not candidates:
        place = f"in package {entry.package}" if entry.package else "in the folder"
        place = f"among the external files of {entry.external}" if entry.external else place
        raise ModelError(
            f"{where}: {entry.path} is not {place}",
            remedy=manifest.remedy or "restore the file, or build the model again",
        )
    path = candidates[0]
    root = next(root for root in roots if path == root / relative)
    if not path.resolve().is_relative_to(root.resolve()):
        raise ModelError(
            f"{where}.path: {entry.path!r} leaves its folder through a link",
            remedy="put the file itself there",
        )
    size = path.stat().st_size
    if size != entry.size:
        raise ModelError(
            f"{where}.size: {path} holds {size} bytes, not {entry.size}",
            remedy="restore the file that the manifest was written for",
        )
    if (found := sha256_of(path)) != entry.sha256:
        raise ModelError(
            f"{where}.sha256: {path} hashes to {found[:12]}…, not {entry.sha256[:12]}…",
            remedy="restore the file that the manifest was written for",
        )
    return path


def _folders_of_package(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    return [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []


def _read_labels(folder: Path, entry: FileEntry, path: Path) -> tuple[str, ...]:
    where = f"{folder / MANIFEST_NAME}: files.labels"
    if entry.format is None:
        raise ModelError(f"{where}.format: is missing", remedy="lines, scientific_common or csv")
    text = path.read_text(encoding="utf-8")
    if entry.format == "csv":
        rows = list(csv.DictReader(text.splitlines()))
        if not rows or entry.column not in rows[0]:
            raise ModelError(
                f"{where}.column: {path.name} has no column {entry.column!r}",
                remedy=f"one of {', '.join(rows[0]) if rows else 'none: the file is empty'}",
            )
        labels = [row[entry.column] for row in rows]
    else:
        labels = [line.strip() for line in text.splitlines() if line.strip()]
    double = {label for label in labels if labels.count(label) > 1} if len(labels) < 1000 else (
        set() if len(set(labels)) == len(labels) else {"(several)"}
    )
    if double:
        raise ModelError(
            f"{where}: {path.name} repeats {', '.join(sorted(double))}",
            remedy="give each class a label of its own",
        )
    return tuple(labels)

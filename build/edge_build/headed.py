"""A base with another head as a model folder."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import yaml

from edge.errors import InputError
from edge.load import golden_scores, load_model, open_model
from edge.model.folder import ModelFolder, read_folder, sha256_of
from edge.model.manifest import MANIFEST_NAME, HeadTakes, Manifest
from edge.windows.clips import Aggregate
from edge_build.folder import replacing

OWN_FILES = {"head": "head.onnx", "labels": "labels.txt", "golden": "golden.npy"}
COPIES = "base"
"""The folder within the model's that holds copies of the base's files."""


def check_base(base: Manifest, *, where: str) -> None:
    """See that another head can take the place of the base's own.

    Raises:
        InputError: It cannot, naming `where` the base was named.
    """
    if base.stsg is not None and base.stsg.head_takes is HeadTakes.TOKENS:
        raise InputError(
            f"{where}: the head of {base.name} takes tokens and makes the embedding itself, so no "
            "other can take its place",
            remedy="give the model that taught it, or train tokens of your own; `edge-build "
            "evaluate` says what its embedding is worth",
        )


def write_headed(
    out: Path,
    base: ModelFolder,
    *,
    labels: Sequence[str],
    fill: Callable[[Path], Mapping[str, Any]],
    model_files: Sequence[Path] = (),
) -> Path:
    """Write a model folder whole or not at all, replacing the model that was there.

    What the base has in its own folder is copied; what lies in a package or is kept elsewhere is
    named as the base names it.

    Args:
        out: The folder.
        base: The verified base.
        labels: What the head knows.
        fill: Writes the head into the folder it is given, which has the labels by then, and what
            else is to lie there; returns the keys of the manifest that are not the base's.
        model_files: Folders to look for `external` files in.

    Returns:
        The folder, without a card yet.

    Raises:
        InputError: The place cannot be written.
        ModelError: The model does not load; nothing was changed.
    """
    with replacing(out) as part:
        files = _base_files(base, part)
        (part / OWN_FILES["labels"]).write_text("".join(f"{x}\n" for x in labels), "utf-8")
        manifest = {**_manifest_of(base, files, name=part.name), **fill(part)}
        golden = part / OWN_FILES["golden"]
        np.save(golden, np.zeros(len(labels), dtype=np.float32))
        _write_manifest(part, manifest)
        model = open_model(read_folder(part, external=model_files))
        np.save(golden, golden_scores(model))
        model.close()
        _write_manifest(part, manifest)
        load_model(part, external=model_files).close()
    return out.resolve()


def _base_files(base: ModelFolder, part: Path) -> dict[str, dict[str, Any]]:
    """Copy what lies in the base's folder; return the entries of all that its embedding needs."""
    own = {*OWN_FILES, base.manifest.golden.scores}
    files = {}
    for key, entry in base.manifest.files.items():
        if key in own:
            continue
        if entry.package is None and entry.external is None:
            copy = part / COPIES / entry.path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(base.files[key], copy)
            entry = msgspec.structs.replace(entry, path=f"{COPIES}/{entry.path}")  # noqa: PLW2901
        files[key] = _without_none(msgspec.to_builtins(entry))
    return files


def _manifest_of(
    base: ModelFolder, files: Mapping[str, dict[str, Any]], *, name: str
) -> dict[str, Any]:
    """Describe what comes from the base; `_write_manifest` adds the model's own files."""
    said = base.manifest
    output = _without_none(msgspec.to_builtins(said.output))
    # The scores come from the head, whatever the base makes of its own.
    described: dict[str, Any] = {
        "schema": 1,
        "name": name,
        "version": "",
        "backend": said.backend,
        "files": dict(files),
        "input": _without_none(msgspec.to_builtins(said.input)),
        "output": {key: output[key] for key in ("embedding", "pool") if key in output},
    }
    if said.stsg is not None:
        described["stsg"] = msgspec.to_builtins(said.stsg)
    else:
        described["aggregate"] = str(Aggregate.MEAN_EMBEDDING)
    return described | {
        "golden": {"scores": "golden", "tolerance": said.golden.tolerance},
        "remedy": said.remedy,
    }


def _write_manifest(part: Path, manifest: Mapping[str, Any]) -> None:
    files = dict(manifest["files"])
    for key, name in OWN_FILES.items():
        path = part / name
        files[key] = {"path": name, "sha256": sha256_of(path), "size": path.stat().st_size}
    files["labels"]["format"] = "lines"
    text = yaml.safe_dump(
        {**manifest, "files": files}, sort_keys=False, allow_unicode=True, width=100
    )
    (part / MANIFEST_NAME).write_text(text, "utf-8")


def _without_none(part: Any) -> Any:
    return {key: value for key, value in part.items() if value is not None}

"""A base and a head of one's own as a model folder."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import yaml

from edge.load import golden_scores, load_model, open_model
from edge.model.folder import ModelFolder, read_folder, sha256_of
from edge.model.manifest import MANIFEST_NAME
from edge.windows.clips import Aggregate
from edge_build.custom.attention import AttentionHead
from edge_build.custom.base import OWN_LICENCE
from edge_build.custom.calibration import Calibration
from edge_build.custom.fit import SigmoidHead
from edge_build.custom.graph import write_onnx
from edge_build.folder import replacing

OWN_FILES = {"head": "head.onnx", "labels": "labels.txt", "golden": "golden.npy"}
COPIES = "base"
"""The folder within the model's that holds copies of the base's files."""


def write_custom(
    out: Path,
    base: ModelFolder,
    *,
    head: SigmoidHead | AttentionHead,
    calibration: Calibration,
    labels: Sequence[str],
    thresholds: Mapping[str, float],
    threshold: float,
    model_files: Sequence[Path] = (),
) -> Path:
    """Write a model folder whole or not at all, replacing the model that was there.

    What the base has in its own folder is copied; what lies in a package or is kept elsewhere is
    named as the base names it.

    Args:
        out: The folder.
        base: The verified base.
        head: The trained head.
        calibration: Of its logits.
        labels: What the head knows.
        thresholds: Of labels.
        threshold: Of any other.
        model_files: Folders to look for `external` files in.

    Returns:
        The folder, without a card yet.

    Raises:
        InputError: The place cannot be written.
        ModelError: The model does not load; nothing was changed.
    """
    with replacing(out) as part:
        files = _base_files(base, part)
        write_onnx(head, calibration, part / OWN_FILES["head"])
        (part / OWN_FILES["labels"]).write_text("".join(f"{x}\n" for x in labels), "utf-8")
        manifest = _manifest_of(base, files, thresholds, name=part.name, threshold=threshold)
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
    base: ModelFolder,
    files: Mapping[str, dict[str, Any]],
    thresholds: Mapping[str, float],
    *,
    name: str,
    threshold: float,
) -> dict[str, Any]:
    """Describe the model, but for its own files, which `_write_manifest` looks at."""
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
    licence = said.licence
    return described | {
        "threshold": threshold,
        "thresholds": dict(thresholds),
        "golden": {"scores": "golden", "tolerance": said.golden.tolerance},
        "licence": {
            "name": licence.name
            if licence.name == OWN_LICENCE
            else f"{licence.name} (of {said.name}), and {OWN_LICENCE}",
            "commercial_use": licence.commercial_use,
            "attribution": licence.attribution,
        },
        "source": f"a head on the embeddings of {said.name} {said.version} ({said.source})",
        "remedy": said.remedy,
    }


def _write_manifest(part: Path, manifest: dict[str, Any]) -> None:
    files = dict(manifest["files"])
    for key, name in OWN_FILES.items():
        path = part / name
        files[key] = {"path": name, "sha256": sha256_of(path), "size": path.stat().st_size}
    files["labels"]["format"] = "lines"
    # Another training is another version: what a detection says of its model holds for good.
    digest = hashlib.sha256((files["head"]["sha256"] + files["labels"]["sha256"]).encode())
    text = yaml.safe_dump(
        {**manifest, "version": f"1-{digest.hexdigest()[:8]}", "files": files},
        sort_keys=False,
        allow_unicode=True,
        width=100,
    )
    (part / MANIFEST_NAME).write_text(text, "utf-8")


def _without_none(part: Any) -> Any:
    return {key: value for key, value in part.items() if value is not None}

"""A base and a head of one's own as a model folder."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edge.model.folder import ModelFolder, sha256_of
from edge_build.custom.attention import AttentionHead
from edge_build.custom.base import OWN_LICENCE
from edge_build.custom.calibration import Calibration
from edge_build.custom.fit import SigmoidHead
from edge_build.custom.graph import write_onnx
from edge_build.headed import OWN_FILES, write_headed


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
    said = base.manifest
    licence = said.licence

    def fill(part: Path) -> dict[str, Any]:
        write_onnx(head, calibration, part / OWN_FILES["head"])
        # Another training is another version: what a detection says of its model holds for good.
        parts = "".join(sha256_of(part / OWN_FILES[key]) for key in ("head", "labels"))
        return {
            "version": f"1-{hashlib.sha256(parts.encode()).hexdigest()[:8]}",
            "threshold": threshold,
            "thresholds": dict(thresholds),
            "licence": {
                "name": licence.name
                if licence.name == OWN_LICENCE
                else f"{licence.name} (of {said.name}), and {OWN_LICENCE}",
                "commercial_use": licence.commercial_use,
                "attribution": licence.attribution,
            },
            "source": f"a head on the embeddings of {said.name} {said.version} ({said.source})",
        }

    return write_headed(out, base, labels=labels, fill=fill, model_files=model_files)

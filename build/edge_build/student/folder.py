"""A student as a model folder."""

import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import yaml

from edge.contracts import FRAME_SECONDS
from edge.load import golden_scores, load_model, open_model
from edge.model.folder import read_folder, sha256_of
from edge.model.manifest import MANIFEST_NAME, HeadTakes, Manifest
from edge_build.folder import FILES, RECIPE_NAME, files_of, licence_of, replacing
from edge_build.learn import Tokens
from edge_build.recipe import Recipe
from edge_build.student.fit import Student
from edge_build.student.graph import write_onnx


def write_student(
    out: Path,
    recipe: Recipe,
    recipe_path: Path,
    *,
    student: Student,
    tokens: Tokens,
    teacher: Manifest,
) -> Path:
    """Write a model folder whole or not at all, replacing the model that was there.

    Args:
        out: The folder.
        recipe: How the student was made.
        recipe_path: Its file.
        student: The trained net.
        tokens: What it takes.
        teacher: What the teacher says of itself.

    Returns:
        The folder, without a card yet.

    Raises:
        InputError: The place cannot be written.
        ModelError: The model does not load; nothing was changed.
    """
    labels = student.curriculum.labels
    with replacing(out) as part:
        shutil.copyfile(tokens.path, part / FILES["codebook"])
        write_onnx(student, part / FILES["head"], per_window=recipe.frames_per_window)
        (part / FILES["labels"]).write_text("".join(f"{x}\n" for x in labels), "utf-8")
        shutil.copyfile(recipe_path, part / RECIPE_NAME)
        golden = part / FILES["golden"]
        np.save(golden, np.zeros(len(labels), dtype=np.float32))
        _write_manifest(part, recipe, tokens, teacher)
        model = open_model(read_folder(part))
        np.save(golden, golden_scores(model))
        model.close()
        _write_manifest(part, recipe, tokens, teacher)
        load_model(part).close()
    return out.resolve()


def _write_manifest(folder: Path, recipe: Recipe, tokens: Tokens, teacher: Manifest) -> None:
    files: dict[str, dict[str, Any]] = {}
    for key, path in files_of(folder).items():
        files[key] = {"path": path.name, "sha256": sha256_of(path), "size": path.stat().st_size}
    files["labels"]["format"] = "lines"
    manifest = {
        "schema": 1,
        "name": folder.name,
        "version": recipe.version,
        "backend": "stsg",
        "files": files,
        "input": {
            "sample_rate": recipe.sample_rate,
            "clip_seconds": FRAME_SECONDS,
            "step_seconds": FRAME_SECONDS,
        },
        "stsg": {
            "tokens": tokens.codebook.tokens,
            "dims": tokens.codebook.dims,
            "features": msgspec.to_builtins(recipe.features),
            "head_takes": str(HeadTakes.TOKENS),
        },
        "threshold": teacher.threshold,
        "golden": {"scores": "golden"},
        "licence": msgspec.to_builtins(licence_of(recipe, teacher)),
        "source": f"a student of {teacher.name} {teacher.version} ({teacher.source}), on: "
        f"{recipe.source}",
        "remedy": "build the model again with edge-build train",
    }
    text = yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True, width=100)
    (folder / MANIFEST_NAME).write_text(text, "utf-8")

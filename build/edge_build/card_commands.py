"""The command that made a result, as a model card gives it: for another machine to run again."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from edge.model.manifest import read_manifest
from edge.table.text import as_text
from edge_build.folder import RECIPE_NAME
from edge_build.folds import DEFAULT_PATTERN

PATHS_REMARK = f"Paths are cut to their last name; `{RECIPE_NAME}` lies beside this card."


def student_command(
    *,
    unlabelled: Sequence[Path],
    models_dir: Path | None,
    model_files: Sequence[Path],
    out: Path,
) -> str:
    """Write the `edge-build train` that made a student's folder.

    Args:
        unlabelled: The audio.
        models_dir: Folder of model folders, where it was given.
        model_files: Folders of files of `external` models.
        out: The model folder.
    """
    return _lines(
        ["train", RECIPE_NAME],
        _several("--unlabelled", unlabelled),
        *_places(models_dir, _names_of_files([], model_files)),
        ["--out", last_name(out)],
    )


def train_command(
    *,
    data: Path | None,
    unlabelled: Sequence[Path] = (),
    models_dir: Path | None = None,
    model_files: Sequence[Path] = (),
    base: Path | None = None,
    out: Path,
) -> str:
    """Write the `edge-build train` that made a model folder.

    Args:
        data: Folder of labelled folders; None where the clips were rendered.
        unlabelled: Audio without labels.
        models_dir: Folder of model folders that the recipe's base was looked for in first, where
            it was given.
        model_files: Folders of files of `external` models.
        base: The base's folder, where there is one.
        out: The model folder.
    """
    source = ["--synth"] if data is None else ["--data", last_name(data)]
    return _lines(
        ["train", RECIPE_NAME],
        source,
        _several("--unlabelled", unlabelled),
        *_places(models_dir, _names_of_files([] if base is None else [base], model_files)),
        ["--out", last_name(out)],
    )


def evaluate_command(
    systems: Sequence[Path],
    *,
    models: Sequence[Path],
    data: Path,
    unlabelled: Sequence[Path],
    folds: str,
    fold_pattern: str,
    recording: str | None,
    models_dir: Path | None,
    model_files: Sequence[Path],
    card: Path | None,
) -> str:
    """Write the `edge-build evaluate` that made a table, without what does not bear on its figures.

    Args:
        systems: Recipes, and the folders of models.
        models: Folders of all models that take part, those of recipes among them.
        data: Folder of labelled folders.
        unlabelled: Audio for what recipes learn without labels.
        folds: A rule of `folds_of`.
        fold_pattern: Finds the fold in a file's name.
        recording: Finds the recording there, where it was given.
        models_dir: Folder of model folders, where it was given.
        model_files: Folders of files of `external` models.
        card: The model folder that the card is in; its own recipe is called as it is there.
    """
    recipe = None if card is None else card / RECIPE_NAME
    own = recipe.read_bytes() if recipe is not None and recipe.is_file() else None
    names = [
        RECIPE_NAME if path.is_file() and path.read_bytes() == own else last_name(path)
        for path in systems
    ]
    table, colon, column = folds.rpartition(":")
    rule = f"{last_name(Path(table))}:{column}" if colon else folds
    return _lines(
        ["evaluate", *names],
        ["--data", last_name(data)],
        _several("--unlabelled", unlabelled),
        ["--folds", rule],
        ["--fold-pattern", fold_pattern] if fold_pattern != DEFAULT_PATTERN else [],
        ["--recording", recording] if recording is not None else [],
        *_places(models_dir, _names_of_files(models, model_files)),
    )


def _names_of_files(models: Sequence[Path], model_files: Sequence[Path]) -> list[str]:
    """Name the folders of external files; `DIR` where the environment said it."""
    if model_files:
        return [last_name(path) for path in model_files]
    entries = [entry for path in models for entry in read_manifest(path).files.values()]
    return ["DIR"] if any(entry.external is not None for entry in entries) else []


def last_name(path: Path) -> str:
    """Return a path's last name, also of `.` and `..`; links keep the name they were called by."""
    return as_text(Path(os.path.abspath(path)).name or str(path))


def _several(option: str, paths: Sequence[Path]) -> list[str]:
    return [option, *map(last_name, paths)] if paths else []


def _places(models_dir: Path | None, names: Sequence[str]) -> list[list[str]]:
    places = [] if models_dir is None else [["--models-dir", last_name(models_dir)]]
    return [*places, *(["--model-files", name] for name in names)]


def _lines(*parts: Sequence[str]) -> str:
    """Join the parts of an `edge-build` command, each on a line, as a Markdown block."""
    lines = " \\\n    ".join(shlex.join(part) for part in parts if part)
    return f"```\nedge-build {lines}\n```"

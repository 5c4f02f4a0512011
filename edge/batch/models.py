"""Which models a run uses, and what is known of them before they are loaded."""

import hashlib
from dataclasses import dataclass

from edge.batch.options import Options
from edge.contracts import WindowKind
from edge.errors import InputError, ModelError
from edge.load import find_model
from edge.model.folder import ModelFolder, read_folder
from edge.model.manifest import MANIFEST_NAME


@dataclass(frozen=True, slots=True)
class ChosenModel:
    """A model folder that was read, its files found and hashed."""

    folder: ModelFolder
    id: str
    """`name@version`."""
    fingerprint: str
    """The id and the hash of the manifest, which holds those of all other files."""
    labels: tuple[str, ...]


def choose_models(options: Options) -> tuple[list[ChosenModel], list[str]]:
    """Find the model and, where there is a budget, its fallback.

    Returns:
        The models, the primary one first, and remarks for the user.

    Raises:
        EdgeError: The model, or a fallback that was asked for, cannot be used.
    """
    primary = _read(options.model, options)
    chosen = [_describe(primary)]
    remarks: list[str] = []
    name = options.fallback or primary.manifest.fallback
    if options.budget_s is None or name is None:
        if options.fallback is not None:
            raise InputError("--fallback: does nothing without --budget", remedy="give a --budget")
        return chosen, remarks
    try:
        fallback = _read(name, options)
        _check_windows(primary, fallback, options.windows)
        if fallback.path.resolve() != primary.path.resolve():
            chosen.append(_describe(fallback))
    except ModelError as error:
        if options.fallback is not None:
            raise
        remarks.append(f"no model to step down to: {error.what}")
    return chosen, remarks


def _read(name: str, options: Options) -> ModelFolder:
    folder = find_model(name, models_dir=options.models_dir)
    return read_folder(folder, external=options.model_files)


def _check_windows(primary: ModelFolder, fallback: ModelFolder, windows: WindowKind) -> None:
    clips = [
        (model.manifest.input.clip_seconds, model.manifest.input.step_seconds)
        for model in (primary, fallback)
    ]
    if windows is WindowKind.NATIVE and clips[0] != clips[1]:
        raise ModelError(
            f"{fallback.manifest.name} has other clips than {primary.manifest.name}, "
            "so that their native windows do not match",
            remedy="use --windows frame, or another --fallback",
        )


def _describe(model: ModelFolder) -> ChosenModel:
    manifest = model.manifest
    text = (model.path / MANIFEST_NAME).read_bytes()
    name = f"{manifest.name}@{manifest.version}"
    return ChosenModel(model, name, f"{name} {hashlib.sha256(text).hexdigest()[:16]}", model.labels)

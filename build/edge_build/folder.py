"""What was learnt as a model folder: written beside its place, proved, then moved there."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import yaml

from edge.batch.outputs import check_folder
from edge.contracts import FRAME_SECONDS, Model
from edge.errors import InputError
from edge.model.folder import read_folder, sha256_of
from edge.model.manifest import MANIFEST_NAME, LicenceSpec, Manifest, Name
from edge_build.export import write_onnx
from edge_build.learn import Learnt
from edge_build.recipe import Recipe

FILES = {
    "codebook": "codebook.faiss",
    "vectors": "vectors.npy",
    "head": "head.onnx",
    "labels": "labels.txt",
    "golden": "golden.npy",
}
CARD_NAME = "MODEL_CARD.md"
RECIPE_NAME = "recipe.yaml"


def check_place(out: Path) -> None:
    """Make sure that a model folder may be written, before hours of work.

    Raises:
        InputError: Something else is there, the folder's name is none for a model, or the place
            cannot be written to.
    """
    name = out.resolve().name
    try:
        msgspec.convert(name, Name)
    except msgspec.ValidationError:
        raise InputError(
            f"{out}: {name!r} is no name for a model, and a model is called after its folder",
            remedy="use letters, digits, `.`, `_` and `-`, a letter or digit first",
        ) from None
    if (
        out.exists()
        and not (out / MANIFEST_NAME).is_file()
        and (not out.is_dir() or any(out.iterdir()))
    ):
        raise InputError(
            f"{out}: is there already and is no model folder",
            remedy="name another place for --out, or move what is there",
        )
    check_folder("--out", next(place for place in out.resolve().parents if place.exists()))


def write_folder(out: Path, recipe: Recipe, recipe_path: Path, learnt: Learnt) -> Path:
    """Write a model folder whole or not at all, replacing the model that was there.

    Returns:
        The folder, without a card yet.

    Raises:
        InputError: The place cannot be written.
        ModelError: The model does not load; nothing was changed.
    """
    from edge.load import load_model  # noqa: PLC0415 (the backends are heavy)

    with replacing(out) as part:
        if learnt.tokens is not None:
            shutil.copyfile(learnt.tokens.path, part / FILES["codebook"])
        if learnt.vectors is not None:
            np.save(part / FILES["vectors"], learnt.vectors)
        write_onnx(learnt.head, part / FILES["head"])
        (part / FILES["labels"]).write_text("".join(f"{x}\n" for x in learnt.labels), "utf-8")
        shutil.copyfile(recipe_path, part / RECIPE_NAME)
        _write_golden(part, recipe, learnt)
        load_model(part).close()
    return out.resolve()


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """Make a folder beside `out`, which takes its place when the context ends without an error.

    A kill while it does leaves what was there as `.NAME.old`.

    Args:
        out: The model folder to be.

    Yields:
        The folder to fill, which is called as `out` is.

    Raises:
        InputError: The place cannot be written.
    """
    check_place(out)
    out = out.resolve()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}.part-", dir=out.parent))
    except OSError as reason:
        raise InputError(
            f"{out}: cannot be written: {reason.strerror}", remedy="name another place for --out"
        ) from None
    try:
        part = scratch / out.name
        part.mkdir()
        part.chmod(0o755)
        yield part
        _replace(out, part)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def manifest_of(folder: Path, recipe: Recipe, learnt: Learnt) -> dict[str, Any]:
    """Describe the files of a folder, which gives the model its name, as its `model.yaml`."""
    files: dict[str, dict[str, Any]] = {}
    for key, path in files_of(folder).items():
        files[key] = {"path": path.name, "sha256": sha256_of(path), "size": path.stat().st_size}
    files["labels"]["format"] = "lines"
    return {
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
            "tokens": learnt.tokens.codebook.tokens if learnt.tokens else 0,
            "dims": learnt.tokens.codebook.dims if learnt.tokens else 0,
            "books": learnt.tokens.codebook.books if learnt.tokens else 1,
            "vector_size": 0 if learnt.vectors is None else learnt.vectors.shape[1],
            "features": msgspec.to_builtins(recipe.features),
            "pool": msgspec.to_builtins(recipe.window),
        },
        "golden": {"scores": "golden"},
        "licence": msgspec.to_builtins(recipe.licence),
        "source": recipe.source,
        "remedy": "build the model again with edge-build train",
    }


def files_of(folder: Path) -> dict[str, Path]:
    """Name the files of a model folder that are there, by their keys."""
    return {key: folder / name for key, name in FILES.items() if (folder / name).is_file()}


def licence_of(recipe: Recipe, other: Manifest) -> LicenceSpec:
    """Join the terms of the recipe's audio with those of the model that another is made with."""
    own, its = recipe.licence, other.licence
    return LicenceSpec(
        name=f"{its.name} (of {other.name}), and {own.name}",
        commercial_use=own.commercial_use and its.commercial_use,
        attribution=" ".join(filter(None, [its.attribution, own.attribution])),
    )


def _write_golden(folder: Path, recipe: Recipe, learnt: Learnt) -> None:
    """Let the folder's own files score the built-in signal, and store that with the manifest."""
    from edge.backends import stsg  # noqa: PLC0415 (heavy)
    from edge.load import golden_scores  # noqa: PLC0415

    path = folder / FILES["golden"]
    np.save(path, np.zeros(len(learnt.labels), dtype=np.float32))
    _write_manifest(folder, recipe, learnt)
    model: Model = stsg.load(read_folder(folder))
    np.save(path, golden_scores(model))
    model.close()
    _write_manifest(folder, recipe, learnt)


def _write_manifest(folder: Path, recipe: Recipe, learnt: Learnt) -> None:
    text = yaml.safe_dump(
        manifest_of(folder, recipe, learnt), sort_keys=False, allow_unicode=True, width=100
    )
    (folder / MANIFEST_NAME).write_text(text, "utf-8")


def _replace(out: Path, part: Path) -> None:
    """Put `part` in the place of `out`."""
    old = out.parent / f".{out.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    part.rename(out)
    shutil.rmtree(old, ignore_errors=True)

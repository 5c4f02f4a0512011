"""`edge-build train` with a recipe of a base: from labelled audio to a head on a model."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edge.load import find_model
from edge.model.folder import ModelFolder, read_folder
from edge.model.manifest import Manifest
from edge_build.cache import Cache
from edge_build.card_commands import train_command
from edge_build.custom.examples import Cut, EmbeddingStore
from edge_build.dataset import Clip, choose_clips, find_labelled
from edge_build.embeddings import load_embedder
from edge_build.export import write_onnx
from edge_build.folder import RECIPE_NAME, check_place, licence_of
from edge_build.frozen.card import write_card
from edge_build.frozen.evaluate import numbers_of
from edge_build.head import Head, fit_heads
from edge_build.headed import OWN_FILES, check_base, write_headed
from edge_build.learn import Examples
from edge_build.recipe import Recipe, one_group, read_recipe


@dataclass(frozen=True, slots=True, eq=False)
class Headed:
    """A base with a recipe's head, and how it came about."""

    folder: Path
    base: Manifest
    labels: tuple[str, ...]
    head: Head
    notes: tuple[str, ...]
    """What was left out, a line each."""


def train_frozen(
    recipe_path: Path,
    *,
    data: Path,
    out: Path,
    models_dir: Path | None = None,
    model_files: Sequence[Path] = (),
    cache: Cache,
) -> Headed:
    """Make a model folder: a recipe's head on the embeddings of its base.

    Args:
        recipe_path: A recipe with `base`.
        data: Folder of `label/*.ogg|wav|flac|mp3`.
        out: The model folder to write.
        models_dir: A folder of model folders that is looked through before the shipped ones.
        model_files: Folders to look for `external` files in.
        cache: Where embeddings are kept; a second run takes up from them.

    Raises:
        EdgeError: A bad recipe, no such base, no usable audio, or a place that cannot be written.
    """
    recipe = read_recipe(recipe_path)
    assert recipe.base is not None
    check_place(out)
    place = find_model(recipe.base, models_dir=models_dir)
    base = read_folder(place, external=model_files)
    check_base(base.manifest, where=f"{recipe_path}: base")
    pattern = one_group(recipe.recording, where="recording") if recipe.recording else None
    found, left_out = find_labelled(data, recording=pattern)
    model = load_embedder(place, model_files)
    store = EmbeddingStore(model, base.manifest, cache, cut=Cut.EVERY)
    good, bad = store.add(found)
    model.close()
    clips, _, notes = choose_clips(good, [*left_out, *bad])
    labels = tuple(sorted({clip.label for clip in clips if clip.label}))
    examples = _examples(clips, store, labels)
    head = fit_heads(
        examples.embeddings, examples.labels, examples.recordings, recipe.head, seed=recipe.seed
    )
    folder = write_headed(
        out,
        base,
        labels=labels,
        fill=lambda part: _fill(part, recipe, recipe_path, base, head),
        model_files=model_files,
    )
    command = train_command(
        data=data, models_dir=models_dir, model_files=model_files, base=place, out=folder
    )
    write_card(
        folder,
        recipe,
        base.manifest,
        clips=clips,
        examples=examples,
        head=head,
        notes=notes,
        command=command,
    )
    return Headed(folder, base.manifest, labels, head, tuple(notes))


def _examples(clips: Sequence[Clip], store: EmbeddingStore, labels: Sequence[str]) -> Examples:
    """Give each window of each clip its clip's label."""
    rows = [store.windows(clip)[1] for clip in clips]
    numbers = numbers_of(rows)
    truth = np.array([labels.index(clip.label or "") for clip in clips], dtype=np.intp)
    return Examples(
        np.concatenate(rows), truth[numbers], tuple(clips[number].recording for number in numbers)
    )


def _fill(
    part: Path, recipe: Recipe, recipe_path: Path, base: ModelFolder, head: Head
) -> dict[str, Any]:
    """Write head and recipe; return what the manifest says of them."""
    write_onnx(head, part / OWN_FILES["head"])
    shutil.copyfile(recipe_path, part / RECIPE_NAME)
    said = base.manifest
    return {
        "version": recipe.version,
        "licence": msgspec.to_builtins(licence_of(recipe, said)),
        "source": f"a head on the embeddings of {said.name} {said.version} ({said.source}), on: "
        f"{recipe.source}",
    }

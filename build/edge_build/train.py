"""`edge-build train`: from a recipe and a folder of audio to a model folder."""

from collections.abc import Sequence
from pathlib import Path

from edge_build.cache import Cache
from edge_build.card import add_scores, write_card
from edge_build.card_commands import train_command
from edge_build.dataset import find_labelled, find_unlabelled
from edge_build.folder import check_place, write_folder
from edge_build.learn import Chain, Learnt
from edge_build.recipe import one_group, read_recipe
from edge_build.rendered import render_clips, score_renderings


def train(
    recipe_path: Path,
    *,
    data: Path | None,
    out: Path,
    unlabelled: Sequence[Path] = (),
    cache: Cache,
) -> Learnt:
    """Make a model folder.

    Args:
        recipe_path: The recipe.
        data: Folder of `label/*.ogg|wav|flac|mp3`; None to render the recipe's `synth` clips.
        out: The model folder to write.
        unlabelled: Audio for codebook and vectors alone.
        cache: Where results are kept; a second run takes up from them.

    Raises:
        EdgeError: A bad recipe, no usable audio, or a place that cannot be written.
    """
    recipe = read_recipe(recipe_path)
    check_place(out)
    folder = data if data is not None else render_clips(recipe, cache)
    recording = one_group(recipe.recording, where="recording") if recipe.recording else None
    chain = Chain(recipe, cache)
    found, left_out = find_labelled(folder, recording=recording)
    clips, others, notes = chain.prepare(found, find_unlabelled(unlabelled), left_out)
    learnt = chain.learn(clips, others, notes)
    model_folder = write_folder(out, recipe, recipe_path, learnt)
    command = train_command(data=data, unlabelled=unlabelled, out=model_folder)
    card = write_card(model_folder, recipe, learnt, command)
    if data is None:
        add_scores(card, "Freshly rendered recordings", score_renderings(model_folder, recipe))
    return learnt

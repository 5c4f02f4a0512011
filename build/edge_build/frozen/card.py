"""The model card of a recipe's head on a model."""

from collections.abc import Sequence
from pathlib import Path

from edge.model.manifest import Manifest, read_manifest
from edge_build.card import (
    SCORES_HEADING,
    labelled_of,
    said_of_repetition,
    terms_of,
    validation_of,
)
from edge_build.card_commands import PATHS_REMARK
from edge_build.dataset import Clip
from edge_build.folder import CARD_NAME, RECIPE_NAME, licence_of
from edge_build.head import Head
from edge_build.learn import Examples
from edge_build.recipe import Recipe


def write_card(
    folder: Path,
    recipe: Recipe,
    base: Manifest,
    *,
    clips: Sequence[Clip],
    examples: Examples,
    head: Head,
    notes: Sequence[str],
    command: str,
) -> Path:
    """Write the card of a folder that holds a recipe's head on a base.

    Args:
        folder: The model folder.
        recipe: Its recipe.
        base: What the base says of itself.
        clips: What the head was trained on.
        examples: Their windows.
        head: The trained head.
        notes: What was left out, a line each.
        command: What made it, as Markdown.

    Returns:
        The card's path.
    """
    manifest = read_manifest(folder)
    labels = sorted({clip.label for clip in clips if clip.label})
    sections = [
        f"# {folder.name} {recipe.version}",
        f"A head on the embeddings of {base.name} {base.version}, which stays as it is, made by "
        f"`edge-build train`: 5-second windows of {base.input.sample_rate} Hz audio to "
        f"{len(labels)} probabilities that sum to 1.",
        "## Classes",
        ", ".join(labels),
        "## Data",
        "\n".join(
            [
                recipe.source,
                "",
                labelled_of(clips),
                f"- {len(examples.labels)} windows of 5 s, all that are in the clips",
                *(f"- {note}" for note in notes),
            ]
        ),
        "## Licence",
        terms_of(licence_of(recipe, base)),
        SCORES_HEADING,
        validation_of(recipe, examples, head),
        "## Files",
        _files(manifest),
        "## Made again",
        f"{command}\n\n{PATHS_REMARK}",
        said_of_repetition(recipe),
        "## Recipe",
        f"```yaml\n{(folder / RECIPE_NAME).read_text('utf-8').rstrip()}\n```",
    ]
    path = folder / CARD_NAME
    path.write_text("\n\n".join(sections) + "\n", "utf-8")
    return path


def _files(manifest: Manifest) -> str:
    """List a model's files and their sizes, and where those are that are not in its folder."""
    lines = ["| file | kB | |", "|---|---:|---|"]
    for entry in manifest.files.values():
        where = f"in the package {entry.package}" if entry.package else ""
        where = f"kept by the user as {entry.external}" if entry.external else where
        lines.append(f"| {entry.path} | {entry.size / 1000:.1f} | {where} |")
    total = sum(entry.size for entry in manifest.files.values())
    return "\n".join([*lines, f"| all | {total / 1000:.1f} | |"])

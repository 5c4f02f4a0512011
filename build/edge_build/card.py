"""`MODEL_CARD.md`: data, licence, scores, sizes and recipe, for whoever uses the model."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge.model.manifest import LicenceSpec
from edge_build.card_commands import PATHS_REMARK
from edge_build.dataset import Clip
from edge_build.folder import CARD_NAME, RECIPE_NAME, files_of
from edge_build.head import Head, split_by_recording
from edge_build.learn import Examples, Learnt
from edge_build.pinned import library_versions
from edge_build.recipe import Recipe
from edge_build.scores import score_table

SCORES_HEADING = "## Scores"


def write_card(folder: Path, recipe: Recipe, learnt: Learnt, command: str) -> Path:
    """Write the card of a folder that `write_folder` made.

    Args:
        folder: The model folder.
        recipe: Its recipe.
        learnt: What it was made of.
        command: What made it, as Markdown.

    Returns:
        The card's path.
    """
    sections = [
        f"# {folder.name} {recipe.version}",
        "A Spectrogram Token Skip-Gram (STSG) model, made by `edge-build train`: 5-second windows "
        f"of {recipe.sample_rate} Hz audio, {recipe.frames_per_window} frames each, to "
        f"{len(learnt.labels)} probabilities that sum to 1.",
        "## Classes",
        ", ".join(learnt.labels),
        "## Data",
        _data(recipe, learnt),
        "## Licence",
        terms_of(recipe.licence),
        SCORES_HEADING,
        f"{validation_of(recipe, learnt.examples, learnt.head)} The codebook and the vectors have "
        "seen these windows, without their labels.",
        "## Files",
        files_table(folder),
        "## Windows",
        _windows(recipe, learnt),
        "## Made again",
        f"{command}\n\n{PATHS_REMARK}",
        said_of_repetition(recipe),
        "## Recipe",
        f"```yaml\n{(folder / RECIPE_NAME).read_text('utf-8').rstrip()}\n```",
    ]
    path = folder / CARD_NAME
    path.write_text("\n\n".join(sections) + "\n", "utf-8")
    return path


def add_scores(card: Path, title: str, text: str) -> None:
    """Put a result under the card's scores, in the place of an earlier one with that title.

    Args:
        card: A `MODEL_CARD.md` that `write_card` wrote.
        title: The result's heading.
        text: Markdown.
    """
    lines = card.read_text("utf-8").split("\n")
    heading = f"### {title}"
    if heading in lines:
        first = lines.index(heading)
        end = next(i for i in range(first + 1, len(lines)) if lines[i].startswith("#"))
        del lines[first:end]
    start = lines.index(SCORES_HEADING) + 1
    end = next((i for i in range(start, len(lines)) if lines[i].startswith("## ")), len(lines))
    lines[end:end] = [heading, "", *text.strip().split("\n"), ""]
    part = card.with_name(f".{card.name}.part")
    part.write_text("\n".join(lines), "utf-8")
    part.replace(card)


def _data(recipe: Recipe, learnt: Learnt) -> str:
    folders = Counter(clip.name.split("/")[0] for clip in learnt.unlabelled)
    lines = [
        f"{recipe.source}",
        "",
        labelled_of(learnt.clips),
        f"- {len(learnt.unlabelled)} files without labels, for codebook and vectors alone"
        + (": " + ", ".join(f"{name} {n}" for name, n in folders.items()) if folders else ""),
        f"- {learnt.frames} frames in all",
        *(f"- {note}" for note in learnt.notes),
    ]
    return "\n".join(lines)


def labelled_of(clips: Sequence[Clip]) -> str:
    """Count labelled clips, as an item of a list."""
    counts = Counter(clip.label or "" for clip in clips)
    recordings = len({clip.recording for clip in clips})
    return f"- {len(clips)} labelled clips of {recordings} recordings: " + ", ".join(
        f"{label} {count}" for label, count in sorted(counts.items())
    )


def terms_of(licence: LicenceSpec) -> str:
    """Say on what terms a model may be used."""
    use = "allowed" if licence.commercial_use else "not allowed"
    return f"{licence.name}; commercial use is {use}. {licence.attribution}".rstrip()


def validation_of(recipe: Recipe, examples: Examples, head: Head) -> str:
    """Say how the recipe's head did on the windows that ended its training."""
    spec = recipe.head
    _, held = split_by_recording(
        examples.labels, examples.recordings, share=spec.validation_share, seed=recipe.seed
    )
    found = score_table(examples.labels[held], head.probabilities(examples.embeddings[held]))
    return (
        f"On the {len(held)} windows that stopped the training of the head, and so a flattering "
        f"figure: macro F1 {found.macro_f1:.3f}, accuracy {found.accuracy:.3f}, cross-entropy "
        f"{head.validation_loss:.3f} after {head.epochs} epochs."
    )


def _windows(recipe: Recipe, learnt: Learnt) -> str:
    parts = [f"{', '.join(part.by)} of the {part.of}" for part in recipe.window]
    lines = [f"A window's vector: {'; '.join(parts)}."]
    if learnt.tokens is not None and recipe.tokens is not None:
        codebook = learnt.tokens.codebook
        lines.append(f"Points of {codebook.dims} dimensions ({recipe.tokens.projection.upper()}).")
        if codebook.tokens:
            lines.append(
                f"{codebook.tokens} tokens; {learnt.tokens.unseen} of them never occurred in the "
                "data, and have zeros for a vector."
            )
    return " ".join(lines)


def files_table(folder: Path) -> str:
    """List a model folder's files and their sizes, as Markdown."""
    rows: Sequence[tuple[str, int]] = [
        (path.name, path.stat().st_size) for path in files_of(folder).values()
    ]
    total = float(np.sum([size for _, size in rows]))
    lines = ["| file | kB |", "|---|---:|"]
    lines += [f"| {name} | {size / 1000:.1f} |" for name, size in rows]
    return "\n".join([*lines, f"| all | {total / 1000:.1f} |"])


def said_of_repetition(recipe: Recipe) -> str:
    """Say how far the same recipe gives the same files, and by which versions these were made."""
    versions = ", ".join(f"{name} {number}" for name, number in library_versions().items())
    if not recipe.deterministic:
        return f"Not bit for bit: the recipe says `deterministic: false`. Made with {versions}."
    return (
        "The same recipe, data and library versions give the same files, bit for bit: `model.yaml` "
        "holds their hashes. That holds on x86-64 processors with AVX2, where the libraries are "
        "told which routines to use and to use one thread; on other processors the files differ in "
        f"their last bits. Made with {versions}."
    )

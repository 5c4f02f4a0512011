"""The model card of a student."""

from collections import Counter
from pathlib import Path

from edge_build.card import SCORES_HEADING, files_table, said_of_repetition, terms_of
from edge_build.card_commands import PATHS_REMARK
from edge_build.folder import CARD_NAME, RECIPE_NAME, licence_of
from edge_build.student.agreement import SURE, Agreement
from edge_build.student.taught import Taught
from edge_build.torch_session import torch_version


def write_card(made: Taught, command: str) -> Path:
    """Write the card of a folder that `write_student` made.

    Args:
        made: The student.
        command: What made it, as Markdown.

    Returns:
        The card's path.
    """
    recipe, teacher = made.recipe, made.teacher
    sections = [
        f"# {made.folder.name} {recipe.version}",
        f"A student of {teacher.name} {teacher.version}: a small net on spectrogram tokens that "
        f"was taught, by `edge-build train`, to answer as its teacher does. 5-second windows of "
        f"{recipe.sample_rate} Hz audio, {recipe.frames_per_window} tokens each, to "
        f"{len(made.student.curriculum.labels)} probabilities"
        f"{_meaning(made)}",
        "## Data",
        _data(made),
        "## Licence",
        terms_of(licence_of(recipe, teacher)),
        SCORES_HEADING,
        _agreement(made),
        "## Training",
        _training(made),
        "## Files",
        files_table(made.folder),
        "## Made again",
        f"{command}\n\n{PATHS_REMARK}",
        f"{said_of_repetition(recipe)[:-1]}, torch {torch_version()}.",
        "## Recipe",
        f"```yaml\n{(made.folder / RECIPE_NAME).read_text('utf-8').rstrip()}\n```",
    ]
    path = made.folder / CARD_NAME
    path.write_text("\n\n".join(sections) + "\n", "utf-8")
    return path


def _meaning(made: Taught) -> str:
    curriculum = made.student.curriculum
    if curriculum.rest:
        return ", shares of one distribution; what is missing to 1 is any other label."
    if curriculum.exclusive:
        return " that sum to 1."
    return ", each on its own: several labels may be in a window, or none."


def _data(made: Taught) -> str:
    parts = (made.split.teaching, made.split.judging, made.split.held_out)
    rows = ["| part | files | recordings | windows |", "|---|---:|---:|---:|"]
    for name, clips, windows in zip(_PARTS, parts, made.windows, strict=True):
        recordings = len({clip.recording for clip in clips})
        rows.append(f"| {name} | {len(clips)} | {recordings} | {windows} |")
    folders = Counter(clip.name.split("/")[0] for part in parts for clip in part)
    return "\n".join(
        [
            made.recipe.source,
            "",
            *rows,
            "",
            "- files: " + ", ".join(f"{name} {count}" for name, count in sorted(folders.items())),
            *(f"- {note}" for note in made.notes),
        ]
    )


def _agreement(made: Taught) -> str:
    rows = ["| | student | the teacher's mean, whatever is heard |", "|---|---:|---:|"]
    columns = (_figures(made.agreement), _figures(made.constant))
    for name, one, other in zip(_FIGURES, *columns, strict=True):
        rows.append(f"| {name} | {one} | {other} |")
    found = made.agreement
    return "\n".join(
        [
            "Agreement with the teacher, not with the truth, on held-out recordings that no part "
            f"of the training has heard, codebook and vectors included: {found.windows} windows. "
            f"The teacher scores a label above {SURE:g} in {found.sure} of them, {found.heard} "
            "labels in all.",
            "",
            *rows,
        ]
    )


def _figures(found: Agreement) -> list[str]:
    figures = (found.top1, found.sure_top1, found.rank_correlation, found.average_precision)
    return [*(f"{figure:.3f}" for figure in figures), f"{found.divergence:.3f}"]


def _training(made: Taught) -> str:
    spec, student = made.spec, made.student
    codebook = made.tokens.codebook
    kind = "shares of one distribution" if student.curriculum.exclusive else "labels on their own"
    labels = len(student.curriculum.labels)
    which = (
        "all of them"
        if labels == made.teacher_labels
        else "those with the highest score anywhere in the audio that was learnt from"
    )
    return (
        f"{labels} of the teacher's {made.teacher_labels} labels, {which}. Its scores are "
        f"{kind}; the loss is the KL divergence of what both say at temperature "
        f"{spec.temperature:g}, times its square. {codebook.tokens} tokens, whose vectors begin "
        f"as those of the skip-gram; {student.parameters} parameters. Validation loss "
        f"{student.validation_loss:.3f} after {student.epochs} epochs."
    )


_PARTS = ("learnt from", "when to stop", "held out")
_FIGURES = (
    "same label first",
    f"same label first, where the teacher is above {SURE:g}",
    "rank correlation of a window's labels (Spearman, mean)",
    f"average precision of the teacher's labels above {SURE:g} (mean over labels)",
    "KL divergence of a window (nats, mean)",
)

"""The model card and reliability picture of a custom model."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge.model.manifest import Manifest
from edge_build.card_commands import last_name
from edge_build.custom.base import OWN_LICENCE, TOKENS
from edge_build.custom.calibration import BINS, Reliability
from edge_build.custom.made import Made
from edge_build.custom.marked import Tally
from edge_build.custom.thresholds import LabelThreshold
from edge_build.custom.windows import MOST_WINDOWS
from edge_build.dataset import BACKGROUND
from edge_build.folder import CARD_NAME
from edge_build.labels.grid import LEAST_SECONDS
from edge_build.pinned import library_versions
from edge_build.torch_session import torch_version

PICTURE_NAME = "reliability.png"


def write_card(
    made: Made,
    *,
    data: Path,
    recording: str | None,
    labels: Sequence[Path] = (),
    label_column: str | None = None,
) -> Path:
    """Write card and picture into a folder that `write_custom` made.

    Args:
        made: The model.
        data: Folder that the clips came from.
        recording: How recordings were told by names, where that was given.
        labels: Label files and folders of them, where labels have times.
        label_column: Of Raven's tables, where that was given.

    Returns:
        The card's path.
    """
    base, judged = made.base, made.judgement
    draw_reliability(judged.before, judged.after, made.folder / PICTURE_NAME)
    warnings = [f"- {note}" for note in made.notes] or ["- none"]
    sections = [
        f"# {made.folder.name}",
        f"A head on the embeddings of {base.name} {base.version}, made by `edge-build train`: 5 s "
        f"windows to {len(made.examples.labels)} probabilities, each on its own: several labels "
        "may be in a window, or none.",
        "## Warnings",
        "\n".join(warnings),
        "## Data",
        _data(made) if made.tally is None else _marked_data(made, made.tally),
        "## Licence",
        _licence(base),
        "## Scores",
        _scores(made),
        "## Calibration",
        _calibration(judged.before, judged.after),
        "## Thresholds",
        _thresholds(made.examples.labels, judged.thresholds, made.precision),
        "## Training",
        _training(made),
        "## Made again",
        _command(made, data, recording=recording, labels=labels, label_column=label_column),
    ]
    path = made.folder / CARD_NAME
    path.write_text("\n\n".join(sections) + "\n", "utf-8")
    return path


def draw_reliability(before: Reliability, after: Reliability, path: Path) -> None:
    """Draw what was observed against what was predicted, and how often, into a PNG."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (heavy)

    figure = Figure(figsize=(6, 7), layout="constrained")
    lines, bars = figure.subplots(2, 1, height_ratios=[3, 1], sharex=True)
    lines.plot([0, 1], [0, 1], color="grey", linestyle=":")
    for name, found, colour in (
        ("before", before, "tab:orange"),
        ("after calibration", after, "tab:green"),
    ):
        full = found.counts > 0
        lines.plot(
            found.predicted[full],
            found.observed[full],
            marker="o",
            color=colour,
            label=f"{name}: error {found.error:.3f}",
        )
    lines.set_ylabel("observed")
    lines.legend(loc="upper left")
    bars.bar((np.arange(BINS) + 0.5) / BINS, after.counts, width=0.9 / BINS, color="tab:green")
    bars.set_yscale("symlog")
    bars.set_xlabel("predicted")
    bars.set_ylabel("windows x labels")
    figure.savefig(path, dpi=100)


def _licence(base: Manifest) -> str:
    licence = base.licence
    if licence.name == OWN_LICENCE:
        return "That of your recordings: nothing else went into the model."
    use = "allowed" if licence.commercial_use else "not allowed"
    return (
        f"{licence.name} for what comes from {base.name}, and that of your recordings for the "
        f"head; commercial use of {base.name} is {use}. {licence.attribution}".rstrip()
    )


def _data(made: Made) -> str:
    examples = made.examples
    rows = ["| label | clips | recordings | windows |", "|---|---:|---:|---:|"]
    columns = [*examples.truth.T, ~examples.truth.any(axis=1)]
    for label, there in zip([*examples.labels, f"({BACKGROUND})"], columns, strict=True):
        clips = len(set(examples.clips[there].tolist()))
        recordings = len({examples.recordings[row] for row in np.flatnonzero(there)})
        rows.append(f"| {_cell(label)} | {clips} | {recordings} | {there.sum()} |")
    return "\n".join(
        [
            f"{len(made.clips)} clips of {len({clip.recording for clip in made.clips})} "
            f"recordings. Of each clip, up to {MOST_WINDOWS} windows of 5 s that do not overlap, "
            "the loudest and those within 10 dB of it; a shorter clip is completed with silence.",
            "",
            *rows,
        ]
    )


def _marked_data(made: Made, tally: Tally) -> str:
    examples = made.examples
    rows = ["| label | events | recordings | windows |", "|---|---:|---:|---:|"]
    for number, label in enumerate(examples.labels):
        rows.append(
            f"| {_cell(label)} | {tally.events[label]} | {examples.recordings_of(number)} | "
            f"{examples.truth[:, number].sum()} |"
        )
    negative = ~examples.truth.any(axis=1)
    where = len({examples.recordings[row] for row in np.flatnonzero(negative)})
    rows.append(f"| (none of them) | | {where} | {negative.sum()} |")
    several = int((examples.truth.sum(axis=1) > 1).sum())
    return "\n".join(
        [
            f"{len(made.clips)} files of {len({clip.recording for clip in made.clips})} "
            f"recordings, labelled with times; {len(examples.truth)} windows of 5 s, one after the "
            f"other from each file's start. {several} of them hold several labels.",
            "",
            f"A window holds a label if {LEAST_SECONDS:g} s of an event, or half of it, lie in it. "
            f"A window without any event is learnt as holding none of the labels. {tally.unclear} "
            "windows are left out: what they hold is only touched by an event, or unknown.",
            "",
            *rows,
        ]
    )


def _scores(made: Made) -> str:
    judged, fold_of = made.judgement, made.fitted.fold_of
    folds = len(set(fold_of.tolist()) - {-1})
    if not folds:
        return "None: no recording could be left out."
    lines = [
        f"In {folds} folds, each of whole recordings; what follows is said by heads that had not "
        "heard the recording in any part of their training.",
        "",
    ]
    if judged.by_clip is not None:
        lines.append(
            f"- macro F1 {judged.by_clip.macro_f1:.3f}, accuracy {judged.by_clip.accuracy:.3f}: "
            f"the highest answer of each of {judged.clips} clips"
        )
    if made.tally is not None:
        lines.append(
            f"- macro ROC-AUC {judged.roc_auc:.3f}: window by window, over the labels that were "
            "left out with a window and without"
        )
    lines.append(
        f"- macro F1 {judged.f1:.3f}: window by window, at the thresholds below, which were picked "
        "on these windows"
    )
    return "\n".join(lines)


def _calibration(before: Reliability, after: Reliability) -> str:
    if not before.counts.sum():
        return "None: no recording could be left out to calibrate on."
    rows = [
        "| predicted | observed | mean of predictions | windows x labels |",
        "|---|---:|---:|---:|",
    ]
    for number, count in enumerate(after.counts):
        if count:
            rows.append(
                f"| {number / BINS:.1f} to {(number + 1) / BINS:.1f} | "
                f"{after.observed[number]:.2f} | {after.predicted[number]:.2f} | {count} |"
            )
    return "\n".join(
        [
            f"Expected calibration error {before.error:.4f} before and {after.error:.4f} after "
            "Platt scaling, over all windows and labels. It was fitted to the left-out windows; "
            "for this table, fold by fold, to those of the other folds. It holds where labels are "
            "as frequent as in these clips; where they are rarer, less of what is heard is right.",
            "",
            *rows,
            "",
            f"![reliability]({PICTURE_NAME})",
        ]
    )


def _thresholds(
    labels: Sequence[str], thresholds: Sequence[LabelThreshold], precision: float
) -> str:
    rows = [
        f"The lowest level at which {precision:g} of the left-out windows above it hold the label. "
        "The daemon uses them where its configuration gives none; `edge-batch` writes all scores.",
        "",
        "| label | threshold | precision | recall | left-out windows | |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for label, one in zip(labels, thresholds, strict=True):
        figures = " | ".join(
            "-" if np.isnan(figure) else f"{figure:.2f}" for figure in (one.precision, one.recall)
        )
        rows.append(
            f"| {_cell(label)} | {one.level:.3f} | {figures} | {one.windows} | {one.note} |"
        )
    return "\n".join(rows)


def _training(made: Made) -> str:
    fitted, base = made.fitted, made.base
    length = f", {fitted.epochs} epochs" if fitted.epochs else ""
    taken = f" (its tensors {', '.join(made.tensors)})" if made.tensors else ""
    heard = f" {base.name} has heard all of these clips, without their labels." * (
        made.asked == TOKENS
    )
    return (
        f"Independent outputs by binary cross-entropy on what {base.name} makes of a "
        f"window{taken}: {fitted.shape}; {fitted.head.parameters} parameters{length}. Shape and "
        "length are those that did best on validation recordings, which were taken from the "
        "recordings of the other folds; what calibrates and sets thresholds are the left-out "
        "folds, which chose nothing. The head that is in the model was then fitted to all "
        f"recordings.{heard}"
    )


def _command(
    made: Made,
    data: Path,
    *,
    recording: str | None,
    labels: Sequence[Path],
    label_column: str | None,
) -> str:
    parts = ["edge-build", "train", "--data", last_name(data), "--base", made.base.name]
    parts += ["--out", made.folder.name, "--precision", f"{made.precision:g}"]
    if made.fitted.shape.tokens:
        parts += ["--head", "attention"]
    if made.tensors:
        parts += ["--tensors", *made.tensors, "--pool", str(made.base.output.pool)]
    parts += ["--recording", recording] if recording is not None else []
    parts += ["--labels", *map(last_name, labels)] if labels else []
    parts += ["--label-column", label_column] if label_column is not None else []
    used = library_versions() | ({"torch": torch_version()} if made.fitted.shape.tokens else {})
    versions = ", ".join(f"{name} {number}" for name, number in used.items())
    return (
        f"```\n{shlex.join(parts)}\n```\n\nPaths are cut to their last name. The same clips, base "
        f"and library versions give the same files on the same machine. Made with {versions}."
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")

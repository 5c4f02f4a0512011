"""Where there is too little to learn from or to judge by, and what to add."""

import numpy as np

from edge_build.custom.examples import Examples
from edge_build.custom.fit import MOST_REPEATS, Fitted, repeats_of
from edge_build.custom.judge import Judgement
from edge_build.custom.thresholds import LEAST_RECORDINGS

LEAST_CLIPS = 10
"""Clips of a label below which a head has little to learn from; windows where it has times."""


def warnings_of(examples: Examples, judged: Judgement, fitted: Fitted) -> list[str]:
    """Say in plain words what the model cannot be good at yet, a line each.

    Args:
        examples: All windows.
        judged: What the left-out folds say.
        fitted: The training.
    """
    lines = []
    if judged.by_clip is not None and judged.by_clip.accuracy <= 1.5 / len(examples.labels):
        lines.append(
            f"of unheard clips {judged.by_clip.accuracy:.0%} are named rightly, which is little "
            "more than guessing: do not use this model; add recordings, or take another --base"
        )
    if examples.marked and judged.roc_auc < _LEAST_AUC:
        lines.append(
            f"of unheard recordings, windows with a label are told from those without hardly "
            f"better than by guessing (ROC-AUC {judged.roc_auc:.2f}): do not use this model; add "
            "recordings, or take another --base"
        )
    kind = "windows" if examples.marked else "clips"
    for number, label in enumerate(examples.labels):
        held = examples.truth[:, number]
        clips = int(held.sum()) if examples.marked else len(set(examples.clips[held].tolist()))
        recordings = examples.recordings_of(number)
        wanted = [
            f"{least - count} more {what}"
            for count, least, what in (
                (clips, LEAST_CLIPS, kind),
                (recordings, LEAST_RECORDINGS, "recordings"),
            )
            if count < least
        ]
        if wanted:
            lines.append(
                f"{label}: too little data: {clips} {kind} of {recordings} recordings; "
                f"add {' and '.join(wanted)}"
            )
    lines += [
        f"{label}: threshold {one.level:.3g}: {one.note}"
        for label, one in zip(examples.labels, judged.thresholds, strict=True)
        if one.note
    ]
    repeats = repeats_of(examples)
    if repeats.max() > _WORTH_SAYING:
        counts = examples.truth.sum(axis=0)
        rare, common = int(np.argmin(counts)), int(np.argmax(counts))
        lines.append(
            f"{examples.labels[common]} has {counts[common]} windows and {examples.labels[rare]} "
            f"{counts[rare]}: those of rarer labels count up to {repeats.max()} times in training "
            f"(at most {MOST_REPEATS})"
        )
    if not fitted.chosen:
        lines.append(
            "too few recordings to choose a head by: it is the simplest one; add recordings"
        )
    if (fitted.fold_of < 0).all():
        lines.append(
            "no recording could be left out: nothing is known of how good the model is, and its "
            "probabilities are not calibrated; add a second recording of each label"
        )
    if examples.marked and examples.truth.any(axis=1).all():
        lines.append(
            "no window without any of the labels: add recordings with what else is heard at the "
            "place, or the model will take it for one of them"
        )
    elif examples.truth.any(axis=1).all():
        lines.append(
            "no clips without any of the labels: add a folder background/ with what else is heard "
            "at the place, or the model will take it for one of them"
        )
    return lines


_LEAST_AUC = 0.6
_WORTH_SAYING = 3
"""Repeats from which on a label counts as rare."""

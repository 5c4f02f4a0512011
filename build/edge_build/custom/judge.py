"""How good a custom model is on recordings that it had not heard, in figures."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_build.custom.calibration import (
    Calibration,
    Reals,
    Reliability,
    cross_calibrated,
    fit_calibration,
    reliability,
    sigmoid,
)
from edge_build.custom.examples import Examples
from edge_build.custom.fit import Fitted
from edge_build.custom.thresholds import LabelThreshold, pick_threshold
from edge_build.scores import Scores, macro_roc_auc, score_table


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """What the left-out folds say."""

    calibration: Calibration
    thresholds: tuple[LabelThreshold, ...]
    """Of each label, in order."""
    before: Reliability
    after: Reliability
    by_clip: Scores | None
    """Of clips with one label: the highest mean answer of a clip's windows; None without any, and
    where labels have times."""
    clips: int
    """That `by_clip` is of."""
    f1: float
    """Mean over the labels of the F1 at their thresholds, window by window; NaN without any."""
    roc_auc: float
    """Mean over the labels that windows were left out with and without; NaN without any."""

    @property
    def macro_f1(self) -> float:
        """That of clips where they have one label each, otherwise that of windows."""
        return self.f1 if self.by_clip is None else self.by_clip.macro_f1


def judge(examples: Examples, fitted: Fitted, *, precision: float) -> Judgement:
    """Calibrate, pick thresholds, and measure, all on logits of unheard recordings.

    What is measured of calibration and of clips was calibrated fold by fold on the other folds;
    the thresholds belong to the calibration of all of them, which is the model's.

    Args:
        examples: All windows.
        fitted: The heads' logits of them.
        precision: Wanted of each label.
    """
    logits, truth = fitted.unheard, examples.truth
    calibration = fit_calibration(logits, truth)
    honest = cross_calibrated(logits, truth, fitted.fold_of)
    scores = calibration.probabilities(logits)
    thresholds = tuple(
        pick_threshold(
            scores[:, label],
            truth[:, label],
            precision=precision,
            recordings=examples.recordings_of(label),
        )
        for label in range(len(examples.labels))
    )
    by_clip, clips = (None, 0) if examples.marked else _by_clip(examples, honest)
    return Judgement(
        calibration,
        thresholds,
        reliability(sigmoid(logits), truth),
        reliability(honest, truth),
        by_clip,
        clips,
        _mean_f1(thresholds),
        _roc_auc(honest, truth),
    )


def _by_clip(examples: Examples, said: Reals) -> tuple[Scores | None, int]:
    """Score clips whose windows hold one and the same label, as `edge-build evaluate` does."""
    labels, rows = [], []
    for clip in np.unique(examples.clips):
        of_clip = examples.clips == clip
        truth = examples.truth[of_clip].any(axis=0)
        answers = np.nan_to_num(said[of_clip]).mean(axis=0)
        if truth.sum() == 1 and np.isfinite(said[of_clip][:, truth]).all():
            labels.append(int(truth.argmax()))
            rows.append(answers)
    if not rows or len(examples.labels) < 2:
        return None, 0
    return score_table(np.array(labels, dtype=np.intp), np.stack(rows)), len(rows)


def _roc_auc(said: Reals, truth: NDArray[np.bool_]) -> float:
    """Mean of the labels' areas, each over the windows of which something is known."""
    areas = [
        macro_roc_auc(held[known, np.newaxis], column[known, np.newaxis])
        for column, held, known in zip(said.T, truth.T, np.isfinite(said).T, strict=True)
    ]
    found = [area for area in areas if np.isfinite(area)]
    return float(np.mean(found)) if found else float("nan")


def _mean_f1(thresholds: tuple[LabelThreshold, ...]) -> float:
    found = []
    for one in thresholds:
        if not one.windows:
            continue
        precision = 0.0 if np.isnan(one.precision) else one.precision
        both = precision + one.recall
        found.append(2.0 * precision * one.recall / both if both else 0.0)
    return float(np.mean(found)) if found else float("nan")

"""From which score on a label is believed: as low as the wanted precision allows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_build.custom.calibration import Reals

LEAST_WINDOWS = 5
"""Windows with a label, and recordings of it, below which its own threshold would be luck."""
LEAST_RECORDINGS = 3


@dataclass(frozen=True, slots=True)
class LabelThreshold:
    """A label's threshold, and what it does on recordings that the head had not heard."""

    level: float
    """A probability; scores from it on are detections."""
    precision: float
    """Share of the windows above it that hold the label; NaN where none is above."""
    recall: float
    """Share of the windows with the label that are above it; NaN where there is none."""
    windows: int
    """With the label."""
    note: str = ""
    """Why the level is not the label's own; empty where it is."""


def pick_threshold(
    scores: Reals, truth: NDArray[np.bool_], *, precision: float, recordings: int
) -> LabelThreshold:
    """Pick the lowest level from which on at least `precision` of the windows hold the label.

    Where there is too little to go by, the level is `precision` itself: what calibration makes of
    a score is how often it is right. Where no level is precise enough, it is the higher one of
    that and what no wrong window reaches.

    Args:
        scores: Calibrated probabilities of one label [shape=(n,)]; NaN is passed over.
        truth: Whether the windows hold it [shape=(n,)].
        precision: Wanted, above 0 and at most 1.
        recordings: That hold the label.
    """
    known = np.isfinite(scores)
    scores, truth = scores[known], truth[known]
    positives = int(truth.sum())
    if positives < LEAST_WINDOWS or recordings < LEAST_RECORDINGS:
        note = f"{positives} windows of {recordings} recordings are too few"
        return _judged(min(precision, _MOST), scores, truth, note)
    levels = np.unique(np.maximum(scores, _LEAST))[::-1]
    hits = np.array([np.sum(truth[scores >= level]) for level in levels])
    above = np.array([np.sum(scores >= level) for level in levels])
    precise = np.flatnonzero(hits >= precision * above)
    if len(precise):
        return _judged(_below(levels, int(precise[-1])), scores, truth)
    highest_wrong = float(scores[~truth].max())
    level = min(max(precision, float(np.nextafter(highest_wrong, 1.0))), _MOST)
    return _judged(level, scores, truth, f"no level is {precision:g} precise")


def _below(levels: Reals, number: int) -> float:
    """Give a level few digits, without letting the next lower one through."""
    level = float(levels[number])
    lower = float(levels[number + 1]) if number + 1 < len(levels) else -1.0
    short = np.floor(level * 1000.0) / 1000.0
    return float(short) if short > lower else level


def _judged(
    level: float, scores: Reals, truth: NDArray[np.bool_], note: str = ""
) -> LabelThreshold:
    above = scores >= level
    hits, positives = int(np.sum(truth & above)), int(truth.sum())
    return LabelThreshold(
        level,
        hits / int(above.sum()) if above.any() else float("nan"),
        hits / positives if positives else float("nan"),
        positives,
        note,
    )


_LEAST = 0.1
"""No level is lower: clips are chosen for what they hold, and what is heard outside rarely is."""
_MOST = 0.999
"""A level that a score can still reach."""

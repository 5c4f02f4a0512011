"""From logits to probabilities that hold: 0.7 is right seven times in ten (Platt scaling)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]

BINS = 10
"""Of a reliability table, of equal width."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A line for each label: the probability is sigmoid(slope · logit + offset)."""

    slopes: Reals
    """[shape=(n_labels,)], above 0: the order of scores stays."""
    offsets: Reals
    """[shape=(n_labels,)]"""

    def probabilities(self, logits: Reals) -> Reals:
        """Calibrate logits [shape=(n, n_labels)]; NaN stays NaN."""
        return sigmoid(self.slopes * logits + self.offsets)


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """What was predicted against what was observed."""

    predicted: Reals
    """Mean probability of each bin [shape=(BINS,)]; NaN where it is empty."""
    observed: Reals
    """Share of the bin that was there [shape=(BINS,)]."""
    counts: NDArray[np.intp]
    """Windows times labels in each bin [shape=(BINS,)]."""

    @property
    def error(self) -> float:
        """The expected calibration error: mean distance of the two, by count; NaN without any."""
        full = self.counts > 0
        if not full.any():
            return float("nan")
        gaps = np.abs(self.predicted[full] - self.observed[full])
        return float(np.sum(gaps * self.counts[full]) / np.sum(self.counts))


def sigmoid(logits: Reals) -> Reals:
    """Return 1 / (1 + exp(-logits)) without overflow."""
    powers = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1.0, powers) / (1.0 + powers)


def fit_calibration(logits: Reals, truth: NDArray[np.bool_]) -> Calibration:
    """Fit a line for all labels together, then one for each, drawn towards the common one.

    The pull is that of a normal prior of width `_SPREAD` on offset and logarithm of the slope: a
    label with few windows keeps the common line, one with many finds its own.

    Args:
        logits: Of windows whose recordings the head has not heard [shape=(n, n_labels)]; NaN is
            passed over.
        truth: What they hold [shape=(n, n_labels)].
    """
    known = np.isfinite(logits)
    shared = _line(logits[known], truth[known], (0.0, 0.0), spread=_WIDE)
    lines = [
        _line(column[there], held[there], shared, spread=_SPREAD)
        if (held & there).any()
        else shared
        for column, held, there in zip(logits.T, truth.T, known.T, strict=True)
    ]
    return Calibration(
        np.exp(np.array([line[0] for line in lines])), np.array([line[1] for line in lines])
    )


def cross_calibrated(logits: Reals, truth: NDArray[np.bool_], fold_of: NDArray[np.intp]) -> Reals:
    """Calibrate each fold by lines that were fitted to the others.

    Args:
        logits: [shape=(n, n_labels)].
        truth: [shape=(n, n_labels)].
        fold_of: The fold of each window, -1 for none [shape=(n,)].

    Returns:
        Probabilities [shape=(n, n_labels)]; NaN where the logit is.
    """
    found = np.full(logits.shape, np.nan)
    for fold in set(fold_of.tolist()) - {-1}:
        test = fold_of == fold
        others = fit_calibration(logits[~test], truth[~test])
        found[test] = others.probabilities(logits[test])
    return found


def reliability(probabilities: Reals, truth: NDArray[np.bool_]) -> Reliability:
    """Sort predictions into bins of equal width; NaN is passed over.

    Args:
        probabilities: Of any shape.
        truth: Of the same.
    """
    known = np.isfinite(probabilities)
    said, there = probabilities[known], truth[known]
    bins = np.minimum((said * BINS).astype(np.intp), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):
        predicted = np.bincount(bins, weights=said, minlength=BINS) / counts
        observed = np.bincount(bins, weights=there.astype(np.float64), minlength=BINS) / counts
    return Reliability(predicted, observed, counts)


def _line(
    logits: Reals, truth: NDArray[np.bool_], centre: tuple[float, float], *, spread: float
) -> tuple[float, float]:
    """Find log slope and offset of the least cross-entropy, drawn towards `centre`."""
    from scipy.optimize import minimize  # noqa: PLC0415 (slow to load)

    if not len(logits):
        return centre
    signs = np.where(truth, 1.0, -1.0)

    def loss(line: Reals) -> tuple[float, Reals]:
        slope = np.exp(line[0])
        margins = signs * (slope * logits + line[1])
        pulls = (line - np.array(centre)) / spread**2
        slack = -signs * sigmoid(-margins)
        gradient = np.array([np.sum(slack * slope * logits), np.sum(slack)]) + pulls
        total = np.sum(np.logaddexp(0.0, -margins))
        return float(total + 0.5 * np.sum((line - centre) * pulls)), gradient

    bounds = [(-_STEEPEST, _STEEPEST), (None, None)]
    found = minimize(loss, np.array(centre), jac=True, method="L-BFGS-B", bounds=bounds)
    return float(found.x[0]), float(found.x[1])


_SPREAD = 0.5
_WIDE = 10.0
_STEEPEST = 4.0
"""Bound of the logarithm of a slope."""

"""How far a student says what its teacher says."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.contracts import FloatArray

SURE = 0.5
"""What a teacher scores higher, it is taken to have heard."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Figures over some windows."""

    windows: int
    top1: float
    """Share of windows where both score the same label highest."""
    sure: int
    """Windows in which the teacher has heard a label."""
    sure_top1: float
    """Share of those where both score the same label highest; NaN without any."""
    rank_correlation: float
    """Spearman's, over a window's labels; the mean over windows."""
    heard: int
    """Labels that the teacher has heard in some window."""
    average_precision: float
    """Of finding the windows with such a label, the mean over them; NaN without any."""
    divergence: float
    """KL divergence of a window, in nats; the mean."""


def agreement_of(said: FloatArray, taught: FloatArray, *, exclusive: bool) -> Agreement:
    """Compare two models' probabilities.

    Args:
        said: Of the student [shape=(n, n_labels)].
        taught: Of the teacher, alike.
        exclusive: Whether those of a window are a distribution over the labels; what is missing
            to 1 is one label more, for the divergence.
    """
    hits = said.argmax(axis=1) == taught.argmax(axis=1)
    sure = taught.max(axis=1) > SURE
    heard = (taught > SURE).any(axis=0)
    precisions = [
        average_precision(taught[:, label] > SURE, said[:, label])
        for label in np.flatnonzero(heard)
    ]
    return Agreement(
        windows=len(said),
        top1=float(hits.mean()),
        sure=int(sure.sum()),
        sure_top1=float(hits[sure].mean()) if sure.any() else float("nan"),
        rank_correlation=_rank_correlation(said, taught),
        heard=int(heard.sum()),
        average_precision=float(np.mean(precisions)) if precisions else float("nan"),
        divergence=_divergence(said, taught, exclusive=exclusive),
    )


def average_precision(truth: NDArray[np.bool_], scores: FloatArray) -> float:
    """Mean of the precision at each positive, from the highest score down.

    Args:
        truth: Which rows are positive, one at least [shape=(n,)].
        scores: [shape=(n,)]; positives stand behind equal scores of negatives.
    """
    order = np.lexsort((truth, -scores.astype(np.float64)))
    found = np.flatnonzero(truth[order])
    return float(np.mean(np.arange(1, len(found) + 1) / (found + 1)))


def _rank_correlation(said: FloatArray, taught: FloatArray) -> float:
    from scipy.stats import rankdata  # noqa: PLC0415 (slow to load)

    if said.shape[1] < 2:
        return float("nan")
    one, other = (rankdata(part, axis=1) - (said.shape[1] + 1) / 2 for part in (said, taught))
    sizes = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    # Scores that are all equal have no order, and agree with none.
    return float(np.mean((one * other).sum(axis=1) / np.maximum(sizes, 1e-12)))


def _divergence(said: FloatArray, taught: FloatArray, *, exclusive: bool) -> float:
    one, other = (np.clip(part.astype(np.float64), _LEAST, 1 - _LEAST) for part in (taught, said))
    parts = (one * np.log(one / other)).sum(axis=1)
    if exclusive:
        rests = [np.maximum(1.0 - part.sum(axis=1), _LEAST) for part in (one, other)]
        return float(np.mean(parts + rests[0] * np.log(rests[0] / rests[1])))
    absent = (1.0 - one) * (np.log1p(-one) - np.log1p(-other))
    return float(np.mean(parts + absent.sum(axis=1)))


_LEAST = 1e-7

"""The figures by which models are compared."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.contracts import FloatArray


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures of one system; each lies in [0, 1]."""

    macro_f1: float
    micro_f1: float
    accuracy: float
    roc_auc: float
    """Mean over the classes that have both a positive and a negative; NaN where none has."""


def score_table(labels: NDArray[np.intp], probabilities: FloatArray) -> Scores:
    """Score probabilities of exclusive classes; the highest is the answer.

    Args:
        labels: Class numbers [shape=(n,)].
        probabilities: [shape=(n, n_labels)].
    """
    answers = probabilities.argmax(axis=1)
    truth = labels[:, np.newaxis] == np.arange(probabilities.shape[1])
    said = answers[:, np.newaxis] == np.arange(probabilities.shape[1])
    hits = (truth & said).sum(axis=0).astype(np.float64)
    wrong = (truth ^ said).sum(axis=0)
    # A class that is neither there nor answered has no F1, and does not count.
    counted = hits + wrong > 0
    f1 = 2.0 * hits[counted] / (2.0 * hits[counted] + wrong[counted])
    return Scores(
        macro_f1=float(f1.mean()),
        micro_f1=float(2.0 * hits.sum() / (2.0 * hits.sum() + wrong.sum())),
        accuracy=float(np.mean(answers == labels)),
        roc_auc=macro_roc_auc(truth, probabilities),
    )


def macro_roc_auc(truth: NDArray[np.bool_], scores: FloatArray) -> float:
    """Mean area under the ROC curve over classes with a positive and a negative.

    Args:
        truth: [shape=(n, n_labels)].
        scores: [shape=(n, n_labels)]; equal scores count half.

    Returns:
        NaN where no class has both.
    """
    from scipy.stats import rankdata  # noqa: PLC0415 (slow to load)

    areas = []
    for positive, score in zip(truth.T, scores.T, strict=True):
        n, m = int(positive.sum()), int((~positive).sum())
        if n and m:
            ranks = rankdata(score)
            areas.append((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))
    return float(np.mean(areas)) if areas else float("nan")

"""Silencing what is not sure enough."""

from collections.abc import Mapping, Sequence

import numpy as np

from edge.contracts import Outcome, Prediction


class Threshold:
    """Sets scores below a threshold to 0; a `PostProcessor`.

    Args:
        labels: The model's labels, in order.
        default: Threshold of every label that has none of its own.
        by_label: Thresholds by label; labels the model does not have are left out.
    """

    behind = 0
    """It looks at no other window."""
    ahead = 0
    """It waits for no other window."""

    def __init__(
        self, labels: Sequence[str], *, default: float, by_label: Mapping[str, float] | None = None
    ) -> None:
        own = by_label or {}
        self._least = np.array([own.get(label, default) for label in labels], dtype=np.float32)

    def __call__(self, neighbours: Sequence[Outcome], at: int) -> Outcome:
        """Return `neighbours[at]` with the scores that reach their threshold."""
        here = neighbours[at]
        if not isinstance(here, Prediction):
            return here
        scores = np.where(here.scores >= self._least, here.scores, np.float32(0.0))
        return Prediction(here.window, here.model, scores, here.embedding)

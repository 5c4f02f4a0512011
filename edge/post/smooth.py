"""Smoothing scores over time."""

from collections.abc import Sequence

import numpy as np

from edge.contracts import Outcome, Prediction


class Smooth:
    """Replaces scores by a weighted mean over neighbouring windows; a `PostProcessor`.

    Neighbours that are not there, got no prediction or come from another model count for nothing,
    and the weights of the others are scaled to make up for them.

    Args:
        kernel: Weights of the windows from the earliest to the latest, the window itself in the
            middle.

    Raises:
        ValueError: A kernel without a middle, or without weight there.
    """

    def __init__(self, kernel: Sequence[float]) -> None:
        if len(kernel) % 2 == 0:
            raise ValueError(f"a kernel of {len(kernel)} weights has no middle: give an odd number")
        reach = len(kernel) // 2
        if not kernel[reach] > 0 or min(kernel) < 0:
            raise ValueError("a kernel needs weights of 0 or more, and more than 0 in its middle")
        self._kernel = tuple(float(weight) for weight in kernel)
        self._reach = reach

    @property
    def behind(self) -> int:
        """How many earlier windows it looks at."""
        return self._reach

    @property
    def ahead(self) -> int:
        """How many later windows it waits for."""
        return self._reach

    def __call__(self, neighbours: Sequence[Outcome], at: int) -> Outcome:
        """Return `neighbours[at]` with smoothed scores."""
        here = neighbours[at]
        if not isinstance(here, Prediction):
            return here
        total = np.zeros(len(here.scores), dtype=np.float64)
        weights = 0.0
        for place, neighbour in enumerate(neighbours):
            weight = self._kernel[place - at + self._reach]
            if isinstance(neighbour, Prediction) and neighbour.model == here.model:
                total += weight * neighbour.scores
                weights += weight
        scores = (total / weights).astype(np.float32)
        return Prediction(here.window, here.model, scores, here.embedding)

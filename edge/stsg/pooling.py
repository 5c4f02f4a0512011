"""From the rows of a window's frames to one vector."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from edge.contracts import FloatArray


class Rows(StrEnum):
    """What there is of each frame."""

    TOKENS = "tokens"
    """The number of its nearest centroid."""
    VECTORS = "vectors"
    """The token's row in the table of vectors (paper, section 3.2.2)."""
    POINTS = "points"
    """Its features after PCA."""
    FEATURES = "features"
    """Its mel bands."""


class Statistic(StrEnum):
    """How the rows of a window become one."""

    MEAN = "mean"
    """Of the paper (section 3.2)."""
    DEVIATION = "deviation"
    """The standard deviation: how much a dimension varies."""
    MAXIMUM = "maximum"
    MINIMUM = "minimum"
    """Beside the maximum: which end of a PCA's dimension is the upper one is chance."""
    STEP = "step"
    """The mean absolute difference of neighbours: how quickly it varies."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a window's vector: some rows by some statistics, one after the other."""

    of: Rows
    by: tuple[Statistic, ...]


def pool(rows: FloatArray, by: Sequence[Statistic]) -> FloatArray:
    """Return statistics over rows [shape=(n, size)], float32 [shape=(len(by) * size,)].

    The rows are added in order, so the result has the same bits on every machine.
    """
    return np.concatenate([_STATISTICS[statistic](rows) for statistic in by])


def _mean(rows: FloatArray) -> FloatArray:
    total = np.add.reduce(rows, axis=0, dtype=np.float32)
    return np.asarray(total / np.float32(len(rows)))


def _deviation(rows: FloatArray) -> FloatArray:
    # From the first row, so that what is constant has none, not even by rounding.
    moved = rows - rows[0]
    return np.sqrt(_mean(np.square(moved - _mean(moved))))


def _maximum(rows: FloatArray) -> FloatArray:
    return np.asarray(np.maximum.reduce(rows, axis=0))


def _minimum(rows: FloatArray) -> FloatArray:
    return np.asarray(np.minimum.reduce(rows, axis=0))


def _step(rows: FloatArray) -> FloatArray:
    return _mean(np.abs(np.diff(rows, axis=0)))


_STATISTICS = {
    Statistic.MEAN: _mean,
    Statistic.DEVIATION: _deviation,
    Statistic.MAXIMUM: _maximum,
    Statistic.MINIMUM: _minimum,
    Statistic.STEP: _step,
}

"""From a tensor of any shape to one vector a clip."""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from edge.contracts import FloatArray


class TensorPool(StrEnum):
    """How a tensor that holds more than one row becomes an embedding."""

    MEAN = "mean"
    """The mean over all axes but the last, which counts channels: [1, height, width, n], [1, t, n].
    TFLite's order."""
    MEAN_CHANNELS_FIRST = "mean_channels_first"
    """The mean over all axes but the second, which counts channels: [1, n, height, width],
    [1, n, t]. Usual in ONNX files."""


def channel_axis(pool: TensorPool, *, rank: int) -> int:
    """Return which axis of a tensor of `rank` axes is left when it is pooled.

    Raises:
        ValueError: Too few axes.
    """
    least = 2 if pool is TensorPool.MEAN else 3
    if rank < least:
        raise ValueError(f"has {rank} axes, and {pool} wants at least {least}")
    return rank - 1 if pool is TensorPool.MEAN else 1


def pool_tensor(values: NDArray[np.floating], pool: TensorPool | None) -> FloatArray:
    """Return a tensor as one vector, float32 [shape=(n,)]: pooled, or all of its values in a row.

    Raises:
        ValueError: Too few axes.
    """
    if pool is None:
        return values.reshape(-1).astype(np.float32, copy=False)
    kept = channel_axis(pool, rank=values.ndim)
    others = tuple(axis for axis in range(values.ndim) if axis != kept)
    # In float64: float32 sums over the first axes lose digits with each row.
    pooled: FloatArray = values.mean(axis=others, dtype=np.float64).astype(np.float32)
    return pooled

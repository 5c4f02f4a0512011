"""Mean and covariance of any number of rows, in one pass and little memory."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from edge.contracts import FloatArray

DoubleArray = NDArray[np.float64]


def covariance_of(blocks: Iterable[FloatArray]) -> tuple[DoubleArray, DoubleArray]:
    """Sum rows and their products in float64, block by block.

    Args:
        blocks: Rows [shape=(n, size)], as many at once as memory holds three times, in float64.

    Returns:
        mean: [shape=(size,)].
        covariance: Products of differences from the mean, over the number of rows
            [shape=(size, size)].

    Raises:
        ValueError: There are no rows.
    """
    near: DoubleArray | None = None
    count = 0
    for block in _gathered(blocks):
        if near is None:
            # Near the mean of all: no digits cancel in the difference at the end.
            near = block.mean(axis=0, dtype=np.float64)
            total, products = np.zeros(len(near)), np.zeros((len(near), len(near)))
        rows = block.astype(np.float64) - near
        total += rows.sum(axis=0)
        products += rows.T @ rows
        count += len(rows)
    if near is None:
        raise ValueError("the covariance of no rows")
    covariance = products / count - np.outer(total, total) / count**2
    return near + total / count, covariance


def _gathered(blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
    """Join small blocks: a product costs as much for a few rows as for hundreds."""
    held: list[FloatArray] = []
    for block in blocks:
        held.append(block)
        if sum(map(len, held)) >= _ROWS_AT_ONCE:
            yield np.concatenate(held)
            held = []
    if any(map(len, held)):
        yield np.concatenate(held)


_ROWS_AT_ONCE = 4096

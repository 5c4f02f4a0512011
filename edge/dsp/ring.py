"""A ring of numbered rows: the last few frames of an endless stream."""

from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)


class FrameRing(Generic[Scalar]):
    """Keeps the last `capacity` rows of a stream, addressed by their number since `reset`.

    Args:
        kind: Type of the elements.
        capacity: How many rows are kept.
        row_shape: Shape of one row; () for a ring of scalars such as tokens.
    """

    def __init__(
        self, kind: type[Scalar], *, capacity: int, row_shape: tuple[int, ...] = ()
    ) -> None:
        if capacity < 1:
            raise ValueError(f"a ring keeps at least one row, not {capacity}")
        self._rows: NDArray[Scalar] = np.zeros((capacity, *row_shape), dtype=kind)
        self._count = 0

    @property
    def capacity(self) -> int:
        """How many rows are kept."""
        return len(self._rows)

    @property
    def count(self) -> int:
        """How many rows came since the start or `reset`; the number of the next row."""
        return self._count

    def push(self, rows: NDArray[Scalar]) -> None:
        """Append rows [shape=(n, *row_shape)]; the oldest make room.

        Raises:
            ValueError: More rows than the ring holds.
        """
        n = len(rows)
        if n > self.capacity:
            raise ValueError(f"{n} rows do not fit a ring of {self.capacity}")
        start = self._count % self.capacity
        head = min(n, self.capacity - start)
        self._rows[start : start + head] = rows[:head]
        self._rows[: n - head] = rows[head:]
        self._count += n

    def take(self, first: int, n: int) -> NDArray[Scalar]:
        """Copy rows `first` ... `first + n - 1` [shape=(n, *row_shape)].

        Raises:
            IndexError: A row that has not come yet or has been overwritten.
        """
        if n < 0 or first + n > self._count or first < max(0, self._count - self.capacity):
            raise IndexError(
                f"rows {first} to {first + n - 1} are not in the ring, which holds "
                f"{max(0, self._count - self.capacity)} to {self._count - 1}"
            )
        return self._rows[np.arange(first, first + n) % self.capacity]

    def reset(self) -> None:
        """Forget every row; numbering starts again at 0."""
        self._count = 0

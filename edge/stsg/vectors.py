"""From a window's tokens to one vector."""

from typing import Protocol

import numpy as np

from edge.contracts import FloatArray
from edge.stsg.codebook import TokenArray


class Rows(Protocol):
    """A float32 table [shape=(tokens, size)]: an array, or what reads rows of a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Tokens and size."""

    def __getitem__(self, rows: TokenArray, /) -> FloatArray:
        """Return rows [shape=(n,)], float32 [shape=(n, size)]."""


class TokenVectors:
    """The skip-gram vectors in token order.

    Args:
        table: Row t belongs to token t. Only the rows of tokens that occur are read.
    """

    def __init__(self, table: Rows) -> None:
        self._table = table

    @property
    def tokens(self) -> int:
        """Number of rows."""
        return int(self._table.shape[0])

    @property
    def size(self) -> int:
        """Width of a vector."""
        return int(self._table.shape[1])

    def pool(self, tokens: TokenArray) -> FloatArray:
        """Return the mean vector, float32 [shape=(size,)], of tokens [shape=(n,)] (section 3.2).

        The rows are added in order, so the result has the same bits on every machine.
        """
        total = np.add.reduce(self._table[tokens], axis=0, dtype=np.float32)
        return np.asarray(total / np.float32(len(tokens)))

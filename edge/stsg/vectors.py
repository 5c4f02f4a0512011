"""From the rows of a window to the vector that a head takes."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from edge.contracts import FloatArray
from edge.stsg.codebook import TokenArray
from edge.stsg.pooling import Part, Rows, pool
from edge.stsg.tokenizer import RowArray


class Table(Protocol):
    """A float32 table [shape=(tokens, size)]: an array, or what reads rows of a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Tokens and size."""

    def __getitem__(self, rows: TokenArray, /) -> FloatArray:
        """Return rows [shape=(n,)], float32 [shape=(n, size)]."""


class WindowVector:
    """Makes one vector of a window: its parts, pooled, one after the other.

    Args:
        parts: What is pooled, and how.
        table: The skip-gram vectors; row t belongs to token t. Only the rows of tokens that occur
            are read. None where no part is of vectors.

    Raises:
        ValueError: A part is of vectors, and there is no table; or of tokens, which are numbers.
    """

    def __init__(self, parts: Sequence[Part], table: Table | None) -> None:
        if any(part.of is Rows.VECTORS for part in parts) and table is None:
            raise ValueError("there is no table of vectors")
        if not parts or any(part.of is Rows.TOKENS for part in parts):
            raise ValueError("vectors, points and features can be pooled, and nothing else")
        self._parts = tuple(parts)
        self._table = table

    @property
    def needs(self) -> frozenset[Rows]:
        """The rows of frames that it is made of."""
        kinds = {part.of for part in self._parts}
        return frozenset(Rows.TOKENS if kind is Rows.VECTORS else kind for kind in kinds)

    def size(self, widths: Mapping[Rows, int]) -> int:
        """Return how long it is, for rows of these widths; vectors: those of a frame, together."""
        return sum(len(part.by) * widths[part.of] for part in self._parts)

    def __call__(self, rows: Mapping[Rows, RowArray]) -> FloatArray:
        """Return the vector of a window, float32 [shape=(size,)].

        Args:
            rows: Those it `needs`, of each frame: tokens [shape=(n,)], others [shape=(n, width)].
                The vectors of several tokens [shape=(n, books)] stand side by side.
        """
        pooled = []
        for part in self._parts:
            if part.of is Rows.VECTORS:
                assert self._table is not None
                tokens = np.asarray(rows[Rows.TOKENS], dtype=np.int32)
                found = self._table[tokens.ravel()].reshape(len(tokens), -1)
            else:
                found = np.asarray(rows[part.of], dtype=np.float32)
            pooled.append(pool(found, part.by))
        return np.concatenate(pooled)

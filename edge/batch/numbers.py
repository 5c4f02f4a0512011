"""Probabilities as CSV text, a whole file's at once."""

import numpy as np
from numpy.typing import NDArray

from edge.contracts import FloatArray

CELL_BYTES = 13
"""A comma and twelve characters."""


def format_cells(values: FloatArray) -> NDArray[np.uint8]:
    """Write numbers in [0, 1] as text of one width, each after a comma.

    From 1e-4 up they read `,0.1234567890`, below `,1.234567e-05`: right to 5e-7 of the number and
    in the order of the numbers, however small.

    Args:
        values: float32 [shape=(rows, columns)]; what is not within [0, 1] is clipped, NaN is 0.

    Returns:
        uint8 [shape=(rows, columns * CELL_BYTES)]
    """
    flat = np.fmin(np.fmax(values, np.float32(0.0)), np.float32(1.0)).ravel().astype(np.float64)
    cells = np.empty(len(flat), dtype=_FIXED)
    fixed = (flat >= _LEAST_FIXED) | (flat == 0.0)
    if fixed.all():
        cells[:] = _write_fixed(flat)
    else:
        cells[fixed] = _write_fixed(flat[fixed])
        cells[~fixed] = _write_scientific(flat[~fixed]).view(_FIXED)
    return cells.view(np.uint8).reshape(len(values), values.shape[1] * CELL_BYTES)


def _write_fixed(values: NDArray[np.float64]) -> NDArray[np.void]:
    """Write `,0.1234567890` [shape=(n,)]."""
    steps = np.rint(values * 1e10).astype(np.int64)
    first = steps // 1_000_000
    rest = (steps - first * 1_000_000).astype(np.int32)
    first = first.astype(np.int32)
    whole = first // 10_000
    second = rest // 100
    cells = np.empty(len(values), dtype=_FIXED)
    cells["head"] = _HEADS[whole]
    cells["dot"] = ord(".")
    cells["first"] = _FOUR_DIGITS[first - whole * 10_000]
    cells["second"] = _FOUR_DIGITS[second]
    cells["third"] = _TWO_DIGITS[rest - second * 100]
    return cells


def _write_scientific(values: NDArray[np.float64]) -> NDArray[np.void]:
    """Write `,1.234567e-05` for numbers above 0 and below 1 [shape=(n,)]."""
    # A power of two spans at most two powers of ten: guess from the bits, then compare once.
    exponent = _GUESSES[1023 - (values.view(np.int64) >> 52)]
    exponent -= values * _POWERS[exponent] >= 9.9999995
    digits = np.rint(values * _POWERS[exponent + 6]).astype(np.int32)
    digits = np.minimum(digits, 9_999_999)
    whole = digits // 1_000_000
    rest = digits - whole * 1_000_000
    first = rest // 100
    cells = np.empty(len(values), dtype=_SCIENTIFIC)
    cells["head"] = _HEADS[whole]
    cells["dot"] = ord(".")
    cells["first"] = _FOUR_DIGITS[first]
    cells["second"] = _TWO_DIGITS[rest - first * 100]
    cells["times"] = _TIMES
    cells["exponent"] = _TWO_DIGITS[exponent]
    return cells


def _digits(count: int, dtype: str) -> NDArray[np.unsignedinteger]:
    """Table of all numbers of `count` digits, as text read as one integer."""
    text = b"".join(f"{n:0{count}d}".encode() for n in range(10**count))
    return np.frombuffer(text, dtype=dtype)


_LEAST_FIXED = 1e-4
_HEADS = np.frombuffer(b"".join(b",%d" % n for n in range(10)), dtype=np.uint16)
_TWO_DIGITS = _digits(2, "u2")
_FOUR_DIGITS = _digits(4, "u4")
_TIMES = np.frombuffer(b"e-", dtype=np.uint16)[0]
_POWERS = np.array([float(f"1e{n}") for n in range(60)])
_GUESSES = np.array([int(np.ceil(k * np.log10(2.0))) for k in range(160)])
"""For 2^-k, the n with which 2^-k · 10^n is within [1, 10)."""
_FIXED = np.dtype(
    {
        "names": ["head", "dot", "first", "second", "third"],
        "formats": ["u2", "u1", "u4", "u4", "u2"],
        "offsets": [0, 2, 3, 7, 11],
        "itemsize": CELL_BYTES,
    }
)
_SCIENTIFIC = np.dtype(
    {
        "names": ["head", "dot", "first", "second", "times", "exponent"],
        "formats": ["u2", "u1", "u4", "u2", "u2", "u2"],
        "offsets": [0, 2, 3, 7, 9, 11],
        "itemsize": CELL_BYTES,
    }
)

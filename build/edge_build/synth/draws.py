"""Seeded draws that mean the same on every machine and for every NumPy.

Only `Generator.random` is called: NumPy promises the bits of PCG64 and of SeedSequence for good,
but keeps the right to change how `normal`, `integers` or `choice` spend them (NEP 19).
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray

T = TypeVar("T")


def stream(seed: int, *names: str) -> Generator:
    """Open the generator of one rendering.

    Args:
        seed: any integer of at least 0.
        names: what is rendered; other names give an independent stream for the same seed.
    """
    words = [byte for name in names for byte in (*name.encode(), 0)]
    return Generator(PCG64(SeedSequence([seed, *words])))


def between(rng: Generator, low: float, high: float) -> float:
    """Draw a number uniformly from [low, high)."""
    return low + (high - low) * float(rng.random())


def count(rng: Generator, low: int, high: int) -> int:
    """Draw a whole number uniformly from low to high, both included."""
    return low + int(float(rng.random()) * (high - low + 1))


def pick(rng: Generator, choices: Sequence[T]) -> T:
    """Draw one of the choices, each as likely."""
    return choices[count(rng, 0, len(choices) - 1)]


def pick_distinct(rng: Generator, choices: Sequence[T], number: int) -> list[T]:
    """Draw `number` different choices (all of them where there are fewer)."""
    left = list(choices)
    return [left.pop(count(rng, 0, len(left) - 1)) for _ in range(min(number, len(left)))]


def white(rng: Generator, n: int) -> NDArray[np.float64]:
    """Draw uniform white noise in [-1, 1), float64[n]; filtering makes it Gaussian enough."""
    return 2.0 * rng.random(n) - 1.0

"""Naming a few of what may be many."""

from collections.abc import Iterable
from itertools import islice


def some_of(names: Iterable[str], *, most: int = 5) -> str:
    """Name a few of what may be many."""
    first = list(islice(names, most + 1))
    return ", ".join(first[:most]) + (", ..." if len(first) > most else "")


def count_of(number: int, thing: str) -> str:
    """Write `1 window`, `2 windows`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"

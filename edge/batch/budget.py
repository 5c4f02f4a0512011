"""Whether the work fits the time, and what to do where it does not: pure arithmetic."""

import re
from dataclasses import dataclass, field
from enum import Enum

from edge.errors import InputError


def parse_duration(text: str) -> float:
    """Read `90m`, `1h30m`, `5400s` or `5400` as seconds.

    Raises:
        InputError: Not a duration above zero.
    """
    match = re.fullmatch(
        r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?:in)?)?(?:(\d+(?:\.\d+)?)s?)?", text.strip()
    )
    hours, minutes, seconds = (float(part or 0) for part in match.groups()) if match else (0, 0, 0)
    duration_s = 3600.0 * hours + 60.0 * minutes + seconds
    if duration_s <= 0:
        raise InputError(
            f"--budget: {text!r} is not a time", remedy="write it as 90m, 1h30m, 5400s or 5400"
        )
    return duration_s


class Choice(Enum):
    """What to do with the next recording."""

    PRIMARY = 0
    FALLBACK = 1
    STOP = 2


@dataclass(slots=True)
class _Pace:
    """What one model was measured to need."""

    spent_s: float = 0.0
    done_bytes: int = 0
    rows: int = 0

    @property
    def seconds_a_byte(self) -> float | None:
        return self.spent_s / self.done_bytes if self.done_bytes else None


@dataclass(slots=True)
class Budget:
    """Chooses a model for each recording so that all are scored in time.

    The work in a recording is taken to be in proportion to its size in bytes, which costs nothing
    to know; what was measured corrects the projection after each. The primary model is kept as
    long as what would then be left fits the time with the fallback's measured pace; a fallback
    that has no pace yet gets one recording as soon as the primary alone would be late.
    """

    limit_s: float
    """Seconds from the command's start by which the output must be there."""
    workers: int
    has_fallback: bool
    columns: int
    """Cells a row that are to be written."""
    _paces: dict[Choice, _Pace] = field(
        default_factory=lambda: {Choice.PRIMARY: _Pace(), Choice.FALLBACK: _Pace()}
    )

    def observe(self, choice: Choice, *, size: int, spent_s: float, rows: int) -> None:
        """Learn what a recording of `size` bytes took of one worker's time."""
        pace = self._paces[choice]
        pace.spent_s += spent_s
        pace.done_bytes += max(1, size)
        pace.rows += rows

    def expected_s(self, choice: Choice, size: int) -> float | None:
        """Return the time one worker needs for `size` bytes; None before anything is known."""
        pace = self._paces[choice].seconds_a_byte
        if pace is None and choice is Choice.FALLBACK:
            pace = self._paces[Choice.PRIMARY].seconds_a_byte
        return None if pace is None else pace * size * _MARGIN

    def reserve_s(self, total_bytes: int) -> float:
        """Return the time kept back for writing the output."""
        done = sum(pace.done_bytes for pace in self._paces.values())
        rows = sum(pace.rows for pace in self._paces.values())
        cells = rows * self.columns * (total_bytes / done if done else 0.0)
        return min(_LEAST_RESERVE_S + cells * _SECONDS_A_CELL, self.limit_s / 2)

    def choose(
        self, size: int, *, others: int, total: int, elapsed_s: float, busy_s: float
    ) -> Choice:
        """Choose what scores the next recording.

        Args:
            size: Its size, in bytes.
            others: Size of the recordings after it, in bytes.
            total: Size of all the run's recordings, in bytes.
            elapsed_s: Seconds since the command's start.
            busy_s: What the recordings in progress are expected to need still, in worker-seconds.
        """
        left_s = self.limit_s - elapsed_s - self.reserve_s(total)
        if left_s <= 0:
            return Choice.STOP
        primary_s = self.expected_s(Choice.PRIMARY, size)
        if primary_s is None:
            return Choice.PRIMARY
        pace = Choice.FALLBACK if self.has_fallback else Choice.PRIMARY
        others_s = self.expected_s(pace, others) or 0.0
        if primary_s <= left_s and (busy_s + primary_s + others_s) / self.workers <= left_s:
            return Choice.PRIMARY
        if not self.has_fallback:
            return Choice.PRIMARY if primary_s <= left_s else Choice.STOP
        if not self._paces[Choice.FALLBACK].done_bytes:
            return Choice.FALLBACK
        fallback_s = self.expected_s(Choice.FALLBACK, size) or 0.0
        return Choice.FALLBACK if fallback_s <= left_s else Choice.STOP


_MARGIN = 1.03
_LEAST_RESERVE_S = 0.5
_SECONDS_A_CELL = 150e-9

"""Whether the wall clock may be trusted with what is deleted by its age; pure, times passed in.

A computer without a battery for its clock starts in the past, is set right minutes later by the
network, and may also be set wrong. What was written meanwhile bears the wrong time, and what is
right looks wrong by comparison.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

STEP = timedelta(days=1)
"""A clock that is set by more than this was, or is, wrong."""

STEADY_S = 6 * 3600.0
"""For so long it goes on without being set before it is trusted again."""

PLAUSIBLE = datetime(2024, 1, 1, tzinfo=UTC)
"""No clock that is right shows an earlier time: edge is younger."""


class WallClock:
    """The wall clock against the monotonic one, from the beginning of a run on.

    Args:
        at: The time now, UTC.
        monotonic_s: The clock that is never set, in seconds, read at the same instant.
        newest: When the newest row was written, by the clock of then; None where there is none.
    """

    def __init__(self, at: datetime, monotonic_s: float, *, newest: datetime | None) -> None:
        self.began = at
        """When the run began, as the clock has it now."""
        self._at = at
        self._at_s = monotonic_s
        far = newest is not None and abs(at - newest) > STEP
        self._doubted_s = monotonic_s if far or at < PLAUSIBLE else None

    def look(self, at: datetime, monotonic_s: float) -> bool:
        """Compare the clocks; return whether the time may be trusted."""
        by = (at - self._at) - timedelta(seconds=monotonic_s - self._at_s)
        if abs(by) > STEP:
            self._at, self._at_s = at, monotonic_s
            self.began += by
            self._doubted_s = monotonic_s
        steady = self._doubted_s is None or monotonic_s - self._doubted_s >= STEADY_S
        return steady and at >= PLAUSIBLE


class Beginnings:
    """When each run can first have written, as far as is known by now.

    Args:
        runs: The first number that each run could give to a stream, and when it began, UTC; in
            their order.
        now: For a last run whose clock was never right.
    """

    def __init__(self, runs: Sequence[tuple[int, datetime]], now: datetime) -> None:
        self._streams = [stream for stream, _ in runs]
        self.began: list[datetime] = []
        """When each run began; where its clock was never right, the next one's beginning."""
        later = now
        for _, began in reversed(runs):
            later = began if began >= PLAUSIBLE else later
            self.began.append(later)
        self.began.reverse()

    def written(self, stream: int, stamp: datetime) -> datetime:
        """Judge when a row of a stream was written: not before the run that wrote it."""
        run = bisect_right(self._streams, stream) - 1
        return max(stamp, self.began[run]) if run >= 0 else stamp


def oldest_kept(days: float, at: datetime) -> datetime | None:
    """Give the time before which rows are older than so many days; None where none can be."""
    try:
        return at - timedelta(days=days)
    except OverflowError:
        return None

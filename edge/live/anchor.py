"""The time of a live stream: its sample count, anchored to the clock.

Pure: the times come from outside.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Anchoring:
    """From this sample on, until the next anchoring, samples have these times."""

    sample: int
    at: datetime
    """UTC time of that sample."""
    sample_rate_hz: int
    reason: str
    stepped: bool = False
    """Whether the wall clock was set."""

    def time_of(self, sample: int) -> datetime:
        """Return the UTC time of a sample."""
        return self.at + timedelta(seconds=(sample - self.sample) / self.sample_rate_hz)


class Anchor:
    """Keeps a stream's sample count and the clock together.

    The first sound is taken to end when it arrives. From there on samples are counted, until

    - the wall clock was stepped against the monotonic clock by more than `MOST_ERROR_S`, or
    - the count has drifted from the monotonic clock by more than that.

    Sound may be late but never early; so the drift is that of the least delay within
    `CHECK_SECONDS`, which jitter does not move.

    Args:
        sample_rate_hz: The rate that the samples claim to have.
    """

    def __init__(self, *, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._anchoring: Anchoring | None = None
        self._delay_s = 0.0
        """Arrival of a sample by the monotonic clock, less its time by the count; as anchored."""
        self._offset_s = 0.0
        """Wall clock less monotonic clock, as anchored."""
        self._end_sample = 0
        self._check_from_s = 0.0
        self._least_s: float | None = None
        self._last_least_s: float | None = None
        self._delays = _Delays()
        self._drift_ppm: float | None = None
        self._rates_hz: tuple[float, ...] = ()
        """At which the sound came in the latest spans, one after the other."""

    @property
    def anchoring(self) -> Anchoring | None:
        """The one that counts now; None before the first sound."""
        return self._anchoring

    @property
    def drift_ppm(self) -> float | None:
        """How much faster than it claims the samples come, in parts per million.

        None until there were ten minutes without a break, and then the latest that was measured.
        """
        return self._drift_ppm

    @property
    def other_rate_hz(self) -> int | None:
        """At which rate the sound comes, where that is far from what it claims.

        None where it is near, and until two spans of `CHECK_SECONDS` agree.
        """
        if len(self._rates_hz) < _AGREEING:
            return None
        slowest_hz, fastest_hz = min(self._rates_hz), max(self._rates_hz)
        most_hz = _OTHER_RATE * self._rate_hz
        if self._rate_hz - most_hz < fastest_hz and slowest_hz < self._rate_hz + most_hz:
            return None
        if fastest_hz - slowest_hz > most_hz:
            return None
        return round(sum(self._rates_hz) / _AGREEING)

    def observe(
        self, start_sample: int, end_sample: int, *, now: datetime, monotonic_s: float
    ) -> Anchoring | None:
        """Note a block's arrival; return the anchoring that begins with it, if one does.

        Args:
            start_sample: Its first sample.
            end_sample: The sample that follows it.
            now: The wall clock at its arrival, UTC.
            monotonic_s: The monotonic clock at the same instant, in seconds.
        """
        offset_s = _seconds(now) - monotonic_s
        delay_s = monotonic_s - end_sample / self._rate_hz
        if self._anchoring is None:
            self._offset_s, self._delay_s = offset_s, delay_s
            self._end_sample, self._check_from_s = end_sample, monotonic_s
            return self._set(start_sample, "its first sound")
        if start_sample != self._end_sample:
            self._begin_measuring(monotonic_s)
        self._end_sample = end_sample
        reasons = []
        stepped_s = offset_s - self._offset_s
        stepped = abs(stepped_s) > MOST_ERROR_S
        if stepped:
            self._offset_s = offset_s
            reasons.append(f"the wall clock was set {_by(stepped_s)}")
        late_s = self._check(delay_s, monotonic_s)
        if abs(late_s) > MOST_ERROR_S:
            self._delay_s += late_s
            reasons.append(
                f"the sample count was {'behind' if late_s > 0 else 'ahead of'} "
                f"the clock by {abs(late_s):.1f} s"
            )
        return self._set(end_sample, "; ".join(reasons), stepped=stepped) if reasons else None

    def _set(self, sample: int, reason: str, *, stepped: bool = False) -> Anchoring:
        at = _EPOCH + timedelta(seconds=self._offset_s + self._delay_s + sample / self._rate_hz)
        self._anchoring = Anchoring(sample, at, self._rate_hz, reason, stepped)
        return self._anchoring

    def _check(self, delay_s: float, monotonic_s: float) -> float:
        """Return by how much the least delay is more than that anchored; 0 until it is known."""
        self._least_s = delay_s if self._least_s is None else min(self._least_s, delay_s)
        if monotonic_s - self._check_from_s < CHECK_SECONDS:
            return 0.0
        least_s = self._least_s
        if self._last_least_s is not None:
            rose_s = least_s - self._last_least_s
            rate_hz = self._rate_hz * (1.0 - rose_s / (monotonic_s - self._check_from_s))
            self._rates_hz = (*self._rates_hz, rate_hz)[-_AGREEING:]
            if abs(rose_s) > _JUMP_S:
                self._delays = _Delays()
        self._delays.add(monotonic_s, least_s)
        slope = self._delays.slope()
        if slope is not None:
            # Ever smaller delays are samples that come ever sooner.
            self._drift_ppm = -1e6 * slope
        self._least_s, self._last_least_s = None, least_s
        self._check_from_s = monotonic_s
        return least_s - self._delay_s

    def _begin_measuring(self, monotonic_s: float) -> None:
        """Measure the drift anew: across a break the delay says nothing of it."""
        self._delays = _Delays()
        self._rates_hz = ()
        self._least_s = self._last_least_s = None
        self._check_from_s = monotonic_s


class _Delays:
    """The least delays of spans of time; with their number the spans grow, up to an hour."""

    def __init__(self) -> None:
        self._points: list[tuple[float, float]] = []
        self._span = 1
        self._gathered: list[tuple[float, float]] = []

    def add(self, at_s: float, delay_s: float) -> None:
        self._gathered.append((at_s, delay_s))
        if len(self._gathered) < self._span:
            return
        self._points.append(_least(self._gathered))
        self._gathered = []
        if len(self._points) < _MOST_POINTS:
            return
        if self._span < _LONGEST_SPAN:
            pairs = zip(self._points[::2], self._points[1::2], strict=True)
            self._points = [_least(pair) for pair in pairs]
            self._span *= 2
        else:
            del self._points[0]

    def slope(self) -> float | None:
        """Return the median slope between any two spans (Theil 1950, Sen 1968)."""
        if len(self._points) < 2 or self._points[-1][0] - self._points[0][0] < _LEAST_MEASURED_S:
            return None
        points: NDArray[np.float64] = np.array(self._points)
        first, second = np.triu_indices(len(points), k=1)
        ran_s, rose_s = (points[second] - points[first]).T
        return float(np.median(rose_s / ran_s))


def _least(
    points: "list[tuple[float, float]] | tuple[tuple[float, float], ...]",
) -> tuple[float, float]:
    return min(points, key=lambda point: point[1])


def _by(seconds: float) -> str:
    return f"{'forward' if seconds > 0 else 'back'} by {timedelta(seconds=round(abs(seconds)))}"


def _seconds(at: datetime) -> float:
    return (at - _EPOCH) / timedelta(seconds=1)


MOST_ERROR_S = 1.0
"""How far a stream's time may be from the clock, in seconds."""
CHECK_SECONDS = 30.0
"""How long the least delay is looked for, in seconds."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_JUMP_S = 0.25
_OTHER_RATE = 0.02
"""Of the rate: ten times what a bad sound card is off, a quarter of 44 100 from 48 000 Hz."""
_AGREEING = 2
_LEAST_MEASURED_S = 600.0
_MOST_POINTS = 128
_LONGEST_SPAN = 128

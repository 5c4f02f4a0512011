"""Sound on its way from the thread that reads it to the thread that scores it."""

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

from edge.contracts import FRAME_SECONDS, AudioBlock, FloatArray

LEAST_SECONDS = 3 * FRAME_SECONDS
"""Room for a window that was begun, one that can be dropped, and one that grows."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of a stream that cannot be scored; windows never straddle it."""

    start_sample: int
    end_sample: int
    """The sample that follows."""
    received: int
    """How many of its samples came in and were dropped; the others never came."""
    windows: int
    """How many windows were dropped, each whole; 0 where nothing came."""

    @property
    def reason(self) -> str:
        """Why, in a few words."""
        if not self.received:
            return "nothing was received"
        if self.received == self.end_sample - self.start_sample:
            return "dropped: the model is too slow"
        return "dropped, the model being too slow, or never received"


class SampleRing:
    """The samples of one stream that wait to be scored; for one writer and one reader.

    Memory is taken once. When it is full the oldest whole windows make room: those that the reader
    has not begun, on the grid of 5 s that begins with each segment's first sample. The reader is
    told by a `Gap`; so every sample is taken, dropped or never came, in order and once.

    Args:
        stream: Name of the stream.
        sample_rate_hz: Of the samples.
        capacity_s: How much may wait, at least `LEAST_SECONDS`.
    """

    def __init__(self, stream: str, *, sample_rate_hz: int, capacity_s: float) -> None:
        if capacity_s < LEAST_SECONDS:
            raise ValueError(f"a ring of {capacity_s} s is shorter than {LEAST_SECONDS} s")
        self.sample_rate_hz = sample_rate_hz
        self._stream = stream
        self._window = round(FRAME_SECONDS * sample_rate_hz)
        # Untouched, it costs nothing: while the reader keeps up only its beginning is used.
        self._store: FloatArray = np.empty(round(capacity_s * sample_rate_hz), dtype=np.float32)
        self._oldest = 0
        self._waiting = 0
        self._parts: deque[_Run | Gap] = deque()
        self._segment_start = 0
        self._end = 0
        self._dropped = 0
        self._received = 0
        self._lock = threading.Lock()

    @property
    def end_sample(self) -> int:
        """Number of the next sample."""
        return self._end

    @property
    def received_samples(self) -> int:
        """How many samples came in."""
        return self._received

    @property
    def dropped_samples(self) -> int:
        """How many of them were dropped."""
        return self._dropped

    @property
    def waiting_samples(self) -> int:
        """How many of them wait."""
        return self._waiting

    @property
    def is_empty(self) -> bool:
        """Whether neither samples nor gaps wait."""
        return not self._parts

    def has_room(self, samples: int) -> bool:
        """Tell whether so many samples could come without a drop."""
        return self._waiting + samples <= len(self._store)

    def push(self, samples: FloatArray) -> None:
        """Append samples [shape=(n,)]; they are copied."""
        with self._lock:
            for first in range(0, len(samples), self._window):
                piece = samples[first : first + self._window]
                while not self.has_room(len(piece)) or len(self._parts) > _MOST_PARTS:
                    self._drop_oldest()
                self._write(self._waiting, piece)
                self._waiting += len(piece)
                self._received += len(piece)
                last = self._parts[-1] if self._parts else None
                if not isinstance(last, _Run):
                    last = _Run(self._segment_start, self._end, self._end)
                    self._parts.append(last)
                last.end += len(piece)
                self._end += len(piece)

    def skip(self, samples: int) -> None:
        """Note that so many samples, 1 or more, never came; the segment ends."""
        if samples < 1:
            raise ValueError(f"a gap holds at least one sample, not {samples}")
        with self._lock:
            self._append(Gap(self._end, self._end + samples, 0, 0))
            self._end += samples
            self._segment_start = self._end

    def take(self, most_samples: int | None = None) -> list[AudioBlock | Gap]:
        """Return what waits, in order, without waiting.

        Args:
            most_samples: The rest is left; None for all there is.
        """
        with self._lock:
            left = self._waiting if most_samples is None else most_samples
            taken: list[AudioBlock | Gap] = []
            while self._parts:
                part = self._parts[0]
                if isinstance(part, Gap):
                    taken.append(part)
                    self._parts.popleft()
                    continue
                n = min(left, part.end - part.start)
                if not n:
                    break
                block = AudioBlock(self._stream, part.start, self.sample_rate_hz, self._read(0, n))
                taken.append(block)
                self._forget(n)
                left -= n
                part.start += n
                if part.start == part.end:
                    self._parts.popleft()
            return taken

    def _drop_oldest(self) -> None:
        """Turn the oldest window that the reader has not begun into a gap."""
        before = 0
        for at, run in enumerate(self._parts):
            if not isinstance(run, _Run):
                continue
            begun = -(-(run.start - run.segment_start) // self._window)
            border = run.segment_start + begun * self._window
            end = border + self._window
            if run is not self._parts[-1]:
                end = min(end, run.end)  # the tail of a segment is a window too
            if border < end <= run.end:
                self._drop(at, run, border, end, before=before + border - run.start)
                return
            before += run.end - run.start
        raise AssertionError("a ring of three windows always has one to drop")

    def _drop(self, at: int, run: "_Run", border: int, end: int, *, before: int) -> None:
        """Drop samples `border` to `end` of the part number `at`; `before` older ones stay."""
        kept = self._read(0, before)
        self._forget(end - border)
        self._write(0, kept)
        self._dropped += end - border
        parts: list[_Run | Gap] = []
        if run.start < border:
            parts.append(_Run(run.segment_start, run.start, border))
        parts.append(Gap(border, end, end - border, 1))
        if end < run.end:
            parts.append(_Run(end, end, run.end))
        if run is self._parts[-1]:
            self._segment_start = end
        whole = [*self._parts]
        self._parts.clear()
        for part in (*whole[:at], *parts, *whole[at + 1 :]):
            self._append(part)

    def _append(self, part: "_Run | Gap") -> None:
        """Append a part; a gap that follows another is one with it."""
        last = self._parts[-1] if self._parts else None
        if isinstance(part, Gap) and isinstance(last, Gap):
            self._parts.pop()
            part = Gap(
                last.start_sample,
                part.end_sample,
                last.received + part.received,
                last.windows + part.windows,
            )
        self._parts.append(part)

    def _read(self, first: int, n: int) -> FloatArray:
        """Copy `n` samples from the waiting sample number `first`."""
        start = (self._oldest + first) % len(self._store)
        head = self._store[start : start + n]
        return np.concatenate([head, self._store[: n - len(head)]])

    def _write(self, first: int, samples: FloatArray) -> None:
        start = (self._oldest + first) % len(self._store)
        head = min(len(samples), len(self._store) - start)
        self._store[start : start + head] = samples[:head]
        self._store[: len(samples) - head] = samples[head:]

    def _forget(self, n: int) -> None:
        self._waiting -= n
        self._oldest = (self._oldest + n) % len(self._store) if self._waiting else 0


@dataclass(slots=True)
class _Run:
    """Consecutive samples of one segment that wait."""

    segment_start: int
    start: int
    end: int


_MOST_PARTS = 1000

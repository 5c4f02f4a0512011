"""Changing the sample rate of a stream."""

import numpy as np
import soxr

from edge.contracts import FloatArray


class StreamResampler:
    """Resamples a mono stream with soxr; the result is bit-equal for any chunking.

    The output holds exactly round(n · out / in) samples once `finish` was called, so that the
    windows of a file are those of its length and not of the filter's delay.

    Args:
        from_hz: Rate of the samples pushed.
        to_hz: Rate of the samples returned.
    """

    def __init__(self, *, from_hz: int, to_hz: int) -> None:
        self._from_hz = from_hz
        self._to_hz = to_hz
        self.reset()

    def push(self, samples: FloatArray) -> FloatArray:
        """Return what became complete: float32 [shape=(m,)], m ≥ 0."""
        if self._soxr is None:
            return samples
        self._received += len(samples)
        return self._deliver(self._soxr.resample_chunk(samples))

    def finish(self) -> FloatArray:
        """Return the rest of the stream, to its exact length; call `reset` before another."""
        if self._soxr is None:
            return np.empty(0, dtype=np.float32)
        rest = self._soxr.resample_chunk(np.empty(0, dtype=np.float32), last=True)
        due = (2 * self._received * self._to_hz + self._from_hz) // (2 * self._from_hz)
        missing = max(0, due - self._delivered - len(rest))
        return self._deliver(np.pad(rest, (0, missing))[: max(0, due - self._delivered)])

    def reset(self) -> None:
        """Forget the stream."""
        same = self._from_hz == self._to_hz
        self._soxr = (
            None
            if same
            else soxr.ResampleStream(self._from_hz, self._to_hz, 1, dtype="float32", quality="HQ")
        )
        self._received = 0
        self._delivered = 0

    def _deliver(self, samples: FloatArray) -> FloatArray:
        self._delivered += len(samples)
        return samples

"""What becomes of the last, partial frame of a segment."""

from dataclasses import dataclass

from edge.contracts import FRAME_SECONDS, MIN_TAIL_SECONDS


@dataclass(frozen=True, slots=True)
class FrameCount:
    """How a segment of a given length falls into frames."""

    frames: int
    """Frames that get a score, the zero-padded tail included."""
    padding: int
    """Zeros that complete the tail, in samples; 0 where there is none to complete."""
    skipped: int
    """Samples at the end that are too few for a frame."""


def count_frames(samples: int, *, sample_rate_hz: int) -> FrameCount:
    """Count the 5-second frames of a segment of `samples` samples.

    A last frame with at least one second of audio is zero-padded, a shorter one skipped.
    """
    frame = round(FRAME_SECONDS * sample_rate_hz)
    full, tail = divmod(samples, frame)
    if tail == 0:
        return FrameCount(full, 0, 0)
    if tail < MIN_TAIL_SECONDS * sample_rate_hz:
        return FrameCount(full, 0, tail)
    return FrameCount(full + 1, frame - tail, 0)


def skipped_tail_reason(samples: int, *, sample_rate_hz: int, least_s: float) -> str:
    """Say why a tail of `samples` samples is not scored."""
    return f"tail of {samples / sample_rate_hz:.3f} s is shorter than {least_s:g} s"

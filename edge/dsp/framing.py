"""Cutting a stream of samples into overlapping frames."""

import numpy as np

from edge.contracts import FloatArray


class Framer:
    """Cuts frames of `frame_size` samples every `hop` samples, frame j centred on sample j·hop.

    Before the stream's start there are zeros, so frame 0 begins half a frame early; no frame
    looks past the samples it has. The frames are the same for any chunking of the stream.

    Args:
        frame_size: Samples a frame, even.
        hop: Samples from one frame's centre to the next, at most `frame_size`.
    """

    def __init__(self, *, frame_size: int, hop: int) -> None:
        if frame_size % 2 or not 0 < hop <= frame_size:
            raise ValueError(f"cannot cut frames of {frame_size} samples every {hop}")
        self._frame_size = frame_size
        self._hop = hop
        self._held: FloatArray = np.zeros(frame_size // 2, dtype=np.float32)

    def push(self, samples: FloatArray) -> FloatArray:
        """Return the frames that became complete.

        Args:
            samples: float32 [shape=(n,)], n ≥ 0.

        Returns:
            float32 [shape=(frames, frame_size)], read-only, overlapping in memory.
        """
        held = np.concatenate([self._held, samples])
        frames = max(0, (len(held) - self._frame_size) // self._hop + 1)
        self._held = held[frames * self._hop :].copy()
        if not frames:
            return np.empty((0, self._frame_size), dtype=np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(held, self._frame_size)
        return windows[: (frames - 1) * self._hop + 1 : self._hop]

    def reset(self) -> None:
        """Forget the stream; the next sample is sample 0."""
        self._held = np.zeros(self._frame_size // 2, dtype=np.float32)

"""The short-time Fourier transform of one clip."""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from edge.contracts import FloatArray
from edge.dsp.scipy_core import rfft


class Edges(StrEnum):
    """Where a clip's frames lie, and what stands beyond its ends."""

    INSIDE = "inside"
    """Frame j begins at sample j·hop, and no frame looks past the clip."""
    ZEROS = "zeros"
    """Frame j is centred on sample j·hop; beyond the clip there are zeros."""
    MIRROR = "mirror"
    """Frame j is centred on sample j·hop; beyond its ends the clip runs back, without its last
    sample."""


class Stft:
    """Turns clips of one length into their magnitude or power spectra.

    Equal to librosa's `stft` for frames as long as the FFT, and, where frames are centred, for
    shorter ones too; to TensorFlow's `tf.signal.stft` for frames inside the clip.

    Args:
        samples: Length of a clip.
        frame_size: Samples a frame, under a periodic Hann window.
        hop: Samples from one frame to the next.
        fft_size: Length of the FFT; frames are padded with zeros to it.
        power: 1 for magnitudes, 2 for powers.
        edges: Where the frames lie.
        frames: How many are wanted at most, from the first; all by default.

    Raises:
        ValueError: Sizes that do not fit one another.
    """

    def __init__(
        self,
        *,
        samples: int,
        frame_size: int,
        hop: int,
        fft_size: int,
        power: int,
        edges: Edges,
        frames: int | None = None,
    ) -> None:
        if not 0 < frame_size <= fft_size or hop < 1:
            raise ValueError(
                f"cannot transform frames of {frame_size} samples every {hop} by {fft_size}"
            )
        held = count_frames(samples=samples, frame_size=frame_size, hop=hop, edges=edges)
        self.frames = held if frames is None else min(held, frames)
        self.bins = fft_size // 2 + 1
        self._hop = hop
        self._power = power
        self._edges = edges
        before = 0 if edges is Edges.INSIDE else (frame_size + 1) // 2
        after = (self.frames - 1) * hop + frame_size - before - samples
        self._beyond = (before, max(0, after))
        self._window = hann(frame_size).astype(np.float32)
        self._windowed = np.zeros((self.frames, fft_size), dtype=np.float32)

    def __call__(self, clip: FloatArray) -> FloatArray:
        """Return a clip's spectra.

        Args:
            clip: float32 [shape=(samples,)].

        Returns:
            float32 [shape=(bins, frames)].
        """
        if any(self._beyond):
            mirrored = self._edges is Edges.MIRROR
            clip = np.pad(clip, self._beyond, mode="reflect" if mirrored else "constant")
        size = len(self._window)
        frames = np.lib.stride_tricks.sliding_window_view(clip, size)[:: self._hop][: self.frames]
        np.multiply(frames, self._window, out=self._windowed[:, :size])
        parts = rfft(self._windowed.T).view(np.float32)
        np.multiply(parts, parts, out=parts)
        spectra = parts[:, ::2] + parts[:, 1::2]
        if self._power == 1:
            np.sqrt(spectra, out=spectra)
        return spectra


def count_frames(*, samples: int, frame_size: int, hop: int, edges: Edges) -> int:
    """Return how many frames a clip has.

    Raises:
        ValueError: None, or it is too short to be mirrored.
    """
    if edges is Edges.INSIDE:
        if samples < frame_size:
            raise ValueError(f"a clip of {samples} samples holds no frame of {frame_size}")
        return (samples - frame_size) // hop + 1
    if edges is Edges.MIRROR and samples <= (frame_size + 1) // 2:
        raise ValueError(f"a clip of {samples} samples is too short to mirror {frame_size}")
    return samples // hop + 1


def hann(size: int) -> NDArray[np.float64]:
    """Return the periodic Hann window [shape=(size,)], as a transform wants it."""
    return np.asarray(0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(size) / size))

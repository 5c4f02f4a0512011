"""The mel filterbank, kept sparse."""

import numpy as np
from numpy.typing import NDArray

from edge.dsp.scipy_core import SparseMatrix


def hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert Hz to mel on Slaney's scale: linear below 1 kHz, logarithmic above.

    Source: M. Slaney, Auditory Toolbox, Interval Research report 1998-010; librosa's default.
    """
    mel = hz / _LINEAR_HZ_PER_MEL
    above = hz >= _BREAK_HZ
    mel[above] = _BREAK_HZ / _LINEAR_HZ_PER_MEL + np.log(hz[above] / _BREAK_HZ) / _LOG_STEP
    return mel


def mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Invert `hz_to_mel`."""
    hz = mel * _LINEAR_HZ_PER_MEL
    break_mel = _BREAK_HZ / _LINEAR_HZ_PER_MEL
    above = mel >= break_mel
    hz[above] = _BREAK_HZ * np.exp(_LOG_STEP * (mel[above] - break_mel))
    return hz


def mel_filterbank(
    *, sample_rate_hz: int, fft_size: int, bands: int, low_hz: float = 0.0, high_hz: float
) -> SparseMatrix:
    """Build triangular filters of equal area that turn a power spectrum into mel bands.

    Equal to `librosa.filters.mel` with its default scale and norm ("slaney"), which a test holds
    to 1e-6.

    Args:
        sample_rate_hz: Rate of the samples the spectrum was taken of.
        fft_size: Length of the FFT, in samples.
        bands: Number of mel bands.
        low_hz: Lower edge of the lowest band.
        high_hz: Upper edge of the highest band, at most half the sample rate.

    Returns:
        float64 [shape=(bands, fft_size // 2 + 1)], about two non-zeros a spectrum bin.
    """
    bin_hz = np.arange(fft_size // 2 + 1) * (sample_rate_hz / fft_size)
    low_mel, high_mel = hz_to_mel(np.array([low_hz, high_hz], dtype=np.float64))
    edge_hz = mel_to_hz(np.linspace(low_mel, high_mel, bands + 2))
    width_hz = np.diff(edge_hz)
    counts, columns, weights = [], [], []
    for band in range(bands):
        left, right = edge_hz[band], edge_hz[band + 2]
        inside = np.flatnonzero((bin_hz > left) & (bin_hz < right))
        rising = (bin_hz[inside] - left) / width_hz[band]
        falling = (right - bin_hz[inside]) / width_hz[band + 1]
        counts.append(len(inside))
        columns.append(inside)
        weights.append(np.minimum(rising, falling) * (2.0 / (right - left)))
    return SparseMatrix(
        np.concatenate(weights), np.concatenate(columns), np.array(counts), width=len(bin_hz)
    )


_LINEAR_HZ_PER_MEL = 200.0 / 3.0
_BREAK_HZ = 1000.0
_LOG_STEP = np.log(6.4) / 27.0

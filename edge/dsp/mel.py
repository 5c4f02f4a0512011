"""The mel filterbank, kept sparse."""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from edge.dsp.scipy_core import SparseMatrix


class MelScale(StrEnum):
    """How pitch is heard to rise with frequency."""

    SLANEY = "slaney"
    """Linear below 1 kHz, logarithmic above: M. Slaney, Auditory Toolbox, Interval Research report
    1998-010; librosa's default."""
    HTK = "htk"
    """2595 lg(1 + f / 700 Hz): S. Young et al., The HTK Book; TensorFlow's, and torchaudio's
    default."""


class MelNorm(StrEnum):
    """How the filters of a filterbank are weighted among one another."""

    AREA = "area"
    """All have the same area."""
    PEAK = "peak"
    """All are 1 at their middle."""


class MelFade(StrEnum):
    """Along what a filter falls from its middle to its ends in a straight line."""

    HZ = "hz"
    """librosa's, and torchaudio's."""
    MEL = "mel"
    """TensorFlow's."""


def hz_to_mel(hz: NDArray[np.float64], scale: MelScale = MelScale.SLANEY) -> NDArray[np.float64]:
    """Convert Hz to mel."""
    if scale is MelScale.HTK:
        return np.asarray(_HTK_MEL * np.log10(1.0 + hz / _HTK_HZ))
    mel = hz / _LINEAR_HZ_PER_MEL
    above = hz >= _BREAK_HZ
    mel[above] = _BREAK_HZ / _LINEAR_HZ_PER_MEL + np.log(hz[above] / _BREAK_HZ) / _LOG_STEP
    return mel


def mel_to_hz(mel: NDArray[np.float64], scale: MelScale = MelScale.SLANEY) -> NDArray[np.float64]:
    """Invert `hz_to_mel`."""
    if scale is MelScale.HTK:
        return np.asarray(_HTK_HZ * (10.0 ** (mel / _HTK_MEL) - 1.0))
    hz = mel * _LINEAR_HZ_PER_MEL
    break_mel = _BREAK_HZ / _LINEAR_HZ_PER_MEL
    above = mel >= break_mel
    hz[above] = _BREAK_HZ * np.exp(_LOG_STEP * (mel[above] - break_mel))
    return hz


def mel_filterbank(
    *,
    sample_rate_hz: int,
    fft_size: int,
    bands: int,
    low_hz: float = 0.0,
    high_hz: float,
    scale: MelScale = MelScale.SLANEY,
    norm: MelNorm = MelNorm.AREA,
    fade: MelFade = MelFade.HZ,
) -> SparseMatrix:
    """Build triangular filters that turn a spectrum into mel bands.

    Equal to `librosa.filters.mel`, and with `MelFade.MEL` to TensorFlow's
    `linear_to_mel_weight_matrix`, which tests hold to 1e-6.

    Args:
        sample_rate_hz: Rate of the samples the spectrum was taken of.
        fft_size: Length of the FFT, in samples.
        bands: Number of mel bands.
        low_hz: Lower edge of the lowest band.
        high_hz: Upper edge of the highest band, at most half the sample rate.
        scale: Along which the bands are evenly spaced.
        norm: How large the filters are.
        fade: Along what they fall.

    Returns:
        float64 [shape=(bands, fft_size // 2 + 1)], about two non-zeros a spectrum bin.
    """
    bin_hz = np.arange(fft_size // 2 + 1, dtype=np.float64) * (sample_rate_hz / fft_size)
    low_mel, high_mel = hz_to_mel(np.array([low_hz, high_hz], dtype=np.float64), scale)
    edge_mel = np.linspace(low_mel, high_mel, bands + 2)
    edge_hz = mel_to_hz(edge_mel.copy(), scale)
    if fade is MelFade.HZ:
        edges, places = edge_hz, bin_hz
    else:
        edges, places = edge_mel, hz_to_mel(bin_hz.copy(), scale)
    widths = np.diff(edges)
    counts, columns, weights = [], [], []
    for band in range(bands):
        left, right = edges[band], edges[band + 2]
        inside = np.flatnonzero((places > left) & (places < right))
        rising = (places[inside] - left) / widths[band]
        falling = (right - places[inside]) / widths[band + 1]
        size = 2.0 / (edge_hz[band + 2] - edge_hz[band]) if norm is MelNorm.AREA else 1.0
        counts.append(len(inside))
        columns.append(inside)
        weights.append(np.minimum(rising, falling) * size)
    return SparseMatrix(
        np.concatenate(weights), np.concatenate(columns), np.array(counts), width=len(bin_hz)
    )


_LINEAR_HZ_PER_MEL = 200.0 / 3.0
_BREAK_HZ = 1000.0
_LOG_STEP = np.log(6.4) / 27.0
_HTK_MEL = 2595.0
_HTK_HZ = 700.0

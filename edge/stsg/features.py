"""From frames of samples to normalised log-mel features, and how far float32 may stray."""

import numpy as np
from numpy.typing import NDArray

from edge.contracts import FloatArray
from edge.dsp.mel import mel_filterbank
from edge.dsp.scipy_core import rfft
from edge.dsp.stft import hann
from edge.stsg.spec import FeatureSpec, Normalisation

DoubleArray = NDArray[np.float64]


class FeatureExtractor:
    """Turns frames of samples into normalised mel features, quickly or exactly.

    `quick` works in float32 and says how far from the exact value each frame may be; `exact` works
    in float64. Who decides by these numbers asks `exact` wherever `quick` is too close to call.
    """

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
        self._window = hann(spec.frame_size)
        self._window32 = self._window.astype(np.float32)
        self._filters = mel_filterbank(
            sample_rate_hz=spec.sample_rate_hz,
            fft_size=spec.fft_size,
            bands=spec.mel_bands,
            low_hz=spec.low_hz,
            high_hz=spec.high_hz,
        )
        self._filters32 = self._filters.astype(np.float32)
        every_bin = np.ones((spec.fft_size // 2 + 1, 1))
        self._filter_sums = (self._filters @ every_bin).astype(np.float32).ravel()
        self._ones = np.ones(spec.fft_size // 2 + 1, dtype=np.float32)
        self._floor = 10.0 ** (spec.floor_db / 10.0)

    def quick(self, frames: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Compute features in float32, with a bound on the error of each frame.

        Args:
            frames: float32 [shape=(n, frame_size)].

        Returns:
            features: float32 [shape=(n, mel_bands)].
            error: float32 [shape=(n,)], a bound on the Euclidean distance between each row and
                what `exact` gives for the same frame.
        """
        features = np.empty((len(frames), self.spec.mel_bands), dtype=np.float32)
        error = np.empty(len(frames), dtype=np.float32)
        for first in range(0, len(frames), _FRAMES_AT_ONCE):
            part = slice(first, first + _FRAMES_AT_ONCE)
            features[part], error[part] = self._quick_part(frames[part])
        return features, error

    def exact(self, frames: FloatArray) -> DoubleArray:
        """Compute features in float64.

        Args:
            frames: float32 [shape=(n, frame_size)].

        Returns:
            float64 [shape=(n, mel_bands)].
        """
        windowed = np.zeros((len(frames), self.spec.fft_size))
        np.multiply(frames, self._window, out=windowed[:, : self.spec.frame_size])
        spectrum = rfft(windowed.T)
        mel = (self._filters @ (spectrum.real**2 + spectrum.imag**2)).T
        decibels = 10.0 * np.log10(np.maximum(mel, self._floor))
        if self.spec.normalisation is Normalisation.NONE:
            return np.asarray(decibels)
        decibels -= decibels.mean(axis=1, keepdims=True)
        if self.spec.normalisation is Normalisation.STANDARD:
            decibels /= np.maximum(decibels.std(axis=1, keepdims=True), _LEAST_DEVIATION_DB)
        return np.asarray(decibels)

    def _quick_part(self, frames: FloatArray) -> tuple[FloatArray, FloatArray]:
        windowed = np.empty((len(frames), self.spec.fft_size), dtype=np.float32)
        windowed[:, self.spec.frame_size :] = 0.0
        np.multiply(frames, self._window32, out=windowed[:, : self.spec.frame_size])
        # Columns, because the sparse product wants the bins first.
        parts = rfft(windowed.T).view(np.float32)
        np.multiply(parts, parts, out=parts)
        power = parts[:, ::2] + parts[:, 1::2]
        mel = self._filters32 @ power
        error = self._decibel_error(mel, self._ones @ power)
        features = np.ascontiguousarray(np.log10(np.maximum(mel, np.float32(self._floor))).T)
        features *= np.float32(10.0)
        rounding = np.float32(_ROUNDING) * np.sqrt(np.einsum("ij,ij->i", features, features))
        error += rounding
        if self.spec.normalisation is not Normalisation.NONE:
            features -= features.mean(axis=1, keepdims=True)
        if self.spec.normalisation is Normalisation.STANDARD:
            variance = np.einsum("ij,ij->i", features, features) / self.spec.mel_bands
            deviation = np.maximum(np.sqrt(variance), np.float32(_LEAST_DEVIATION_DB))
            features /= deviation[:, np.newaxis]
            # The deviation itself is off by at most error / sqrt(bands), which moves the row by as
            # much again.
            error = 2.0 * error / deviation
        return features, error

    def _decibel_error(self, mel: FloatArray, total_power: FloatArray) -> FloatArray:
        """Bound the error of the log-mel rows, in dB (Euclidean over the bands).

        Args:
            mel: float32 [shape=(mel_bands, n)].
            total_power: Sum over the bins of the spectrum [shape=(n,)].

        An FFT in float32 adds to every bin an error of amplitude e, about the unit roundoff times
        the frame's norm (Higham, Accuracy and Stability of Numerical Algorithms, section 24.1); a
        band of power m and filter sum s is then off by the relative 2 e sqrt(s / m) + e² s / m.
        A band far enough below the floor counts as the floor in any arithmetic, without error.
        """
        # The frame's squared norm is at most twice this over the FFT's length (Parseval).
        squared = np.float32(_FFT_ROUNDING**2 * 2.0 / self.spec.fft_size) * total_power
        clear = np.float32(self._floor / 4.0)
        trusted = squared * self._filter_sums.max() < clear
        inverse = np.reciprocal(np.maximum(mel, np.float32(self._floor)))
        inverse[(mel < clear) & trusted] = 0.0
        ratio = np.einsum("ij,i->j", inverse, self._filter_sums) * squared
        return np.asarray(_DB_PER_RELATIVE * (2.0 * np.sqrt(ratio) + ratio), dtype=np.float32)


_FRAMES_AT_ONCE = 40
_LEAST_DEVIATION_DB = 1.0
_UNIT_ROUNDOFF = 2.0**-24
# Taken three times larger, or more, than needed for any of a hundred recordings, noises, tones,
# sweeps and clicks: the largest error seen was 0.36 of its bound, the median a hundredth.
_FFT_ROUNDING = 3.0 * _UNIT_ROUNDOFF
_ROUNDING = 16.0 * _UNIT_ROUNDOFF
_DB_PER_RELATIVE = 10.0 / np.log(10.0)

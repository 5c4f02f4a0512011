"""What brings the wide range of a spectrum into one that a network can take.

Each function takes spectra [shape=(bands, frames)] float32, not negative, and returns new ones of
that shape.
"""

import numpy as np

from edge.contracts import FloatArray


def log(spectra: FloatArray, *, offset: float) -> FloatArray:
    """Return ln(x + offset)."""
    found: FloatArray = np.log(spectra + np.float32(offset))
    return found


def decibels(
    spectra: FloatArray,
    *,
    power: int,
    floor: float,
    to_peak: bool = False,
    range_db: float | None = None,
) -> FloatArray:
    """Return decibels, as librosa's `power_to_db` and `amplitude_to_db`.

    Args:
        spectra: Magnitudes or powers.
        power: 1 for magnitudes, 2 for powers.
        floor: What is less, in the unit of the spectra, counts as this.
        to_peak: Whether 0 dB is the clip's largest value, in place of 1.
        range_db: What lies further below the clip's largest value is raised to there.
    """
    factor = np.float32(20.0 / power)
    found = np.maximum(spectra, np.float32(floor))
    np.log10(found, out=found)
    found *= factor
    if range_db is not None:
        np.maximum(found, found.max() - np.float32(range_db), out=found)
    if to_peak:
        found -= factor * np.log10(np.maximum(spectra.max(), np.float32(floor)))
    return found


class Pcen:
    """Per-channel energy normalisation, as librosa's `pcen`.

    Each band is divided by a power of its own running mean, and the root of what comes out is
    taken: (x / (floor + m)^gain + bias)^exponent - bias^exponent.

    Source: Y. Wang et al., Trainable frontend for robust and far-field keyword spotting, ICASSP
    2017.

    Args:
        frames_per_second: Of the spectra.
        gain: How much of the loudness is taken out, at most 1.
        bias: Added before the root, above 0.
        exponent: The root, above 0.
        seconds: Time constant of the running mean.
        floor: Least mean that is divided by.
    """

    def __init__(
        self,
        *,
        frames_per_second: float,
        gain: float,
        bias: float,
        exponent: float,
        seconds: float,
        floor: float,
    ) -> None:
        self._gain = gain
        self._bias = bias
        self._exponent = exponent
        self._floor = floor
        self._weight = mean_weight(seconds * frames_per_second)

    def __call__(self, spectra: FloatArray) -> FloatArray:
        """Return the normalised spectra."""
        # Frame by frame, hence rows of bands; in float64, because the mean runs on and on.
        rows = np.ascontiguousarray(spectra.T, dtype=np.float64)
        mean = np.empty_like(rows)
        # The running mean of a steady 1, which is where librosa's begins.
        last = np.ones(rows.shape[1])
        for row, into in zip(rows, mean, strict=True):
            last = np.add((1.0 - self._weight) * last, self._weight * row, out=into)
        # ln(floor + mean), with the digits of a mean far below the floor.
        smooth = np.log(self._floor) + np.log1p(mean / self._floor)
        rows *= np.exp(-self._gain * smooth)
        found = self._bias**self._exponent * np.expm1(self._exponent * np.log1p(rows / self._bias))
        return np.ascontiguousarray(found.T, dtype=np.float32)


def mean_weight(time_constant: float) -> float:
    """Return the weight of a new frame in a running mean.

    Args:
        time_constant: In frames.
    """
    squared = time_constant**2
    return float((np.sqrt(1.0 + 4.0 * squared) - 1.0) / (2.0 * squared))

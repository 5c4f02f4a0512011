"""The sound-making parts that voices and backgrounds share.

Phases are summed in whole numbers. A floating-point phase would carry the last-bit differences of
one machine's `exp` through a whole note, until they are large enough to show in 16 bits.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import butter, sosfilt

Floats = NDArray[np.float64]

TURN = 1 << 24  # phase steps in one period: 0.002 Hz at 32 kHz
_TABLE = 1 << 13


def seconds_to_samples(seconds: float, rate: int) -> int:
    """Convert a duration in seconds to samples at `rate` Hz, to the nearest sample."""
    return math.floor(seconds * rate + 0.5)


def time_axis(seconds: float, rate: int) -> Floats:
    """Time of each sample of a note in seconds, float64[n]."""
    return np.arange(seconds_to_samples(seconds, rate), dtype=np.float64) / rate


def progress_axis(seconds: float, rate: int) -> Floats:
    """Progress of each sample through a note, from 0 up to but not at 1, float64[n]."""
    n = seconds_to_samples(seconds, rate)
    return np.arange(n, dtype=np.float64) / max(n, 1)


def phase_steps(frequency_hz: ArrayLike, rate: int) -> NDArray[np.int64]:
    """Sum a frequency contour in Hz [shape=(n,)] to a phase in 1/TURN periods, int64[n]."""
    steps = np.rint(np.asarray(frequency_hz, dtype=np.float64) * (TURN / rate)).astype(np.int64)
    return np.asarray(np.cumsum(steps) - steps, dtype=np.int64)


def tone(frequency_hz: ArrayLike, rate: int, partials: Sequence[float] = (1.0,)) -> Floats:
    """Sing a frequency contour.

    Args:
        frequency_hz: fundamental at each sample in Hz [shape=(n,)].
        rate: sample rate in Hz.
        partials: amplitude of the fundamental and of each higher harmonic.

    Returns:
        float64[n]; the phase starts at 0.
    """
    phase = phase_steps(frequency_hz, rate)
    wave = np.zeros(phase.size)
    for harmonic, amplitude in enumerate(partials, start=1):
        if amplitude:
            turns = ((phase * harmonic) % TURN) / TURN
            wave += amplitude * np.sin(2.0 * np.pi * turns)
    return wave


def table_tone(frequency_hz: ArrayLike, rate: int, partials: Sequence[complex]) -> Floats:
    """Sing many harmonics at once from a table of one period, float64[n].

    Args:
        frequency_hz: fundamental at each sample in Hz [shape=(n,)].
        rate: sample rate in Hz.
        partials: complex amplitude of the fundamental and of each higher harmonic.
    """
    turns = np.arange(_TABLE, dtype=np.float64) / _TABLE
    period = np.zeros(_TABLE)
    for harmonic, amplitude in enumerate(partials, start=1):
        angle = 2.0 * np.pi * ((harmonic * turns) % 1.0)
        period += amplitude.real * np.sin(angle) + amplitude.imag * np.cos(angle)
    phase = phase_steps(frequency_hz, rate) % TURN
    step = TURN // _TABLE
    left = phase // step
    share = (phase % step) / step
    wave = period[left] + share * (period[(left + 1) % _TABLE] - period[left])
    return np.asarray(wave, dtype=np.float64)


def glide(progress: Floats, start_hz: float, end_hz: float, bend: float = 1.0) -> Floats:
    """Glide evenly in pitch (by ratio) from start_hz to end_hz.

    Args:
        progress: 0 to 1 for each sample [shape=(n,)].
        start_hz: frequency at progress 0, in Hz.
        end_hz: frequency at progress 1, in Hz.
        bend: above 1 the glide starts slowly, below 1 fast.

    Returns:
        Frequency in Hz, float64[n].
    """
    return np.asarray(start_hz * (end_hz / start_hz) ** progress**bend, dtype=np.float64)


def swell(n: int, attack: int, release: int) -> Floats:
    """Rise over `attack` samples, hold, fall over `release` samples (raised cosine), float64[n]."""
    envelope = np.ones(n)
    attack, release = min(attack, n), min(release, n)
    up = 0.5 - 0.5 * np.cos(np.pi * np.arange(attack) / max(attack, 1))
    down = 0.5 - 0.5 * np.cos(np.pi * np.arange(release) / max(release, 1))
    envelope[:attack] *= up
    envelope[n - release :] *= down[::-1]
    return envelope


def band_pass(samples: Floats, low_hz: float, high_hz: float, rate: int, order: int = 2) -> Floats:
    """Keep low_hz to high_hz of float64[n] with a causal Butterworth filter, float64[n]."""
    sections = butter(order, (low_hz, high_hz), "bandpass", fs=rate, output="sos")
    return np.asarray(sosfilt(sections, samples), dtype=np.float64)


def low_pass(samples: Floats, high_hz: float, rate: int, order: int = 2) -> Floats:
    """Keep what is below high_hz of float64[n] with a causal Butterworth filter, float64[n]."""
    sections = butter(order, high_hz, "lowpass", fs=rate, output="sos")
    return np.asarray(sosfilt(sections, samples), dtype=np.float64)


def lay(notes: Iterable[tuple[float, Floats]], rate: int) -> Floats:
    """Lay notes (start in seconds, float64[n]) on one track that ends with the last, float64[m]."""
    placed = [(seconds_to_samples(start, rate), note) for start, note in notes]
    track = np.zeros(max((start + note.size for start, note in placed), default=0))
    for start, note in placed:
        track[start : start + note.size] += note
    return track


def decibels(ratio_db: float) -> float:
    """Convert decibels to a factor on amplitude."""
    return float(10.0 ** (ratio_db / 20.0))

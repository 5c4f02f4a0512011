"""What is heard when nothing calls: five kinds of background, each with variation."""

from collections.abc import Callable
from types import MappingProxyType

import numpy as np
from numpy.random import Generator

from .draws import between, count, white
from .tones import (
    Floats,
    band_pass,
    decibels,
    low_pass,
    seconds_to_samples,
    table_tone,
    time_axis,
    tone,
)

# Filters need this long to forget that they started from silence.
_RUN_IN_S = 0.25


def _drift(rng: Generator, n: int, rate: int, every_s: float) -> Floats:
    """Slow random curve in [0, 1], float64[n], with a new target each `every_s` seconds."""
    step = every_s * rate
    targets = rng.random(int(n / step) + 2)
    where = np.arange(n, dtype=np.float64) / step
    left = where.astype(np.int64)
    share = where - left
    smooth = share * share * (3.0 - 2.0 * share)
    return np.asarray(targets[left] + smooth * (targets[left + 1] - targets[left]))


def _rings(
    rng: Generator, n: int, rate: int, *, centre_hz: float, decay_s: float, per_second: float
) -> Floats:
    """Struck tones at random times, each rising a little as a closing bubble does, float64[n]."""
    t = time_axis(6.0 * decay_s, rate)
    ring = np.exp(-t / decay_s) * tone(centre_hz * (1.0 + 0.02 * t / decay_s), rate)
    track = np.zeros(n + ring.size)
    strikes = int(per_second * n / rate)
    starts = (rng.random(strikes) * n).astype(np.int64)
    # A few strikes are near, most are far: the cube spreads their strengths.
    strengths = rng.random(strikes) ** 3
    for start, strength in zip(starts, strengths, strict=True):
        track[start : start + ring.size] += strength * ring
    return track[:n]


def _to_rms(samples: Floats, level_dbfs: float) -> Floats:
    """Scale float64[n] to a level in dB below full scale; silence stays silence."""
    rms = float(np.sqrt(np.mean(samples**2))) if samples.size else 0.0
    return samples * (decibels(level_dbfs) / rms) if rms > 0.0 else samples


def _quiet(rng: Generator, n: int, rate: int) -> Floats:
    """A still night: the microphone's own noise and a faint, distant murmur."""
    murmur = low_pass(white(rng, n), between(rng, 250.0, 700.0), rate, order=1)
    return _to_rms(murmur, between(rng, -66.0, -58.0))


def _wind(rng: Generator, n: int, rate: int) -> Floats:
    """Gusts on the microphone, with leaves that rustle when a gust is strong."""
    gust = 0.15 + 0.85 * _drift(rng, n, rate, between(rng, 0.6, 1.6)) ** 2
    rumble = low_pass(white(rng, n), between(rng, 90.0, 260.0), rate, order=1)
    leaves = band_pass(white(rng, n), 1500.0, between(rng, 5000.0, 8000.0), rate, order=1)
    mix = _to_rms(gust * rumble, 0.0) + _to_rms(gust**2 * leaves, between(rng, -30.0, -18.0))
    return _to_rms(mix, between(rng, -44.0, -30.0))


def _rain(rng: Generator, n: int, rate: int) -> Floats:
    """A broad hiss that thickens and thins, with drops on leaves near by."""
    hiss = band_pass(white(rng, n), between(rng, 500.0, 1200.0), 10000.0, rate, order=1)
    hiss *= 0.7 + 0.3 * _drift(rng, n, rate, 2.5)
    drops = np.zeros(n)
    for _ in range(3):
        centre = between(rng, 1200.0, 6000.0)
        rings = _rings(
            rng,
            n,
            rate,
            centre_hz=centre,
            decay_s=between(rng, 0.0008, 0.002),
            per_second=between(rng, 4.0, 14.0),
        )
        drops += _to_rms(rings, 0.0)
    mix = _to_rms(hiss, 0.0) + _to_rms(drops, between(rng, -12.0, -4.0))
    return _to_rms(mix, between(rng, -44.0, -32.0))


def _hum(rng: Generator, n: int, rate: int) -> Floats:
    """Mains (50 or 60 Hz, even harmonics strong) or a generator that labours."""
    mains = rng.random() < 0.5
    fundamental = (50.0 if rng.random() < 0.5 else 60.0) if mains else between(rng, 24.0, 38.0)
    wander = 0.0005 if mains else 0.02
    contour = fundamental * (1.0 + wander * (_drift(rng, n, rate, 1.3) - 0.5))
    fall = between(rng, 0.9, 1.3)
    partials = []
    for harmonic in range(1, int(1500.0 / fundamental) + 1):
        strong = 1.0 if (harmonic % 2 == 0) == mains else 0.35
        size = strong * harmonic**-fall
        partials.append(complex(size * between(rng, -1, 1), size * between(rng, -1, 1)))
    sound = table_tone(contour, rate, partials) * (0.9 + 0.1 * _drift(rng, n, rate, 0.8))
    return _to_rms(sound, between(rng, -48.0, -36.0))


def _stream(rng: Generator, n: int, rate: int) -> Floats:
    """Running water: a soft rush, and bubbles that ring for a moment."""
    rush = band_pass(white(rng, n), 250.0, between(rng, 1800.0, 3500.0), rate, order=1)
    bubbles = np.zeros(n)
    for _ in range(count(rng, 4, 6)):
        centre = between(rng, 350.0, 1900.0)
        rings = _rings(
            rng,
            n,
            rate,
            centre_hz=centre,
            decay_s=between(rng, 0.006, 0.014),
            per_second=between(rng, 6.0, 20.0),
        )
        bubbles += _to_rms(rings, 0.0)
    mix = _to_rms(rush, 0.0) + _to_rms(bubbles, between(rng, -8.0, -1.0))
    return _to_rms(mix, between(rng, -46.0, -34.0))


BACKGROUNDS: MappingProxyType[str, Callable[[Generator, int, int], Floats]] = MappingProxyType(
    {"hum": _hum, "quiet": _quiet, "rain": _rain, "stream": _stream, "wind": _wind}
)


def render_background(kind: str, rng: Generator, n: int, rate: int) -> Floats:
    """Render a background over the recorder's own noise.

    Args:
        kind: a key of BACKGROUNDS.
        rng: drawn from.
        n: length in samples.
        rate: sample rate in Hz.

    Returns:
        float64[n], full scale 1. The recorder's white noise lies at -66 to -60 dBFS, so that no
        band is ever silent.
    """
    run_in = seconds_to_samples(_RUN_IN_S, rate)
    sound = BACKGROUNDS[kind](rng, n + run_in, rate)[run_in:]
    return sound + _to_rms(white(rng, n), between(rng, -66.0, -60.0))

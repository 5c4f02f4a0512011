"""The built-in sound by which a model proves that it still computes what it did."""

import numpy as np

from edge.contracts import FloatArray


def golden_signal(*, sample_rate_hz: int, seconds: float) -> FloatArray:
    """Return a sweep with bursts over a noise floor, the same on every machine.

    Rising from 200 Hz to 45 % of the sample rate, gated four times a second, over white noise
    some 50 dB below: it passes through many mel bands and many loudnesses. Rounded to 16-bit
    steps, so that the last bits of one machine's sine do not show.

    Returns:
        float32 [shape=(round(sample_rate_hz * seconds),)], within ±1.
    """
    n = round(sample_rate_hz * seconds)
    time_s = np.arange(n) / sample_rate_hz
    low_hz, high_hz = 200.0, 0.45 * sample_rate_hz
    cycles = low_hz * time_s + (high_hz - low_hz) * time_s**2 / (2.0 * seconds)
    gate = np.where(np.floor(time_s * 4.0) % 2 == 0, 0.5, 0.02)
    noise = np.random.Generator(np.random.PCG64(20250905)).integers(-100, 101, n) / 32768.0
    steps = np.round((gate * np.sin(2.0 * np.pi * cycles) + noise) * 32768.0)
    return (steps / 32768.0).astype(np.float32)

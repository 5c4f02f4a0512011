"""Sounds that try the arithmetic: what recorders hear and what breaks float32."""

import numpy as np

SECONDS = 1.5
RATE_HZ = 32_000


def awkward_signals():
    """Return float32 signals by name: loud and faint, broad and pure, and nothing at all."""
    rng = np.random.default_rng(20250905)
    n = round(SECONDS * RATE_HZ)
    time_s = np.arange(n) / RATE_HZ
    noise = rng.standard_normal(n)
    signals = {
        "noise": 0.1 * noise,
        "faint noise": 1e-5 * noise,
        "full-scale tone": np.sin(2 * np.pi * 1_000.3 * time_s),
        "faint tone": 1e-3 * np.sin(2 * np.pi * 7_000 * time_s),
        "loud hum over faint noise": 0.9 * np.sin(2 * np.pi * 50 * time_s) + 1e-5 * noise,
        "clicks": (np.arange(n) % 5_000 == 0).astype(float),
        "sweep": 0.3 * np.sin(2 * np.pi * (500 + 1_500 * time_s) * time_s) + 1e-3 * noise,
        "noise then silence": 0.1 * noise * (time_s < SECONDS / 2),
        "nothing above 8 kHz": half_band(0.05 * noise),
        "loud, nothing above 8 kHz": half_band(0.7 * noise),
        "silence": np.zeros(n),
    }
    return {name: signal.astype(np.float32) for name, signal in signals.items()}


def half_band(samples):
    """Take away the upper half of the spectrum, as a recorder of half the rate does."""
    spectrum = np.fft.rfft(samples)
    spectrum[len(spectrum) // 2 :] = 0
    return np.fft.irfft(spectrum, len(samples))

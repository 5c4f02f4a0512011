"""The built-in golden signal."""

import hashlib

import numpy as np

from edge.dsp.signals import golden_signal


def test_golden_signal_never_changes():
    """Golden vectors are worth what this signal is: its 16-bit steps are pinned."""
    signal = golden_signal(sample_rate_hz=32_000, seconds=5.0)
    steps = np.round(signal * 32_768).astype("<i2")
    assert signal.shape == (160_000,)
    assert np.array_equal(steps.astype(np.float32) / 32_768, signal)
    assert hashlib.sha256(steps.tobytes()).hexdigest() == PINNED
    assert 0.4 < np.abs(signal).max() < 0.6


PINNED = "dd3d515682edcd07b6ce929fc2d51f4e6feb01b4234daa02b284074aa4f778ce"

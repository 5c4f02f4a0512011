"""Recordings for tests: noise, written as a recorder writes it."""

from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 8_000


def noise(seconds: float, *, seed: int = 1, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Noise: float32 [shape=(n,)]."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-0.5, 0.5, round(seconds * rate_hz)).astype(np.float32)


def record(path: Path, seconds: float = 5.0, *, seed: int = 1, rate_hz: int = RATE_HZ) -> Path:
    """Write a recording beside its place and move it in."""
    new = path.with_name("recording.tmp")
    soundfile.write(
        new, noise(seconds, seed=seed, rate_hz=rate_hz), rate_hz, subtype="PCM_16", format="WAV"
    )
    new.rename(path)
    return path

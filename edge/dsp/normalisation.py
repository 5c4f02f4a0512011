"""What brings a clip's spectra to the level that a network was trained with.

Each function takes spectra of any shape, float32, and returns new ones of that shape.
"""

import numpy as np

from edge.contracts import FloatArray


def min_max(spectra: FloatArray, *, guard: float) -> FloatArray:
    """Return (x - least) / (largest - least + guard): from 0 to 1 over the clip."""
    least = spectra.min()
    found: FloatArray = spectra - least
    found /= spectra.max() - least + np.float32(guard)
    return found


def standard(spectra: FloatArray, *, guard: float) -> FloatArray:
    """Return (x - mean) / (deviation + guard): mean 0 and deviation 1 over the clip."""
    # In float64: what is left of a loud, even clip is in the last digits.
    mean = spectra.mean(dtype=np.float64)
    deviation = spectra.std(dtype=np.float64)
    found: FloatArray = ((spectra - mean) / (deviation + guard)).astype(np.float32)
    return found


def fixed(spectra: FloatArray, *, mean: float, deviation: float) -> FloatArray:
    """Return (x - mean) / deviation, of numbers that belong to the model."""
    found = spectra - np.float32(mean)
    found /= np.float32(deviation)
    return found

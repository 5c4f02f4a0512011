"""From a model's raw scores to probabilities."""

from enum import StrEnum

import numpy as np

from edge.contracts import FloatArray


class Activation(StrEnum):
    """What turns the raw scores of a clip into probabilities."""

    NONE = "none"
    """They are probabilities already."""
    SIGMOID = "sigmoid"
    """Each class by itself."""
    SOFTMAX = "softmax"
    """The classes exclude one another."""


def activate(raw: FloatArray, activation: Activation) -> FloatArray:
    """Return probabilities [shape=(n_labels,)] of raw scores of that shape.

    No raw score is too large or too small: nothing overflows. Of probabilities that the model
    makes itself, what rounding carried out of [0, 1] is put back.

    Raises:
        ValueError: `NONE`, and the raw scores are no probabilities.
    """
    if activation is Activation.SOFTMAX:
        risen = np.exp(raw - raw.max())
        return np.asarray(risen / risen.sum(), dtype=np.float32)
    if activation is Activation.SIGMOID:
        fallen = np.exp(-np.abs(raw))
        return np.asarray(np.where(raw >= 0, 1, fallen) / (1 + fallen), dtype=np.float32)
    low, high = float(raw.min()), float(raw.max())
    if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):
        raise ValueError(f"raw scores from {low:.3g} to {high:.3g} are no probabilities")
    return np.clip(raw, 0, 1)


_ROUNDING = 1e-4

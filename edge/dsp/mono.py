"""From several channels to one."""

import numpy as np

from edge.contracts import FloatArray
from edge.dsp.validity import find_unusable


def mix_to_mono(values: FloatArray) -> FloatArray:
    """Mix channels to their mean; where a channel is NaN, infinite or absurdly large, so is it.

    Args:
        values: float32 [shape=(n, channels)]

    Returns:
        float32 [shape=(n,)]; of a single channel, a view of it.
    """
    channels = values.shape[1]
    if channels == 1:
        return values[:, 0]
    with np.errstate(over="ignore", invalid="ignore"):
        mono = values[:, 0] + values[:, 1]
        for channel in range(2, channels):
            mono += values[:, channel]
    mono /= np.float32(channels)
    unusable = find_unusable(values.ravel())
    if unusable is not None:
        # One channel's nonsense must not be cancelled out by another's.
        bad = unusable.reshape(values.shape).any(axis=1)
        mono[bad] = np.abs(values[bad]).max(axis=1)
    return mono

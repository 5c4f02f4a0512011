"""Which samples no analysis can use."""

import numpy as np
from numpy.typing import NDArray

from edge.contracts import FloatArray

MOST_MAGNITUDE = 1e10
"""The largest sample that is taken for sound; full scale is 1.

Float files that hold unscaled 32-bit integers (2.1e9) stay below it; and the power spectrum of an
8192-point window of such samples, 8192² · 1e20, stays within float32.
"""


def find_unusable(samples: FloatArray) -> NDArray[np.bool_] | None:
    """Find the samples that are NaN, infinite or larger in magnitude than `MOST_MAGNITUDE`.

    Args:
        samples: float32 [shape=(n,)]

    Returns:
        None where every sample is usable, else bool [shape=(n,)], true where one is not.
    """
    # One cheap pass: no sample is larger than the root of the sum of all squares, and a NaN makes
    # the comparison false. The half leaves room for rounding.
    with np.errstate(over="ignore", invalid="ignore"):
        power = np.dot(samples, samples)
    if power <= _CERTAINLY_USABLE:
        return None
    unusable: NDArray[np.bool_] = ~(np.abs(samples) <= np.float32(MOST_MAGNITUDE))
    return unusable if unusable.any() else None


_CERTAINLY_USABLE = 0.5 * MOST_MAGNITUDE**2

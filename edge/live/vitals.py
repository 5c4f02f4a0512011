"""Whether a stream is heard: alive means hearing. Pure: times come from outside."""

import numpy as np

from edge.contracts import FloatArray


class Vitals:
    """Tells sound from what a dead microphone delivers.

    Any change of value is sound, however quiet. What is not: nothing but zeros, nothing but one
    other value, nothing but NaN or infinity.
    """

    def __init__(self) -> None:
        self._what = ""
        self._since_s = 0.0

    def note(self, samples: FloatArray, *, at_s: float) -> None:
        """Look at samples [shape=(n,)], n ≥ 1, that came at a time, in seconds."""
        what = _lifeless(samples)
        if what != self._what:
            self._what = what
            self._since_s = at_s

    def reset(self) -> None:
        """Forget what was heard."""
        self._what = ""

    def lifeless(self) -> tuple[str, float] | None:
        """Say what it is that is no sound, and since when, in seconds; None if it is sound."""
        return (self._what, self._since_s) if self._what else None


def _lifeless(samples: FloatArray) -> str:
    low, high = samples.min(), samples.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        finite = samples[np.isfinite(samples)]
        if not len(finite):
            return "only NaN or infinite samples"
        low, high = finite.min(), finite.max()
    if low != high:
        return ""
    return f"a flat line at {low:.6g}" if low else "only zeros"

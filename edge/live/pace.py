"""Whether sound happens or is played to us. Pure: times come from outside."""

from collections import deque


class Pace:
    """Tells sound that is played to us as fast as we take it from sound that happens.

    A recording that is piped in comes many times faster than it lasts, and whoever writes it can
    wait; a microphone cannot.

    Args:
        over_s: Length of the stretch of sound that is looked at, in seconds.
    """

    def __init__(self, *, over_s: float) -> None:
        self._over_s = over_s
        self._heard_s = 0.0
        self._marks: deque[tuple[float, float]] = deque()

    def note(self, seconds: float, *, at_s: float) -> None:
        """Note that so many seconds of sound came at a time, in seconds."""
        self._heard_s += seconds
        if not self._marks or self._heard_s - self._marks[-1][0] >= self._over_s / 32:
            self._marks.append((self._heard_s, at_s))
        while len(self._marks) > 1 and self._heard_s - self._marks[1][0] >= self._over_s:
            self._marks.popleft()

    def held_up(self, seconds: float) -> None:
        """Note that for so many seconds nothing could come because nothing was taken."""
        self._marks = deque((heard_s, at_s + seconds) for heard_s, at_s in self._marks)

    def faster_than_life(self, *, now_s: float) -> bool:
        """Tell whether the latest sound came at more than twice the speed of life."""
        if not self._marks or self._heard_s - self._marks[0][0] < 0.9 * self._over_s:
            return False
        heard_s, at_s = self._marks[0]
        return self._heard_s - heard_s > 2.0 * (now_s - at_s)

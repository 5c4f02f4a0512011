"""How much of a live stream is scored at a time. Pure."""


class Portions:
    """Says how far a stream should have come before more of it is scored.

    A few large portions take less time than many small ones, but a window is wanted as soon as
    its last sample is there. So it is a fifth of a window at a time, up to each window's border;
    past that whatever comes, until the window is finished: to resample takes some sound from
    beyond it.

    Args:
        window: Length of a window, in samples.
    """

    def __init__(self, *, window: int) -> None:
        self._window = window
        self._portion = max(1, window // _PORTIONS)
        self.begin(0)

    def begin(self, sample: int) -> None:
        """Note where the first window of a segment begins."""
        self._border = sample + self._window
        self._overdue = False

    def next(self, taken_to: int, *, finished: bool) -> int:
        """Return the sample up to which to wait.

        Args:
            taken_to: The sample that follows the last one taken.
            finished: Whether that finished a window.
        """
        if taken_to >= self._border:
            self._border += ((taken_to - self._border) // self._window + 1) * self._window
            self._overdue = True
        if finished:
            self._overdue = False
        if self._overdue:
            return taken_to + 1
        return min(taken_to + self._portion, self._border)


_PORTIONS = 5

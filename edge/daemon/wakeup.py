"""Waking the main thread: from other threads, and for signals."""

import contextlib
import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager


class Wakeup:
    """A pipe that the main thread waits on.

    A `threading.Event` would not do: its lock is taken while it is waited for or cleared, and a
    signal handler that then sets it waits for its own thread, for ever. Here handlers do nothing;
    the interpreter itself writes the number of each signal into the pipe.

    It stays open as long as the process: a thread that was left behind may still call `wake`.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poller = select.poll()
        self._poller.register(self._reader, select.POLLIN)
        self._is_set = False

    @contextmanager
    def heeding(self, *signals: signal.Signals) -> Iterator[None]:
        """Let these signals wake the main thread, and do nothing else, while the block goes on."""
        before = {number: signal.signal(number, _do_nothing) for number in signals}
        descriptor = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(descriptor)
            for number, handler in before.items():
                signal.signal(number, handler)

    def wake(self) -> None:
        """Wake the main thread; from any thread, any number of times."""
        if not self._is_set:
            self._is_set = True
            with contextlib.suppress(BlockingIOError):
                # A full pipe wakes as well.
                os.write(self._writer, b"\0")

    def take(self) -> set[int]:
        """Begin anew: what is set from now on ends the next `wait`.

        Returns:
            The numbers of the signals that came.
        """
        came: set[int] = set()
        with contextlib.suppress(BlockingIOError):
            while found := os.read(self._reader, _BYTES):
                came.update(found)
        # Only now: a byte written before this is drained already, and who set it has had its
        # `take`; after this, whoever sets it writes.
        self._is_set = False
        return came - {0}

    def wait(self, seconds: float) -> None:
        """Wait until it is set or a signal comes, at most so long."""
        self._poller.poll(1000 * seconds)


def _do_nothing(number: int, frame: object) -> None:
    """Stand in the place of a handler that would end the process."""


_BYTES = 4096

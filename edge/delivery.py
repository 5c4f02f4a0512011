"""A sink's thread: the store is its queue, so what is slow or away loses nothing."""

import errno
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from edge.contracts import Detection, Sink
from edge.errors import EdgeError


class PlacedSink(Sink, Protocol):
    """A sink that can say where its next row goes, so that a kill neither loses nor repeats one.

    It is left after each failure and entered again.
    """

    @property
    def position(self) -> str:
        """Where the next row goes, as far as is known without looking; empty if that is nowhere."""
        ...

    def ready(self) -> str:
        """Make ready to write, looking whether things have changed; return the position.

        What is written next goes there, even if things change meanwhile.

        Raises:
            OSError: Not now.
        """
        ...


class Cursor(NamedTuple):
    """How far a sink is; kept whole or not at all."""

    number: int
    """Of the last detection that is safe with the receiver."""
    position: str
    """What the sink needs to go on from there after a kill."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a sink does not get its detections."""

    what: str
    remedy: str
    since: datetime
    """UTC."""


class Delivery:
    """Hands the store's detections on to one sink, in order, from a thread of its own.

    The owner collects cursors by `take_cursor`, keeps each, and says so by `saved`. Before the
    first detections go to a place that no kept cursor leads to (at the first start, after a file
    was rotated) the thread waits for that.

    Args:
        name: Names the sink in messages, and the thread.
        sink: Built with the kept cursor's position; entered and left by the thread.
        read: Gives up to `limit` committed detections with numbers above `after_number`, in order;
            called from the thread. It may raise `OSError` or `EdgeError`: it is called again.
        cursor: As it was kept; `Cursor(0, "")` at the first start.
        now: The time, UTC.
        batch: How many detections are handed on at once.
        least_wait_s: Before trying again after a failure; doubled with each.
        most_wait_s: What it is doubled up to.
    """

    def __init__(
        self,
        name: str,
        sink: PlacedSink,
        read: Callable[[int, int], Sequence[Detection]],
        *,
        cursor: Cursor,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        batch: int = 500,
        least_wait_s: float = 1.0,
        most_wait_s: float = 60.0,
    ) -> None:
        self.name = name
        self._sink = sink
        self._read = read
        self._now = now
        self._batch = batch
        self._least_wait_s, self._most_wait_s = least_wait_s, most_wait_s
        self._changed = threading.Condition()
        self._cursor = self._saved = cursor
        self._taken = True
        self._last = cursor.number
        self._looked = -1
        self._delivered = 0
        self._trouble: Trouble | None = None
        self._deadline: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"sink {name}", daemon=True)
        self._thread.start()

    def notify(self, last_number: int) -> None:
        """Say that detections up to this number are committed; from any thread, at no cost."""
        with self._changed:
            self._last = max(self._last, last_number)
            self._changed.notify_all()

    def take_cursor(self) -> Cursor | None:
        """Return the newest cursor to keep, once; None if it was returned before."""
        with self._changed:
            if self._taken:
                return None
            self._taken = True
            return self._cursor

    def saved(self, cursor: Cursor) -> None:
        """Say that a cursor is kept: on the disk, whatever happens."""
        with self._changed:
            self._saved = cursor
            self._changed.notify_all()

    @property
    def delivered(self) -> int:
        """How many detections were handed on since the start, those a sink passes over too."""
        with self._changed:
            return self._delivered

    @property
    def waiting(self) -> int:
        """How many are committed and not handed on: at most, where some were deleted since."""
        with self._changed:
            return max(0, self._last - max(self._cursor.number, self._looked))

    @property
    def trouble(self) -> Trouble | None:
        """Why detections wait, or None if they do not."""
        with self._changed:
            return self._trouble

    def finish(self, timeout_s: float) -> None:
        """Let the thread end when all that is committed is handed on, or a failure, or the time.

        Returns at once; `close` waits.

        Args:
            timeout_s: For handing on, in seconds from now.
        """
        with self._changed:
            self._deadline = time.monotonic() + timeout_s
            self._changed.notify_all()

    def close(self, timeout_s: float, save: Callable[[Cursor], None]) -> bool:
        """End the thread, keeping cursors until it has; called by the owner.

        Args:
            timeout_s: For handing on what is committed, in seconds.
            save: Keeps a cursor; called in this thread. What it raises ends the closing.

        Returns:
            Whether the thread has ended. One that is held in a call that does not return, as to a
            network share that is away, is left behind and ends with the process.
        """
        if self._deadline is None:
            self.finish(timeout_s)
        patience = time.monotonic() + timeout_s + _GRACE_S
        while True:
            alive = self._thread.is_alive()
            if (cursor := self.take_cursor()) is not None:
                save(cursor)
                self.saved(cursor)
            if not alive or time.monotonic() >= patience:
                break
            with self._changed:
                self._changed.wait_for(
                    lambda: not self._taken or not self._thread.is_alive(), timeout=_LOOK_S
                )
        self._thread.join(timeout=0)
        return not self._thread.is_alive()

    def _run(self) -> None:
        wait_s = self._least_wait_s
        tried_while_closing = False
        while not tried_while_closing:
            tried_while_closing = self._deadline is not None
            before = self.delivered
            try:
                with self._sink:
                    self._deliver()
                return
            except (OSError, EdgeError) as reason:
                self._note(_trouble(self.name, reason, self._now()))
            except Exception as reason:
                remedy = "this is a fault of edge; restart it, and report it with the log"
                self._note(Trouble(f"sink {self.name}: has ended: {reason!r}", remedy, self._now()))
                raise
            if self.delivered > before:
                wait_s = self._least_wait_s
            with self._changed:
                self._changed.wait_for(lambda: self._deadline is not None, timeout=wait_s)
            wait_s = min(2 * wait_s, self._most_wait_s)

    def _deliver(self) -> None:
        """Hand on all there is, and all that comes, until it is time to end."""
        while True:
            with self._changed:
                last = self._last
            some = self._read(self._cursor.number, self._batch)
            if some:
                if not self._ready():
                    return
                self._sink.write(some)
                self._hand_over(some[-1].number, self._sink.position, len(some))
            elif not self._wait_for_more(last):
                return
            if self._deadline is not None and time.monotonic() >= self._deadline:
                return

    def _ready(self) -> bool:
        """Wait until a kept cursor leads to where the sink goes on; False if it is time to end."""
        position = self._sink.ready()
        with self._changed:
            if position != self._cursor.position:
                self._cursor = Cursor(self._cursor.number, position)
                self._taken = False
                self._changed.notify_all()
                return self._wait(lambda: self._saved == self._cursor)
        return True

    def _hand_over(self, number: int, position: str, count: int) -> None:
        with self._changed:
            self._cursor = Cursor(number, position)
            self._taken = False
            self._delivered += count
            self._trouble = None
            self._changed.notify_all()

    def _wait_for_more(self, looked: int) -> bool:
        """Wait until there is more than there was at the last look; False if it is time to end."""
        with self._changed:
            self._looked = looked
            self._trouble = None
            self._changed.wait_for(lambda: self._last > looked or self._deadline is not None)
            return self._last > looked

    def _wait(self, come: Callable[[], bool]) -> bool:
        while not come():
            left_s = None if self._deadline is None else self._deadline - time.monotonic()
            if left_s is not None and left_s <= 0:
                return False
            self._changed.wait(left_s)
        return True

    def _note(self, trouble: Trouble) -> None:
        with self._changed:
            since = self._trouble.since if self._trouble else trouble.since
            self._trouble = Trouble(trouble.what, trouble.remedy, since)


def _trouble(name: str, reason: OSError | EdgeError, at: datetime) -> Trouble:
    """Say what a failure means to the person who runs it."""
    if isinstance(reason, EdgeError):
        return Trouble(f"sink {name}: {reason.what}", reason.remedy, at)
    where = f"{reason.filename}: " if reason.filename else ""
    remedy = _REMEDIES.get(reason.errno or 0, "check where it writes to")
    return Trouble(f"sink {name}: {where}{reason.strerror or reason}", remedy, at)


_REMEDIES = {
    errno.ENOSPC: "free space on that disk; what waits is written then",
    errno.EDQUOT: "free space or raise the quota; what waits is written then",
    errno.ENOENT: "make its folder, or mount the disk; what waits is written then",
    errno.EACCES: "let the user that edge runs as write there",
    errno.EPERM: "let the user that edge runs as write there",
    errno.EROFS: "mount that disk for writing, or choose another path",
    errno.EINVAL: "choose the path of a file",
    errno.EEXIST: "move the file away, or choose another path",
    errno.EPIPE: "restart edge with its output going where it is read",
    errno.EAGAIN: "let what reads the output go on reading, or take the sink out",
}
_GRACE_S = 1.5
_LOOK_S = 0.05

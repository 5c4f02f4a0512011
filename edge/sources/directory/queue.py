"""Which files are complete, and whose turn it is."""

import heapq
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edge.sources.directory.fingerprint import read_fingerprint
from edge.sources.directory.header import Header, read_header
from edge.sources.directory.known import Known, KnownFingerprints, identity_of, stamp_of
from edge.sources.directory.records import FoundFile, Trouble, WaitingFile


@dataclass(slots=True)
class _Seen:
    """A file that is not done."""

    path: str
    first_s: float
    """Unix time of when it was first seen."""
    size: int = -1
    mtime_ns: int = -1
    unchanged_s: float = 0.0
    """Monotonic time since when size and modification time are what they are."""
    due_s: float = 0.0
    """When to look at it again; tells the valid entry among those in the heap."""
    closed_ns: int = 0
    """Wall clock time of when it was last heard to be closed, in nanoseconds."""
    doubted: bool = False
    """Whether its header says that more will come."""
    identity: int = 0
    """Of the file that was handed out: see `identity_of`."""

    @property
    def closed(self) -> bool:
        """Whether it was closed after it was last written to."""
        return self.mtime_ns <= self.closed_ns


class Queue:
    """Files from their first sight until they are done, each in one of four places.

        waiting ──▶ ready ──▶ taken ──▶ (done, forgotten)
           ▲ │        │         │
           └─┴────────┴─────────┘  it changed, or more is to come

    or unreadable, until its permissions change. Not safe for several threads.

    Args:
        settle_s: How long a file must not change, in seconds.
        known_fingerprints: Tells by path, size and modification time what was done before.
        now: Tells the time, UTC.
        monotonic_s: Tells seconds by a clock that is never set.
    """

    def __init__(
        self,
        *,
        settle_s: float,
        known_fingerprints: KnownFingerprints,
        now: Callable[[], datetime],
        monotonic_s: Callable[[], float],
    ) -> None:
        self._settle_s = settle_s
        self._known = Known(known_fingerprints)
        self._now = now
        self._monotonic_s = monotonic_s
        self._waiting: dict[str, _Seen] = {}
        self._ready: dict[str, _Seen] = {}
        self._taken: dict[str, _Seen] = {}
        self._unreadable: dict[str, _Seen] = {}
        self._due: list[tuple[float, str]] = []
        self._order: list[str] = []

    @property
    def pending(self) -> int:
        """How many were seen and not taken yet."""
        return len(self._waiting) + len(self._ready)

    @property
    def is_empty(self) -> bool:
        """Whether all is done that can be read."""
        return not (self._waiting or self._ready or self._taken)

    @property
    def waiting(self) -> list[WaitingFile]:
        """What is not complete yet, by path."""
        return [
            WaitingFile(Path(path), datetime.fromtimestamp(seen.first_s, UTC))
            for path, seen in sorted(self._waiting.items())
        ]

    @property
    def trouble(self) -> list[Trouble]:
        """Folders with files that may not be read."""
        names: dict[str, list[str]] = {}
        for path in sorted(self._unreadable):
            folder, name = os.path.split(path)
            names.setdefault(folder, []).append(name)
        return [
            Trouble(
                folder,
                "holds recordings that may not be read",
                "let the user that edge runs as read them (chmod, chown or an ACL): "
                + _first_of(files),
            )
            for folder, files in names.items()
        ]

    def next_due_s(self) -> float:
        """Monotonic time of when there is something to do; infinite if only news can change it."""
        if self._ready:
            return self._monotonic_s()
        return self._due[0][0] if self._due else float("inf")

    def meet(
        self, path: str, status: os.stat_result, *, closed_ns: int = 0, trust_age: bool = False
    ) -> None:
        """Take in what was seen of a regular file.

        Args:
            path: Its path.
            status: What it is now.
            closed_ns: When it was heard to be closed, in nanoseconds of the wall clock; 0 if not.
            trust_age: Whether it has been unchanged for as long as its modification time says,
                where it is new; else since now.
        """
        seen = self._taken.get(path)
        if seen is not None:
            seen.closed_ns = max(seen.closed_ns, closed_ns)
            return
        seen = self._waiting.get(path) or self._ready.get(path) or self._unreadable.get(path)
        stamp = stamp_of(status)
        if seen is not None and stamp == (seen.size, seen.mtime_ns) and not closed_ns:
            return
        if self._known.has(path, status):
            self._forget(path)
            return
        now = self._now().timestamp()
        if seen is None:
            seen = _Seen(path, now)
        if stamp != (seen.size, seen.mtime_ns):
            seen.size, seen.mtime_ns = stamp
            age_s = max(0.0, now - status.st_mtime) if trust_age else 0.0
            seen.unchanged_s = self._monotonic_s() - age_s
            seen.closed_ns = 0
            seen.doubted = False
        if closed_ns:
            seen.closed_ns = closed_ns
            seen.doubted = False
        self._place(seen)

    def look(self, path: str, *, closed_ns: int = 0) -> None:
        """Look at a file that was heard of."""
        status = _status(path)
        if status is None:
            self._forget(path)
        else:
            self.meet(path, status, closed_ns=closed_ns)

    def look_at_due(self) -> bool:
        """Look at one file whose time has come; return whether there was one."""
        now_s = self._monotonic_s()
        while self._due and self._due[0][0] <= now_s:
            due_s, path = heapq.heappop(self._due)
            seen = self._waiting.get(path) or self._unreadable.get(path)
            if seen is None or seen.due_s != due_s:
                continue
            self.look(path)
            if self._waiting.get(path) is seen and seen.due_s == due_s:
                self._place(seen)
            elif self._unreadable.get(path) is seen and seen.due_s == due_s:
                self._try_again(seen)
            return True
        return False

    def release(self, until_s: float) -> FoundFile | None:
        """Hand out the first complete file in the order of paths.

        Args:
            until_s: When to stop looking, by `time.monotonic`.
        """
        while self._order:
            path = heapq.heappop(self._order)
            seen = self._ready.pop(path, None)
            if seen is None:
                continue
            self._waiting[path] = seen
            if self._is_complete(seen) and (found := self._hand_out(seen)) is not None:
                return found
            if time.monotonic() >= until_s:
                break
        return None

    def done(self, file: FoundFile) -> None:
        """Forget a file that was taken, unless it has changed since."""
        path = str(file.path)
        seen = self._take_back(path)
        self._known.add(seen.identity)
        self.look(path, closed_ns=seen.closed_ns)

    def later(self, file: FoundFile) -> None:
        """Put a file that was taken among those that wait, as if it had just changed."""
        seen = self._take_back(str(file.path))
        seen.unchanged_s = self._monotonic_s()
        seen.closed_ns = 0
        seen.doubted = False
        self._place(seen)

    def _take_back(self, path: str) -> _Seen:
        seen = self._taken.pop(path, None)
        if seen is None:
            raise ValueError(f"{path}: was not taken, or was given back before")
        return seen

    def _hand_out(self, seen: _Seen) -> FoundFile | None:
        """Take a file that is complete, unless it changes at this moment."""
        try:
            fingerprint, read = read_fingerprint(seen.path)
        except OSError:
            # Who reads it will say what is wrong with it.
            fingerprint = ""
        else:
            if stamp_of(read) != (seen.size, seen.mtime_ns):
                self.meet(seen.path, read)
                return None
            seen.identity = identity_of(seen.path, read)
        self._taken[seen.path] = self._waiting.pop(seen.path)
        seen.closed_ns = 0
        return FoundFile(Path(seen.path), seen.size, seen.mtime_ns, fingerprint)

    def _forget(self, path: str) -> None:
        for place in (self._waiting, self._ready, self._unreadable):
            place.pop(path, None)

    def _is_complete(self, seen: _Seen) -> bool:
        """Look at a waiting file whose turn it is; put it elsewhere if it is not complete."""
        status = _status(seen.path)
        if status is None:
            self._forget(seen.path)
            return False
        if stamp_of(status) != (seen.size, seen.mtime_ns):
            self.meet(seen.path, status)
            return False
        seen.identity = identity_of(seen.path, status)
        if seen.doubted:
            # It has waited ten times as long.
            return True
        try:
            header = read_header(Path(seen.path))
        except PermissionError:
            del self._waiting[seen.path]
            self._unreadable[seen.path] = seen
            self._look_again(seen, self._monotonic_s() + self._settle_s)
            return False
        except OSError:
            # Who reads it will say what is wrong with it.
            header = Header.AGREES
        if header is Header.SHORT or (header is Header.UNSAID and not seen.closed):
            seen.doubted = True
            self._place(seen)
        return not seen.doubted

    def _place(self, seen: _Seen) -> None:
        """Put a file where it belongs."""
        now_s = self._monotonic_s()
        ready_s = seen.unchanged_s
        if seen.doubted:
            ready_s += _DOUBTED * self._settle_s
        elif not seen.closed:
            ready_s += self._settle_s
        was_ready = seen.path in self._ready
        self._forget(seen.path)
        if ready_s > now_s:
            self._waiting[seen.path] = seen
            self._look_again(seen, min(ready_s, now_s + self._settle_s))
            return
        self._ready[seen.path] = seen
        if not was_ready:
            heapq.heappush(self._order, seen.path)

    def _look_again(self, seen: _Seen, due_s: float) -> None:
        seen.due_s = due_s
        heapq.heappush(self._due, (due_s, seen.path))

    def _try_again(self, seen: _Seen) -> None:
        try:
            os.close(os.open(seen.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW))
        except OSError:
            self._look_again(seen, self._monotonic_s() + self._settle_s)
        else:
            self._place(seen)


def _first_of(names: list[str]) -> str:
    return f"{names[0]} and {len(names) - 1} others" if len(names) > 1 else names[0]


def _status(path: str) -> os.stat_result | None:
    """Return what a path is, if it is a regular file."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


_DOUBTED = 10

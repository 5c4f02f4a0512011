"""What waits in memory while nothing can be written, within a bound."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace

from edge.contracts import WindowState
from edge.store.accounting import SCORED, merged
from edge.store.entries import (
    Anchored,
    Entry,
    FaultEnded,
    FaultSeen,
    FileDone,
    ModelChanged,
    StreamOpened,
    WindowRange,
    WindowsDone,
)

NO_ROOM = "no room on disk"
"""The reason of windows whose detections were given up."""


class Backlog:
    """Entries in the order they came.

    Args:
        most_bytes: How much memory they may take, about. Beyond it detections of live streams are
            given up, the oldest first, and their windows fail; files leave whole, since they are
            still there to be scored again.
    """

    def __init__(self, most_bytes: int) -> None:
        self.entries: list[Entry] = []
        self.given_up = 0
        """Detections of live streams."""
        self.put_off = 0
        """Files, to be scored again by a later run."""
        self.paths: dict[tuple[str, int, int], set[str]] = {}
        """Of the files that wait: path, size and modification time to fingerprints."""
        self.contents: dict[str, str] = {}
        """Of the waiting files that were scored: SHA-256 to path."""
        self._most_bytes = most_bytes
        self._bytes = 0

    def add(self, entries: Iterable[Entry]) -> None:
        """Put entries at the end."""
        for entry in entries:
            self.entries.append(entry)
            self._bytes += size_of(entry)
            self._note(entry)

    def first(self, count: int | None) -> Sequence[Entry]:
        """Look at the oldest, all with None."""
        return self.entries[:count]

    def remove(self, count: int) -> None:
        """Take the oldest away."""
        self._bytes -= sum(map(size_of, self.entries[:count]))
        del self.entries[:count]
        if not self.entries:
            self._replace([])

    def keep_bounded(self, living: Container[int]) -> None:
        """Shrink to three quarters of the bound when over it.

        Args:
            living: The live streams that go on; the rows of others may be lost as a last resort.
        """
        if self._bytes <= self._most_bytes:
            return
        enough = self._most_bytes * 3 // 4
        self._replace(compact(self.entries))
        if self._bytes > enough:
            self._thin(enough, only_heard=True)
        if self._bytes > enough:
            self._thin(enough, only_heard=False)
        if self._bytes > enough:
            self._replace([e for e in self.entries if _stream(e) in living])

    def _thin(self, enough: int, *, only_heard: bool) -> None:
        kept: list[Entry] = []
        for entry in self.entries:
            left: Entry | None = entry
            if self._bytes > enough:
                left = _without_heard(entry) if only_heard else _bare(entry)
            if left is not entry:
                self._bytes -= size_of(entry) - (size_of(left) if left else 0)
                self.given_up += len(entry.heard) if isinstance(entry, WindowsDone) else 0
                self.put_off += isinstance(entry, FileDone)
            if left is not None:
                kept.append(left)
        self._replace(compact(kept))

    def _replace(self, entries: list[Entry]) -> None:
        self.entries = entries
        self._bytes = sum(map(size_of, entries))
        self.paths.clear()
        self.contents.clear()
        for entry in entries:
            self._note(entry)

    def _note(self, entry: Entry) -> None:
        if isinstance(entry, FileDone):
            stamp = entry.path, entry.size, entry.mtime_ns
            self.paths.setdefault(stamp, set()).add(entry.fingerprint)
            if entry.state in SCORED and entry.sha256:
                self.contents.setdefault(entry.sha256, entry.path)


def size_of(entry: Entry) -> int:
    """Estimate the memory that an entry takes, in bytes."""
    size = 300
    if isinstance(entry, WindowsDone | FileDone):
        size += 250 * len(entry.ranges) + 300 * len(entry.heard)
    if isinstance(entry, FileDone):
        size += 4 * (len(entry.path) + len(entry.reason) + len(entry.notes)) + len(entry.sha256)
    elif isinstance(entry, FaultSeen):
        size += 4 * (len(entry.where) + len(entry.what) + len(entry.remedy))
    return size


def compact(entries: Iterable[Entry]) -> list[Entry]:
    """Unite what says the same when said once.

    Windows of a stream in which nothing was heard become one entry; of a fault that is seen again
    and again the first and the last sight stay.
    """
    kept: list[Entry] = []
    runs: list[tuple[int, list[WindowRange]]] = []
    quiet: dict[int, tuple[int, list[WindowRange]]] = {}
    seen: dict[tuple[str, str], int | None] = {}
    for entry in entries:
        match entry:
            case WindowsDone(stream=stream, heard=()) if stream in quiet:
                at, ranges = quiet[stream]
                ranges += entry.ranges
                kept[at] = entry
                continue
            case WindowsDone(stream=stream, heard=()):
                quiet[stream] = (len(kept), list(entry.ranges))
                runs.append(quiet[stream])
            case WindowsDone(stream=stream):
                quiet.pop(stream, None)
            case FaultSeen(where=where, what=what) if seen.get((where, what)) is not None:
                kept[seen[where, what] or 0] = entry
                continue
            case FaultSeen(where=where, what=what):
                seen[where, what] = len(kept) if (where, what) in seen else None
            case FaultEnded(where=where):
                seen = {key: at for key, at in seen.items() if key[0] != where}
        kept.append(entry)
    for at, ranges in runs:
        last = kept[at]
        assert isinstance(last, WindowsDone)
        kept[at] = replace(last, ranges=tuple(merged(ranges)))
    return kept


def _without_heard(entry: Entry) -> Entry | None:
    """Give up an entry's detections; a predicted window without them would be a false silence."""
    if isinstance(entry, WindowsDone) and entry.heard:
        return replace(entry, heard=(), ranges=tuple(merged(map(_failed, entry.ranges))))
    if isinstance(entry, FileDone) and entry.heard:
        return None
    return entry


def _bare(entry: Entry) -> Entry | None:
    """Leave of an entry what a live stream's account needs."""
    if isinstance(entry, WindowsDone) and entry.ranges:
        whole = [replace(done, state=WindowState.PREDICTED) for done in entry.ranges]
        return replace(entry, heard=(), ranges=tuple(merged(map(_failed, whole))))
    dropped = isinstance(entry, FileDone | FaultSeen | FaultEnded | Anchored)
    if dropped or (isinstance(entry, ModelChanged) and entry.failed):
        return None
    return entry


def _failed(done: WindowRange) -> WindowRange:
    if done.state is not WindowState.PREDICTED:
        return done
    return replace(done, state=WindowState.FAILED, reason=NO_ROOM, model="")


def _stream(entry: Entry) -> int | None:
    return entry.stream if isinstance(entry, StreamOpened | WindowsDone) else None

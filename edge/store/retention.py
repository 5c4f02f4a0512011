"""What is old, or too much, is removed: a little at a time, the oldest first."""

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from edge.store.entries import FaultSeen
from edge.store.rows import Rows
from edge.store.schema import PAGE_BYTES, to_us
from edge.store.store import Store


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much is kept; None means without a limit."""

    days: float | None = None
    """Since it was written into the store, which for an old card's file is later than its time."""
    size_bytes: int | None = None
    """Of the database file."""
    hard_bytes: int | None = None
    """Of the database file; beyond it also detections go that a sink has not had yet."""
    keep_files: bool = True
    """Whether to remember each file's name and content for ever, so that none is scored twice.

    That takes some 200 bytes a file, index entries included: 105 MB for one a minute, for a year.
    """


@dataclass(frozen=True, slots=True)
class Pruned:
    """What one call removed."""

    detections: int = 0
    unsent: int = 0
    """Of the detections, those that a sink had not had yet."""
    ranges: int = 0
    streams: int = 0
    """Live streams and files' identities of which nothing is left."""
    more: bool = False
    """Whether there was more than one call's work."""


class Retention:
    """Goes through a store a step at a time, so that no step holds up what is written."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self._passed = (0, 0)
        """The stream and sample up to which ranges were looked at in this round."""

    def prune(self, *, at: datetime, sinks: Collection[str]) -> Pruned:
        """Remove some of what is beyond the limits: a few thousand rows are looked at.

        Args:
            at: The time now, UTC.
            sinks: The names of those sinks whose cursors hold detections back.

        Returns:
            What went; nothing while the store is in trouble.
        """
        cursors = {sink: self._store.cursor(sink)[0] for sink in sinks}
        floor = min(cursors.values(), default=_FOREVER_US)
        pruned = self._store.transact(
            lambda connection, rows: self._prune(connection, rows, at, floor)
        )
        if pruned is None:
            return Pruned()
        if pruned.unsent:
            what = "detections were removed before it had them: the store is over its hard limit"
            remedy = "see why this sink is behind, or raise the store's hard limit"
            behind = sorted(sink for sink, number in cursors.items() if number == floor)
            self._store.write([FaultSeen(sink, what, remedy, at) for sink in behind])
        bounds = [self._limits.size_bytes, self._limits.hard_bytes]
        size = min((bound for bound in bounds if bound is not None), default=None)
        if size is not None:
            given_back = self._store.transact(lambda connection, _: _shrink(connection, size))
            pruned = replace(pruned, more=pruned.more or given_back == _PAGES)
        return pruned

    def _prune(
        self, connection: sqlite3.Connection, rows: Rows, at: datetime, floor: int
    ) -> Pruned:
        days = self._limits.days
        cutoff_us = to_us(at - timedelta(days=days)) if days is not None else _NEVER_US
        hard = _excess(connection, self._limits.hard_bytes)
        excess = max(hard, _excess(connection, self._limits.size_bytes))
        if days is None and excess <= 0:
            return Pruned()
        rows.keep_numbers()
        detections, unsent = _remove_detections(connection, cutoff_us, floor, excess, hard)
        oldest = connection.execute(_OLDEST_DETECTIONS, (1,)).fetchone()
        number, oldest_us = oldest or (_FOREVER_US, _FOREVER_US)
        # Without room, ranges go as far as the detections went.
        horizon_us = max(cutoff_us, oldest_us) if excess > 0 else cutoff_us
        ranges, more = self._remove_ranges(connection, horizon_us)
        streams = self._remove_streams(connection, number, horizon_us)
        for statement in _HISTORY:
            connection.execute(statement, (min(horizon_us, to_us(at)),))
        more = more or _ROWS in (detections, streams)
        return Pruned(detections, unsent, ranges, streams, more)

    def _remove_ranges(self, connection: sqlite3.Connection, horizon_us: int) -> tuple[int, bool]:
        """Go on through the closed ranges; return how many went and whether some are left."""
        seen = connection.execute(_NEXT_RANGES, (*self._passed, _ROWS)).fetchall()
        old = [(stream, start, got) for stream, start, got, end_us in seen if end_us < horizon_us]
        connection.executemany(
            "DELETE FROM windows WHERE stream = ? AND start_sample = ?",
            [(stream, start) for stream, start, _ in old],
        )
        for removed in (
            "UPDATE streams SET removed = removed + ? WHERE stream = ?",
            "UPDATE files SET removed = removed + ? WHERE stream = ?",
        ):
            connection.executemany(removed, [(got, stream) for stream, _, got in old])
        more = len(seen) == _ROWS
        self._passed = seen[-1][:2] if more else (0, 0)
        return len(old), more

    def _remove_streams(
        self, connection: sqlite3.Connection, oldest_number: int, horizon_us: int
    ) -> int:
        bounds = (_ROWS, oldest_number, horizon_us)
        over = [
            (stream,)
            for (stream,) in connection.execute(_OVER_STREAMS, bounds).fetchall()
            if not self._store.is_live(stream)
        ]
        connection.executemany("DELETE FROM streams WHERE stream = ?", over)
        connection.executemany("DELETE FROM anchors WHERE stream = ?", over)
        if self._limits.keep_files:
            return len(over)
        return len(over) + connection.execute(_FORGET_FILES, bounds).rowcount


def _remove_detections(
    connection: sqlite3.Connection, cutoff_us: int, floor: int, excess: int, hard: int
) -> tuple[int, int]:
    """Remove the oldest detections; return how many, and how many of them were not sent."""
    gone: list[tuple[int]] = []
    unsent = 0
    for number, entered_us in connection.execute(_OLDEST_DETECTIONS, (_ROWS,)).fetchall():
        freed = len(gone) * _DETECTION_BYTES
        beyond = entered_us < cutoff_us or freed < excess
        if freed < hard or (number <= floor and beyond):
            gone.append((number,))
            unsent += number > floor
    connection.executemany("DELETE FROM detections WHERE number = ?", gone)
    return len(gone), unsent


def _excess(connection: sqlite3.Connection, limit: int | None) -> int:
    """Count the bytes in use beyond a limit."""
    if limit is None:
        return 0
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return max(0, int((pages - free) * PAGE_BYTES - limit))


def _shrink(connection: sqlite3.Connection, limit: int) -> int:
    """Give free pages back to the disk where the file is over its limit; else they are reused."""
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    spare = int(max(0, min(_PAGES, free, pages - limit // PAGE_BYTES)))
    for _ in range(spare):
        # One page is all that Python's sqlite3 lets it free in one go, whatever number is given.
        connection.execute("PRAGMA incremental_vacuum(1)")
    return spare


_ROWS = 2000
"""Looked at in each table by one call."""
_PAGES = 2000
_DETECTION_BYTES = 48
"""About."""
_NEVER_US = -(1 << 62)
_FOREVER_US = 1 << 62

_OLDEST_DETECTIONS = (
    "SELECT d.number, coalesce(f.done_us, d.at_us) FROM detections d "
    "LEFT JOIN files f ON f.stream = d.stream ORDER BY d.number LIMIT ?"
)
_NEXT_RANGES = (
    "SELECT w.stream, w.start_sample, w.received, coalesce(f.done_us, "
    "s.started_us + w.end_sample * 1000000 / s.sample_rate_hz) FROM windows w "
    "LEFT JOIN files f ON f.stream = w.stream LEFT JOIN streams s ON s.stream = w.stream "
    "WHERE (w.stream, w.start_sample) > (?, ?) ORDER BY w.stream, w.start_sample LIMIT ?"
)
_OVER_STREAMS = (
    "SELECT stream FROM (SELECT * FROM streams ORDER BY stream LIMIT ?) s "
    "WHERE last_number < ? AND received = accounted "
    "AND started_us + end_sample * 1000000 / sample_rate_hz < ? "
    "AND NOT EXISTS (SELECT 1 FROM windows w WHERE w.stream = s.stream)"
)
_FORGET_FILES = (
    "DELETE FROM files WHERE stream IN (SELECT stream FROM "
    "(SELECT * FROM files ORDER BY stream LIMIT ?) f WHERE last_number < ? AND done_us < ? "
    "AND NOT EXISTS (SELECT 1 FROM windows w WHERE w.stream = f.stream))"
)
_HISTORY = (
    "DELETE FROM faults WHERE until_us < ?",
    "DELETE FROM runs WHERE began_us < ? AND run < (SELECT max(run) FROM runs)",
    "DELETE FROM model_changes WHERE at_us < ? AND change < "
    "(SELECT max(change) FROM model_changes WHERE failed = '')",
)

"""What is old, or too much, is removed: a little at a time, the oldest first."""

import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from edge.store.rows import Rows
from edge.store.schema import PAGE_BYTES, from_us, to_us
from edge.store.store import Store
from edge.store.wall_clock import Beginnings, oldest_kept


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much is kept; None means without a limit."""

    days: float | None = None
    """Since it was written into the store, which for an old card's file is later than its time.

    More than the calendar has means without a limit, too.
    """
    size_bytes: int | None = None
    """Of the database file."""
    hard_bytes: int | None = None
    """Of the database file; beyond it also detections go that a sink has not had yet."""
    keep_files: bool = True
    """Whether to remember each file's name and content for ever, so that none is scored twice.

    That takes some 250 bytes a file, index entries included: 130 MB for one a minute, for a year.
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
    behind: tuple[str, ...] = ()
    """The sinks that had not had what is `unsent`."""


class Retention:
    """Goes through a store a step at a time, so that no step holds up what is written.

    Nothing is removed for its age while the clock may be wrong: see `edge.store.wall_clock`. What
    was written before the clock was set counts as written when that run began. Two things remain:
    what was written with a clock that was ahead is kept for longer, by as much; and where a clock
    was behind for a whole run, but later than `wall_clock.PLAUSIBLE`, its times are believed. Ended
    faults and changes of the model go by the times they bear.
    """

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self._passed = (0, 0)
        """The stream and sample up to which ranges were looked at in this round."""

    def prune(self, *, at: datetime, monotonic_s: float, sinks: Collection[str]) -> Pruned:
        """Remove some of what is beyond the limits: a few thousand rows are looked at.

        Args:
            at: The time now, UTC.
            monotonic_s: The clock that is never set, in seconds.
            sinks: The names of those sinks whose cursors hold detections back.

        Returns:
            What went; nothing while the store is in trouble.
        """
        cursors = {sink: self._store.cursor(sink)[0] for sink in sinks}
        floor = min(cursors.values(), default=_FOREVER_US)
        trusted = self._store.clock.look(at, monotonic_s)
        days = self._limits.days if trusted else None
        oldest = None if days is None else oldest_kept(days, at)
        pruned = self._store.transact(
            lambda connection, rows: self._prune(connection, rows, at, oldest, floor)
        )
        if pruned is None:
            return Pruned()
        if pruned.unsent:
            behind = sorted(sink for sink, number in cursors.items() if number == floor)
            pruned = replace(pruned, behind=tuple(behind))
        bounds = [self._limits.size_bytes, self._limits.hard_bytes]
        size = min((bound for bound in bounds if bound is not None), default=None)
        if size is not None:
            given_back = self._store.transact(lambda connection, _: _shrink(connection, size))
            pruned = replace(pruned, more=pruned.more or given_back == _PAGES)
        return pruned

    def _prune(
        self,
        connection: sqlite3.Connection,
        rows: Rows,
        at: datetime,
        oldest: datetime | None,
        floor: int,
    ) -> Pruned:
        rows.set_beginning(self._store.clock.began)
        cutoff_us = _NEVER_US if oldest is None else to_us(oldest)
        hard = _excess(connection, self._limits.hard_bytes)
        excess = max(hard, _excess(connection, self._limits.size_bytes))
        if oldest is None and excess <= 0:
            return Pruned()
        rows.keep_numbers()
        ages = _Ages(connection, at, cutoff_us)
        detections, unsent = _remove_detections(connection, ages, floor, excess, hard)
        first = connection.execute(_OLDEST_DETECTIONS, (1,)).fetchone()
        number = first[0] if first else _FOREVER_US
        if excess > 0:
            # Without room, ranges go as far as the detections went.
            ages.horizon_us = first[2] if first else _FOREVER_US
        ranges, more = self._remove_ranges(connection, ages)
        streams = self._remove_streams(connection, ages, number)
        over = [(run,) for run in ages.old_runs()]
        connection.executemany("DELETE FROM runs WHERE run = ?", over)
        horizon_us = max(cutoff_us, ages.horizon_us)
        for statement in _HISTORY:
            connection.execute(statement, (min(horizon_us, to_us(at)),))
        more = more or _ROWS in (detections, streams)
        return Pruned(detections, unsent, ranges, streams, more)

    def _remove_ranges(self, connection: sqlite3.Connection, ages: "_Ages") -> tuple[int, bool]:
        """Go on through the closed ranges; return how many went and whether some are left."""
        seen = connection.execute(_NEXT_RANGES, (*self._passed, _ROWS)).fetchall()
        old = [
            (stream, start, got)
            for stream, start, got, end_us in seen
            if ages.is_old(stream, end_us)
        ]
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
        self,
        connection: sqlite3.Connection,
        ages: "_Ages",
        oldest_number: int,
    ) -> int:
        bounds = (_ROWS, oldest_number)
        over = [
            (stream,)
            for stream, end_us in connection.execute(_OVER_STREAMS, bounds).fetchall()
            if ages.is_old(stream, end_us) and not self._store.is_live(stream)
        ]
        connection.executemany("DELETE FROM streams WHERE stream = ?", over)
        connection.executemany("DELETE FROM anchors WHERE stream = ?", over)
        if self._limits.keep_files:
            return len(over)
        files = [
            (stream,)
            for stream, done_us in connection.execute(_OVER_FILES, bounds).fetchall()
            if ages.is_old(stream, done_us)
        ]
        connection.executemany("DELETE FROM files WHERE stream = ?", files)
        return len(over) + len(files)


class _Ages:
    """What is old, by the streams of rows and their stamps."""

    def __init__(self, connection: sqlite3.Connection, at: datetime, cutoff_us: int) -> None:
        found = connection.execute(_RUNS).fetchall()
        self._runs = [run for run, _, _ in found]
        self._beginnings = Beginnings(
            [(stream, from_us(began_us)) for _, stream, began_us in found], at
        )
        self._cutoff_us = cutoff_us
        self.horizon_us = _NEVER_US
        """What has an earlier stamp goes for want of room, whatever its age."""

    def is_old(self, stream: int, stamp_us: int) -> bool:
        """Tell whether a row is to go."""
        if stamp_us < self.horizon_us:
            return True
        # Most need no second look, which only makes them younger.
        if stamp_us >= self._cutoff_us:
            return False
        return to_us(self._beginnings.written(stream, from_us(stamp_us))) < self._cutoff_us

    def old_runs(self) -> Iterator[int]:
        """Yield the runs that began before what is kept, without the last."""
        horizon_us = max(self._cutoff_us, self.horizon_us)
        for run, began in zip(self._runs[:-1], self._beginnings.began, strict=False):
            if to_us(began) < horizon_us:
                yield run


def _remove_detections(
    connection: sqlite3.Connection,
    ages: _Ages,
    floor: int,
    excess: int,
    hard: int,
) -> tuple[int, int]:
    """Remove the oldest detections; return how many, and how many of them were not sent."""
    gone: list[tuple[int]] = []
    unsent = 0
    for number, stream, us in connection.execute(_OLDEST_DETECTIONS, (_ROWS,)).fetchall():
        freed = len(gone) * _DETECTION_BYTES
        beyond = ages.is_old(stream, us) or freed < excess
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
    "SELECT d.number, d.stream, coalesce(f.done_us, d.at_us) FROM detections d "
    "LEFT JOIN files f ON f.stream = d.stream ORDER BY d.number LIMIT ?"
)
_NEXT_RANGES = (
    # A stream's time is counted from its last anchor, where the clock was stepped, or its start.
    "SELECT w.stream, w.start_sample, w.received, coalesce(f.done_us, "
    "(SELECT a.at_us + (w.end_sample - a.sample) * 1000000 / s.sample_rate_hz FROM anchors a "
    "WHERE a.stream = w.stream AND a.sample <= w.end_sample "
    "ORDER BY a.sample DESC, a.rowid DESC LIMIT 1), "
    "s.started_us + w.end_sample * 1000000 / s.sample_rate_hz) FROM windows w "
    "LEFT JOIN files f ON f.stream = w.stream LEFT JOIN streams s ON s.stream = w.stream "
    "WHERE (w.stream, w.start_sample) > (?, ?) ORDER BY w.stream, w.start_sample LIMIT ?"
)
_OVER_STREAMS = (
    "SELECT s.stream, coalesce(e.end_us, s.started_us) "
    "FROM (SELECT * FROM streams ORDER BY stream LIMIT ?) s "
    "JOIN stream_ends e ON e.stream = s.stream WHERE last_number < ? AND received = accounted "
    "AND NOT EXISTS (SELECT 1 FROM windows w WHERE w.stream = s.stream)"
)
_OVER_FILES = (
    "SELECT stream, done_us FROM (SELECT * FROM files ORDER BY stream LIMIT ?) f "
    "WHERE last_number < ? AND NOT EXISTS (SELECT 1 FROM windows w WHERE w.stream = f.stream)"
)
_RUNS = "SELECT run, first_stream, began_us FROM runs ORDER BY first_stream, run"
_HISTORY = (
    "DELETE FROM faults WHERE until_us < ?",
    "DELETE FROM model_changes WHERE at_us < ? AND change < "
    "(SELECT max(change) FROM model_changes WHERE failed = '')",
)

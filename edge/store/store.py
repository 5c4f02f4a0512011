"""The store as its one writer sees it: entries go in, and nothing that happens to it comes out."""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Any, Self, TypeVar

from edge.store import opening, schema
from edge.store.accounting import Ledger
from edge.store.backlog import Backlog
from edge.store.entries import (
    Entry,
    FaultEnded,
    FaultSeen,
    ModelChanged,
    StreamOpened,
    WindowsDone,
)
from edge.store.rows import Rows, clean, path_key
from edge.store.seat import Content, HinderedError, Seat
from edge.store.wall_clock import WallClock

T = TypeVar("T")


class Store:
    """Writes what happens to one SQLite file; every method may be called from any thread.

    A disk that is full or fails stops nobody: entries wait in memory, within a bound, and are
    written when there is room again. Of a file that is damaged while in use, the same is true: it
    is set aside, and what goes on goes on in a new one. A file that is deleted is written again
    with all it held; while the disk is away entries wait for it.
    """

    def __init__(
        self,
        seat: Seat,
        *,
        now: Callable[[], datetime],
        monotonic_s: Callable[[], float],
        backlog_bytes: int,
    ) -> None:
        self.notes: list[str] = []
        """What opening and keeping it took, for the log: sentences, the oldest first."""
        self.path = seat.path
        self._seat = seat
        self._now = now
        self._guard = RLock()
        self._rows = Rows(self._connection)
        self._has_tables = not schema.is_empty(self._connection)
        self._begun = False
        self._closed = False
        self._damage = ""
        self._set_asides = 0
        self._ledger = Ledger()
        self._backlog = Backlog(backlog_bytes)
        self._troubles: list[str] = []
        self._cursors: dict[str, tuple[int, str]] = {}
        self._moved: set[str] = set()
        self._model: str | None = None
        self._newest: datetime | None = None
        self._note_opened(seat.opened)
        if self._has_tables:
            self._load()
        if seat.opened.hindrance:
            seat.let_go()
            self._has_tables = False
            self._note_trouble(seat.opened.hindrance)
        self.clock = WallClock(now(), monotonic_s(), newest=self._newest)
        """Whether the time may be trusted, from the beginning of the run on."""

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._seat.connection

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        now: Callable[[], datetime],
        monotonic_s: Callable[[], float] = time.monotonic,
        backlog_bytes: int = 16 << 20,
    ) -> Self:
        """Open a store, or make one, and note that a run of the program begins.

        After an end that was not clean the file is checked whole, and samples that were received
        and not scored become gaps. A damaged file is set aside beside its name and a new one is
        begun; `notes` and a fault say so. On a full disk it opens, with `trouble`.

        Args:
            path: The file; its folder must be there.
            now: The clock, UTC.
            monotonic_s: The clock that is never set, in seconds.
            backlog_bytes: How much memory entries may take that cannot be written, about.

        Raises:
            ConfigError: The file is no store or a newer edge's, another process uses it, or the
                folder cannot be written to.
        """
        seat = Seat(path.absolute(), now)
        try:
            store = cls(seat, now=now, monotonic_s=monotonic_s, backlog_bytes=backlog_bytes)
        except BaseException as error:
            seat.close()
            if isinstance(error, sqlite3.DatabaseError):
                raise opening.unreadable(seat.path, error) from None
            raise
        seat.lock.mark()
        store.retry()
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def trouble(self) -> str | None:
        """Why entries are waiting in memory; None while all is written."""
        with self._guard:
            return self._troubles[-1] if self._troubles else None

    @property
    def waiting(self) -> int:
        """How many entries wait in memory."""
        with self._guard:
            return len(self._backlog.entries)

    @property
    def last_number(self) -> int:
        """Of the newest detection that is written; 0 before the first."""
        with self._guard:
            return self._rows.next_number - 1

    def take_notes(self) -> list[str]:
        """Hand over the notes, once."""
        with self._guard:
            notes, self.notes = self.notes, []
            return notes

    def next_stream(self) -> int:
        """Give a live stream its number; none is given twice."""
        with self._guard:
            number = self._rows.next_stream
            self._rows.next_stream += 1
            self._ledger.given.add(number)
            return number

    def write(self, entries: Sequence[Entry]) -> None:
        """Keep entries, all in one transaction; in memory first while `trouble` lasts.

        Raises:
            ValueError: Windows overlap, leave a hole, or account for more than was received; a
                stream is not open; a value cannot be. Nothing of the call is kept then.
        """
        with self._guard:
            self._ledger = self._ledger.check(entries)
            self._backlog.add(entries)
            for entry in entries:
                if isinstance(entry, ModelChanged) and not entry.failed:
                    self._model = entry.after
            self._flush()

    def retry(self) -> bool:
        """Try to write what waits; return whether nothing waits any more."""
        with self._guard:
            self._flush()
            return not self._troubles

    def known_fingerprints(self, path: str, size: int, mtime_ns: int) -> set[str]:
        """Give the fingerprints of those files with this path, size and time that have an entry.

        Whatever their states are; an empty one is of a file that could not be read.
        """
        with self._guard:
            waiting = self._backlog.paths.get((path, size, mtime_ns), set())
            path = clean(path)
            found = self._ask(
                "SELECT fingerprint FROM files "
                "WHERE path_key = ? AND path = ? AND size = ? AND mtime_ns = ?",
                (path_key(path), path, size, mtime_ns),
            )
            return waiting.union(
                fingerprint.hex() if fingerprint else "" for (fingerprint,) in found
            )

    def known_content(self, sha256: str) -> str | None:
        """Find the path of the first file that was scored with this content."""
        with self._guard:
            found = self._ask(
                "SELECT path FROM files WHERE sha256 = ? AND state IN ('done', 'unheard') "
                "ORDER BY stream LIMIT 1",
                (bytes.fromhex(sha256),),
            )
            if found:
                return str(found[0][0])
            return self._backlog.contents.get(sha256)

    def last_model(self) -> str | None:
        """Give what the last change of model that worked changed it to."""
        with self._guard:
            return self._model

    def cursor(self, sink: str) -> tuple[int, str]:
        """Give the number of the last detection that a sink has, and its position; 0 and ""."""
        with self._guard:
            return self._cursors.get(sink, (0, ""))

    def set_cursor(self, sink: str, number: int, position: str) -> None:
        """Keep how far a sink has come.

        Args:
            sink: Its name.
            number: Of the last detection that is safe with it.
            position: Whatever the sink needs to go on from there.
        """
        with self._guard:
            self._cursors[sink] = (number, position)
            self._moved.add(sink)
            self._flush()

    def transact(self, work: Callable[[sqlite3.Connection, Rows], T]) -> T | None:
        """Do a piece of housekeeping in one transaction.

        Returns:
            What the work returns; None where it could not be done, which `trouble` explains.
        """
        with self._guard:
            if not self.retry():
                return None
            next_number = self._rows.next_number
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                result = work(self._connection, self._rows)
                self._connection.execute("COMMIT")
            except sqlite3.DatabaseError as error:
                self._undo(next_number)
                self._bear(error)
                return None
            except BaseException:
                self._undo(next_number)
                raise
            return result

    def is_live(self, stream: int) -> bool:
        """Tell whether a stream may still get windows in this run."""
        with self._guard:
            return stream in self._ledger.streams

    def close(self) -> None:
        """Note the clean end, put the write-ahead log into the file, and let go."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
            try:
                if self.retry():
                    self._end_run()
            finally:
                self._seat.close()

    def _end_run(self) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._rows.settle()
            self._rows.end_run(self._now())
            self._connection.execute("COMMIT")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.DatabaseError as error:
            self._undo(self._rows.next_number)
            self.notes.append(f"the store could not be closed as it should: {error}")

    def _load(self) -> None:
        try:
            self._read()
        except sqlite3.DatabaseError as error:
            if not opening.is_damage(error):
                raise
            self._replace(str(error))

    def _read(self) -> None:
        self._rows.go_on()
        newest_us = self._connection.execute(_NEWEST).fetchone()[0]
        self._newest = None if newest_us is None else schema.from_us(newest_us)
        cursors = self._connection.execute("SELECT sink, number, position FROM deliveries")
        self._cursors = {sink: (number, position) for sink, number, position in cursors}
        self._model = self._written_model()
        # A fault about a damaged file is over when someone has taken that file away.
        faults = self._connection.execute("SELECT place FROM faults WHERE until_us IS NULL")
        gone = {
            place
            for (place,) in faults
            if place.startswith(f"{self.path.name}.damaged-")
            and not self.path.with_name(place).exists()
        }
        self._backlog.add([FaultEnded(place, self._now()) for place in sorted(gone)])

    def _written_model(self) -> str | None:
        model = self._connection.execute(
            "SELECT after FROM model_changes WHERE failed = '' ORDER BY change DESC LIMIT 1"
        ).fetchone()
        return model[0] if model else None

    def _begin(self) -> None:
        """Make the tables where there are none, and the run's row."""
        schema.prepare(self._connection)
        self._has_tables = True
        self._connection.execute("BEGIN IMMEDIATE")
        self._rows.begin_run(os.getpid(), self.clock.began)
        settled = self._rows.settle()
        self._carry_on()
        self._connection.execute("COMMIT")
        self._begun = True
        self.notes += [
            f"{source}: {samples} samples were received and not scored when the program ended"
            for source, samples in settled
        ]

    def _carry_on(self) -> None:
        """Take up living streams whose opening is not among what waits to be written."""
        waiting = self._backlog.entries
        opened = {entry.stream for entry in waiting if isinstance(entry, StreamOpened)}
        self._rows.vacate(sorted({*self._ledger.streams, *self._ledger.given, *opened}))
        for number, live in self._ledger.streams.items():
            ranges = [
                done
                for entry in waiting
                if isinstance(entry, WindowsDone) and entry.stream == number
                for done in entry.ranges
            ]
            if number not in opened:
                self._rows.carry_on(
                    live,
                    end_sample=ranges[0].start_sample if ranges else live.end_sample,
                    accounted=live.accounted - sum(done.received for done in ranges),
                )

    def _flush(self) -> None:
        """Write what waits: all at once, or by and by after trouble."""
        if not self._in_place() or (self._damage and not self._replace(self._damage)):
            return
        again = True
        while self._backlog.entries or self._moved or self._troubles or not self._begun:
            chunk = self._backlog.first(_CHUNK if self._troubles else None)
            last = len(chunk) == len(self._backlog.entries)
            next_number = self._rows.next_number
            try:
                if not self._begun:
                    self._begin()
                self._connection.execute("BEGIN IMMEDIATE")
                self._put(chunk, last=last)
                self._connection.execute("COMMIT")
            except sqlite3.DatabaseError as error:
                self._undo(next_number)
                if not self._bear(error, again=again):
                    return
                again = False
                continue
            except BaseException:
                self._undo(next_number)
                raise
            again = True
            self._backlog.remove(len(chunk))
            if last:
                self._moved.clear()
                self._backlog.given_up = self._backlog.put_off = 0
                if self._troubles:
                    self._troubles.clear()
                    self._seat.lock.say("")

    def _put(self, chunk: Sequence[Entry], *, last: bool) -> None:
        at = self._now()
        for entry in chunk:
            self._rows.put(entry, at)
        if not last:
            return
        for sink in self._moved:
            self._rows.put_cursor(sink, *self._cursors[sink])
        if self._backlog.given_up:
            what = f"{self._backlog.given_up} detections were given up while nothing was written"
            self._rows.put(FaultSeen("store", what, _MAKE_ROOM, at), at)
        if self._backlog.put_off:
            what = f"{self._backlog.put_off} files are to be scored again: nothing was written"
            self._rows.put(FaultSeen("store", what, _MAKE_ROOM, at), at)
        if self._troubles:
            self._rows.put(FaultEnded("store", at), at)

    def _ask(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        if not self._has_tables or self._damage:
            return []
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            self._bear(error)
            return []

    def _undo(self, next_number: int) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        self._rows.undone(next_number)

    def _bear(self, error: sqlite3.DatabaseError, *, again: bool = False) -> bool:
        """Mend what can be mended, note the rest.

        Args:
            error: What came of the last try.
            again: Whether there may be another.

        Returns:
            Whether there should be.
        """
        if opening.is_damage(error):
            return self._replace(str(error)) and again
        if not isinstance(error, sqlite3.OperationalError):
            raise error
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if again and code == sqlite3.SQLITE_FULL and self._reuse_log():
            return True
        self._note_trouble(opening.trouble(self.path, error))
        return False

    def _reuse_log(self) -> bool:
        """Free the log's place on the disk by putting its pages into the file."""
        with contextlib.suppress(sqlite3.Error):
            busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
            return not busy
        return False

    def _note_trouble(self, what: str) -> None:
        if what not in self._troubles:
            self._troubles.append(what)
            self._backlog.add([FaultSeen("store", what, _MAKE_ROOM, self._now())])
            self._seat.lock.say(what)
        self._backlog.keep_bounded(self._ledger.streams)

    def _in_place(self) -> bool:
        """See that what is written comes to lie at the store's path."""
        try:
            change = self._seat.keep(begun=self._begun)
        except HinderedError as reason:
            self._has_tables = self._has_tables and self._seat.is_open
            self._note_trouble(str(reason))
            return False
        if change.note:
            self.notes.append(change.note)
        if change.content is Content.MOVED:
            self._rows.move_to(self._connection)
        elif change.opened is not None:
            self._note_opened(change.opened)
            return self._take_up()
        return True

    def _take_up(self) -> bool:
        """Go on in a file that may have rows of its own."""
        before = self._rows
        self._rows = Rows(
            self._connection, next_stream=before.next_stream, next_number=before.next_number
        )
        self._begun = False
        self._damage = ""
        self._moved = set(self._cursors)
        model = None
        try:
            self._has_tables = not schema.is_empty(self._connection)
            if self._has_tables:
                self._rows.go_on()
                model = self._written_model()
        except sqlite3.DatabaseError as error:
            if opening.is_damage(error):
                return self._replace(str(error))
            self._has_tables = False
            self._seat.let_go()
            self._note_trouble(opening.trouble(self.path, error))
            return False
        if self._model not in (None, model):
            self._backlog.add([ModelChanged(self._now(), model or self._model, self._model)])
        return True

    def _replace(self, damage: str) -> bool:
        """Go on in a new file; a disk that spoils one after the other is not filled with them."""
        self._damage = damage
        if self._set_asides == _MOST_SET_ASIDES:
            self._note_trouble(f"the store is damaged again and again: {self.path}: {damage}")
            return False
        try:
            place = self._seat.set_aside()
        except HinderedError as reason:
            self._note_trouble(str(reason))
            return False
        self._set_asides += 1
        self._note_opened(opening.Opened(self._connection, place, damage))
        return self._take_up()

    def _note_opened(self, opened: opening.Opened) -> None:
        place = opened.set_aside
        if place is None:
            return
        what = f"the store was damaged ({opened.damage}) and is set aside as {place.name}"
        self.notes.append(f"{what}; a new one is begun")
        remedy = f"see what `sqlite3 {place} .recover` can save, then move that file away"
        self._backlog.add([FaultSeen(place.name, what, remedy, self._now())])


_CHUNK = 256
_MOST_SET_ASIDES = 3
_MAKE_ROOM = "see that its disk is there, has room and can be written; edge goes on by itself"
_NEWEST = (
    "SELECT max(at_us) FROM (SELECT max(coalesce(ended_us, began_us)) AS at_us FROM runs UNION ALL "
    "SELECT done_us FROM (SELECT done_us FROM files ORDER BY stream DESC LIMIT 1) UNION ALL "
    "SELECT end_us FROM stream_ends WHERE stream = (SELECT max(stream) FROM streams))"
)

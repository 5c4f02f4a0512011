"""The store as everyone else sees it: read-only, while the daemon runs and after it died."""

import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edge.contracts import Detection, WindowState
from edge.errors import ConfigError, InputError
from edge.remedies import permission_remedy
from edge.store import opening, schema
from edge.store.entries import FileState, WindowRange
from edge.store.lock import holder
from edge.store.schema import from_us, to_us
from edge.store.status import StoreStatus, read_status


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file as the store remembers it."""

    number: int
    """Of its stream; counts up in the order in which files were done."""
    source: str
    path: str
    size: int
    """Bytes."""
    mtime_ns: int
    sha256: str
    state: FileState
    reason: str
    sample_rate_hz: int
    samples: int
    started_at: datetime | None
    """UTC time of sample 0."""
    time_source: str
    notes: str
    done_at: datetime
    """UTC time at which the store was told."""


@dataclass(frozen=True, slots=True)
class StreamRange:
    """Windows of a stream that share a fate."""

    number: int
    """Of the stream."""
    source: str
    stream: str
    """A file's path, or the live source's name."""
    range: WindowRange


@dataclass(frozen=True, slots=True)
class HeardStream:
    """A file that was scored, or one opening of a live source."""

    number: int
    """Counts up in the order in which files were done; two files with one path have two."""
    name: str
    """A file's path as `os.fsdecode` gives it, or the live source's name."""
    live: bool
    sample_rate_hz: int
    end_sample: int
    """That which follows the last one; of a live source, up to which windows have their outcome."""
    started_at: datetime | None
    """UTC time of sample 0."""
    last_number: int
    """Of its detections, those included that retention removed; 0 where it had none."""


class StoreReader:
    """Reads a store and never writes to it; use it from one thread at a time.

    Long answers come in pages, each a short transaction, so that the writer's log never waits for
    whoever reads slowly. When the writer sets a damaged file aside, the next page is of the new
    one.

    Args:
        path: The store's file.

    Raises:
        InputError: There is none, or it may not be read.
        ConfigError: It is something else, from a newer edge, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._stack = ExitStack()
        self._inode = 0
        try:
            with self._explained():
                self._open()
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._stack.close()

    def detections(
        self,
        *,
        after_number: int = 0,
        since: datetime | None = None,
        until: datetime | None = None,
        min_confidence: float = 0.0,
        limit: int | None = None,
    ) -> Iterator[Detection]:
        """Read detections, in the order of their numbers.

        Args:
            after_number: The last number that is not wanted any more.
            since: From which time on, UTC.
            until: Up to which time, which is left out, UTC.
            min_confidence: The least confidence.
            limit: How many at most.
        """
        since_us = _LEAST if since is None else to_us(since)
        until_us = _MOST if until is None else to_us(until)
        left = _MOST if limit is None else limit
        while left > 0:
            page = self._page(
                _DETECTIONS,
                (after_number, since_us, until_us, min_confidence, min(left, _PAGE)),
            )
            for row in page:
                yield _detection(row)
            left -= len(page)
            if len(page) < _PAGE:
                return
            after_number = page[-1][0]

    def numbered_detections(
        self,
        *,
        last_number: int,
        since: datetime | None = None,
        until: datetime | None = None,
        min_confidence: float = 0.0,
    ) -> Iterator[tuple[int, Detection]]:
        """Read detections as `detections` does, each after the number of its stream.

        Args:
            last_number: The last number that is wanted.
            since: From which time on, UTC.
            until: Up to which time, which is left out, UTC.
            min_confidence: The least confidence.
        """
        since_us, until_us = _bounds(since, until)
        after_number = 0
        while page := self._page(
            _NUMBERED, (after_number, last_number, since_us, until_us, min_confidence, _PAGE)
        ):
            for stream, *row in page:
                yield stream, _detection(tuple(row))
            after_number = page[-1][1]

    def highest_confidence(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> float | None:
        """Read the highest confidence of any detection of a time; None where there is none."""
        ((highest,),) = self._page(_HIGHEST, _bounds(since, until))
        return None if highest is None else float(highest)

    def detection_numbers(self) -> tuple[int, int]:
        """Read the first and the last number of the detections that are there; zeros for none."""
        ((first, last),) = self._page(_FIRST_AND_LAST, ())
        return first or 0, last or 0

    def heard_streams(self) -> Iterator[HeardStream]:
        """Read the live streams, and the files of which a model heard something, by number."""
        for number, name, live, rate_hz, end, started_us, last_number in self._pages(_HEARD):
            yield HeardStream(
                number=number,
                name=name if live else _as_decoded(name),
                live=bool(live),
                sample_rate_hz=rate_hz,
                end_sample=end,
                started_at=None if started_us is None else from_us(started_us),
                last_number=last_number,
            )

    def files(self) -> Iterator[FileRow]:
        """Read what became of each file, in the order in which they were done."""
        for row in self._pages(_FILES):
            yield _file(row)

    def ranges(self) -> Iterator[StreamRange]:
        """Read the fate of every window, by stream and in its order."""
        place = (0, -1)
        while page := self._page(_RANGES, (*place, _PAGE)):
            for row in page:
                yield _range(row)
            place = (page[-1][0], page[-1][3])

    def status(self) -> StoreStatus:
        """Sum up what the store knows, as of one instant."""
        held = holder(self._path)
        size = sum(
            place.stat().st_size
            for companion in opening.COMPANIONS[:2]
            if (place := self._path.with_name(self._path.name + companion)).exists()
        )
        with self._explained():
            self._open()
            with self._snapshot():
                return read_status(self._connection, held, size)

    def _open(self) -> None:
        """Open the file, also anew where another one has taken its place."""
        try:
            found = self._path.stat().st_ino
            if found == self._inode:
                return
            self._stack.close()
            self._inode = 0
            self._connection = self._connect()
            self._check()
            self._inode = found
        except FileNotFoundError:
            raise InputError(
                f"{self._path}: there is no store yet",
                remedy="start `edge run`, or see to store.path",
            ) from None
        except PermissionError as reason:
            raise InputError(
                f"{self._path}: the store cannot be read: {reason.strerror}",
                remedy=permission_remedy(self._path),
            ) from None

    def _connect(self) -> sqlite3.Connection:
        """Open the file in the first way that works: on a read-only disk not all of them do."""
        try:
            return self._tried(schema.connect_read_only(self._path))
        except sqlite3.OperationalError:
            if holder(self._path):
                raise
        wal = self._path.with_name(f"{self._path.name}-wal")
        if wal.exists() and wal.stat().st_size:
            return self._tried(self._connect_copy())
        # Without a log to read, and with nobody who writes, the file itself is all there is.
        return self._tried(schema.connect_read_only(self._path, immutable=True))

    def _tried(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        try:
            schema.is_empty(connection)
        except BaseException:
            connection.close()
            raise
        self._stack.callback(connection.close)
        return connection

    def _connect_copy(self) -> sqlite3.Connection:
        """Read a copy, where the log that is left can be read only by writing beside it."""
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-")))
        for companion in opening.COMPANIONS[:2]:
            name = self._path.name + companion
            shutil.copyfile(self._path.with_name(name), folder / name)
        return schema.connect_read_only(folder / self._path.name)

    def _check(self) -> None:
        if schema.is_empty(self._connection):
            raise InputError(f"{self._path}: the store is empty yet", remedy="start `edge run`")
        opening.check_kind(self._connection, self._path)

    def _pages(self, query: str) -> Iterator[tuple[Any, ...]]:
        """Read rows page after page; the first column is what they are ordered by."""
        last = 0
        while page := self._page(query, (last, _PAGE)):
            yield from page
            last = page[-1][0]

    def _page(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._explained():
            self._open()
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as reason:
            if not opening.is_damage(reason):
                raise opening.unreadable(self._path, reason) from None
            raise ConfigError(
                f"{self._path}: the store is damaged: {reason}",
                remedy="restart `edge run`, which sets it aside and begins a new one",
            ) from None


def _detection(row: tuple[Any, ...]) -> Detection:
    number, source, stream, start_s, end_s, at_us, time_source, label, confidence, model = row
    stream, at = _as_decoded(stream), from_us(at_us)
    return Detection(
        number, source, stream, start_s, end_s, at, time_source, label, confidence, model
    )


def _file(row: tuple[Any, ...]) -> FileRow:
    number, source, path, size, mtime_ns, sha256, state, reason, *rest = row
    sample_rate_hz, samples, started_us, time_source, notes, done_us = rest
    return FileRow(
        number=number,
        source=source,
        path=path,
        size=size,
        mtime_ns=mtime_ns,
        sha256=sha256.hex() if sha256 else "",
        state=FileState(state),
        reason=reason,
        sample_rate_hz=sample_rate_hz,
        samples=samples,
        started_at=None if started_us is None else from_us(started_us),
        time_source=time_source,
        notes=notes,
        done_at=from_us(done_us),
    )


def _bounds(since: datetime | None, until: datetime | None) -> tuple[int, int]:
    return _LEAST if since is None else to_us(since), _MOST if until is None else to_us(until)


def _as_decoded(path: str) -> str:
    """Undo what made the bytes of a path that are no UTF-8 storable."""
    return _SPELT_BYTE.sub(lambda spelt: chr(int(spelt[1], 16)), path)


def _range(row: tuple[Any, ...]) -> StreamRange:
    number, source, stream, start, end, received, windows, state, reason, model = row
    fate = WindowRange(start, end, received, windows, WindowState(state), reason, model)
    return StreamRange(number, source, stream, fate)


_SPELT_BYTE = re.compile(r"\\u(dc[89a-f][0-9a-f])")
_PAGE = 500
_LEAST = -(1 << 62)
_MOST = 1 << 62
_DETECTIONS = (
    "SELECT * FROM heard WHERE number > ? AND at_us >= ? AND at_us < ? AND confidence >= ? "
    "ORDER BY number LIMIT ?"
)
_NUMBERED = (
    "SELECT d.stream, h.* FROM heard h JOIN detections d ON d.number = h.number "
    "WHERE h.number > ? AND h.number <= ? AND h.at_us >= ? AND h.at_us < ? AND h.confidence >= ? "
    "ORDER BY h.number LIMIT ?"
)
_HIGHEST = "SELECT max(confidence) FROM detections WHERE at_us >= ? AND at_us < ?"
_FIRST_AND_LAST = (
    "SELECT (SELECT min(number) FROM detections), (SELECT max(number) FROM detections)"
)
_HEARD = (
    "SELECT stream, path, 0, sample_rate_hz, samples, started_us, last_number FROM files "
    "WHERE stream > ?1 AND state = 'done' UNION ALL "
    "SELECT s.stream, o.name, 1, s.sample_rate_hz, s.end_sample, s.started_us, s.last_number "
    "FROM streams s JOIN sources o ON o.id = s.source WHERE s.stream > ?1 ORDER BY 1 LIMIT ?2"
)
_FILES = (
    "SELECT f.stream, o.name, f.path, f.size, f.mtime_ns, f.sha256, f.state, f.reason, "
    "f.sample_rate_hz, f.samples, f.started_us, f.time_source, f.notes, f.done_us "
    "FROM files f JOIN sources o ON o.id = f.source WHERE f.stream > ? ORDER BY f.stream LIMIT ?"
)
_RANGES = (
    "SELECT w.stream, o.name, coalesce(f.path, o.name), w.start_sample, w.end_sample, "
    "w.received, w.windows, w.state, w.reason, w.model FROM window_ranges w "
    "LEFT JOIN files f ON f.stream = w.stream LEFT JOIN streams s ON s.stream = w.stream "
    "JOIN sources o ON o.id = coalesce(f.source, s.source) "
    "WHERE (w.stream, w.start_sample) > (?, ?) ORDER BY w.stream, w.start_sample LIMIT ?"
)

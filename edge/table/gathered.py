"""Detections gathered by recording, in bounded memory."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from types import TracebackType
from typing import Self

from edge.errors import InputError
from edge.table.context import Stream
from edge.table.names import candidates, shared_folders
from edge.table.recordings import Found, Recording, Spot, place
from edge.table.rows import is_live


class Gathered:
    """Recordings and what was found in them, in order of time.

    All of it is in a temporary file of SQLite's, of which a part is in memory.

    Args:
        found: In any order; read once.
        streams: Those that are known, in order of their numbers; read once.
        out_dir: What is told where there is no room for the temporary file.

    Raises:
        InputError: There is no room for it.
    """

    def __init__(self, found: Iterable[Found], streams: Iterable[Stream], out_dir: Path) -> None:
        self._out_dir = out_dir
        self._live_ids = count(-1, -1)
        self._database = sqlite3.connect("", isolation_level=None)
        try:
            self._database.executescript(_TABLES)
            known = iter(streams)
            while some := list(islice(known, _ROWS_AT_ONCE)):
                with self._room():
                    for stream in some:
                        self._add_stream(stream)
            rest, entry = iter(found), count()
            while more := list(islice(rest, _ROWS_AT_ONCE)):
                with self._room():
                    self._add(more, entry)
            with self._room():
                self._database.execute(_COUNT_PATHS)
        except BaseException:
            self._database.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()

    def recordings(self, *, nth: int | None = None) -> Iterator[tuple[int, Recording]]:
        """Read those that get a table, by path and hour, each with its number here.

        Args:
            nth: Only files that are the how manyth of their path; a live source is always the
                first.
        """
        for number, name, *rest in self._database.execute(_RECORDINGS, (nth,)):
            yield number, Recording(_unpacked(name), *rest)

    def spots(self, number: int) -> Iterator[Spot]:
        """Read what was found in a recording, in order of time."""
        return (Spot(*row) for row in self._database.execute(_SPOTS, (number,)))

    def is_empty(self, number: int) -> bool:
        """Tell whether nothing was found in a recording."""
        return self._database.execute(_SPOTS, (number,)).fetchone() is None

    def has_live(self) -> bool:
        """Tell whether something was found in a live source."""
        found = self._database.execute("SELECT 1 FROM recordings WHERE hour != '' LIMIT 1")
        return found.fetchone() is not None

    def repeats(self) -> list[int]:
        """List the how manyth files of their path get a table, in ascending order."""
        rows = self._database.execute(
            "SELECT DISTINCT nth FROM recordings WHERE asked_for ORDER BY nth"
        )
        return [nth for (nth,) in rows]

    def shared_paths(self) -> tuple[int, str, int]:
        """Count paths that several files had, of which one at least gets a table.

        Returns:
            How many there are, the first, and how many files had it.
        """
        many, path, files = self._database.execute(_SHARED_PATHS).fetchone()
        return many, _unpacked(path or b""), files or 0

    def give_names(self, suffix: str) -> None:
        """Give each recording a path of its own below the folder of tables.

        All recordings have a part in it, those without a table too, so that a recording's table is
        called the same whatever part of the store is exported.
        """
        paths = (
            _unpacked(packed)
            for (packed,) in self._database.execute("SELECT name FROM recordings WHERE hour = ''")
        )
        above = shared_folders(paths)
        with self._room():
            for number, name, *rest in self._database.execute(_UNNAMED):
                for path in candidates(Recording(_unpacked(name), *rest), above):
                    taken = self._database.execute(
                        "INSERT OR IGNORE INTO names VALUES (?, ?, ?)",
                        (f"{path}{suffix}".casefold(), number, f"{path}{suffix}"),
                    )
                    if taken.rowcount:
                        break

    def table_of(self, number: int) -> str:
        """Look up the path that a recording was given, below the folder of tables."""
        row = self._database.execute("SELECT name FROM names WHERE number = ?", (number,))
        return str(row.fetchone()[0])

    def is_table(self, name: str) -> bool:
        """Tell whether a path below the folder, in valid Unicode, is that of one of the tables."""
        row = self._database.execute(_IS_TABLE, (name.casefold(),))
        return row.fetchone() is not None

    @contextmanager
    def _room(self) -> Iterator[None]:
        """Do it in one transaction, and say what to do when there is no room for it."""
        try:
            self._database.execute("BEGIN")
            yield
            self._database.execute("COMMIT")
        except sqlite3.OperationalError as reason:
            raise InputError(
                f"{self._out_dir}: the detections cannot be sorted: {reason}",
                remedy="free space in /var/tmp, or name another folder in $SQLITE_TMPDIR",
            ) from None

    def _add_stream(self, stream: Stream) -> None:
        row = (
            stream.number,
            _packed(stream.name),
            stream.live,
            stream.rate_hz,
            stream.length_s,
            stream.asked_for,
        )
        self._database.execute("INSERT OR IGNORE INTO streams VALUES (?, ?, ?, ?, ?, ?)", row)
        if not stream.live:
            self._database.execute(
                "INSERT OR IGNORE INTO recordings VALUES (?, ?, '', 1, ?, ?)",
                (stream.number, row[1], stream.rate_hz, stream.asked_for),
            )

    def _add(self, some: Sequence[Found], entry: Iterator[int]) -> None:
        streams: dict[int, Stream] = {}
        numbers: dict[tuple[int, str], int] = {}
        spots = []
        for number, detection in some:
            if number not in streams:
                streams[number] = self._stream(number) or Stream(
                    number, detection.stream, is_live(detection)
                )
                self._add_stream(streams[number])
            hour, spot = place(detection, streams[number])
            if (number, hour) not in numbers:
                numbers[number, hour] = self._number(streams[number], hour)
            spots.append((numbers[number, hour], spot.start_s, next(entry), *spot[1:]))
        self._database.executemany("INSERT INTO spots VALUES (?, ?, ?, ?, ?, ?)", spots)

    def _stream(self, number: int) -> Stream | None:
        row = self._database.execute("SELECT * FROM streams WHERE number = ?", (number,)).fetchone()
        if row is None:
            return None
        _, name, live, rate_hz, length_s, asked_for = row
        return Stream(number, _unpacked(name), bool(live), rate_hz, length_s, bool(asked_for))

    def _number(self, stream: Stream, hour: str) -> int:
        """Find the recording of a stream at an hour, and see that it gets a table."""
        if not stream.live:
            self._database.execute(
                "UPDATE recordings SET asked_for = 1 WHERE number = ?", (stream.number,)
            )
            return stream.number
        key = (_packed(stream.name), hour)
        row = self._database.execute(_LIVE, key).fetchone()
        if row is not None:
            return int(row[0])
        number = next(self._live_ids)
        self._database.execute(
            "INSERT INTO recordings VALUES (?, ?, ?, 1, ?, 1)", (number, *key, stream.rate_hz)
        )
        return number


def _packed(name: str) -> bytes:
    """Write a path as SQLite can keep it, bytes that are no text and all."""
    return name.encode("utf-8", "surrogatepass")


def _unpacked(name: bytes) -> str:
    return name.decode("utf-8", "surrogatepass")


# A file's recording has the number of its stream, an hour of a live source one below 0.
_TABLES = """
CREATE TABLE streams (
    number INTEGER PRIMARY KEY, name BLOB, live INTEGER, rate_hz INTEGER, length_s REAL,
    asked_for INTEGER
);
CREATE TABLE recordings (
    number INTEGER PRIMARY KEY, name BLOB, hour TEXT, nth INTEGER, rate_hz INTEGER,
    asked_for INTEGER
);
CREATE INDEX recordings_by_name ON recordings (name, hour, nth);
CREATE TABLE names (key TEXT PRIMARY KEY, number INTEGER UNIQUE, name TEXT) WITHOUT ROWID;
CREATE TABLE spots (
    recording INTEGER, start_s REAL, entry INTEGER, end_s REAL, label TEXT, confidence REAL,
    PRIMARY KEY (recording, start_s, entry)
) WITHOUT ROWID;
"""
_COUNT_PATHS = (
    "UPDATE recordings SET nth = counted.nth FROM (SELECT number AS file, "
    "row_number() OVER (PARTITION BY name ORDER BY number) AS nth FROM recordings "
    "WHERE hour = '') counted WHERE number = counted.file AND counted.nth > 1"
)
_RECORDINGS = (
    "SELECT number, name, hour, nth, rate_hz FROM recordings "
    "WHERE asked_for AND nth = coalesce(?, nth) ORDER BY name, hour, nth"
)
_UNNAMED = (
    "SELECT number, name, hour, nth, rate_hz FROM recordings ORDER BY nth, hour != '', abs(number)"
)
_LIVE = "SELECT number FROM recordings WHERE name = ? AND hour = ?"
_SPOTS = (
    "SELECT start_s, end_s, label, confidence FROM spots WHERE recording = ? "
    "ORDER BY start_s, entry"
)
_SHARED_PATHS = (
    "SELECT count(*), min(name), files FROM (SELECT name, max(nth) AS files FROM recordings "
    "GROUP BY name HAVING max(nth) > 1 AND max(asked_for))"
)
_IS_TABLE = "SELECT 1 FROM names JOIN recordings USING (number) WHERE key = ? AND asked_for"
_ROWS_AT_ONCE = 10_000

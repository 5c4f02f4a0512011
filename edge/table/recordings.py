"""Detections gathered by recording, in bounded memory, and a table for each recording."""

import hashlib
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC
from itertools import count, islice, takewhile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from edge.contracts import Detection
from edge.errors import InputError
from edge.table.rows import is_live
from edge.table.text import as_text
from edge.table.whole import write_lines


class Recording(NamedTuple):
    """What one table is about: a file, or one UTC hour of a live stream."""

    stream: str
    """The file's path, as `Detection.stream` has it; the name of a live stream."""
    hour: str
    """Of a live stream: its UTC hour, `YYYYMMDD_HH0000Z`. Empty for a file."""

    @property
    def title(self) -> str:
        """The file's path, or the live stream's name and hour, as valid Unicode."""
        return as_text(f"{self.stream}_{self.hour}" if self.hour else self.stream)


class Spot(NamedTuple):
    """A detection within its recording."""

    start_s: float
    """From the start of the recording: of the file, or of the hour."""
    end_s: float
    label: str
    confidence: float


def place(detection: Detection) -> tuple[Recording, Spot]:
    """Say which recording a detection belongs to, and where in it.

    A live stream begins anew with each start of the program, and its clock may be set meanwhile,
    so seconds from its start lead nowhere. It is cut into UTC hours by the time of each window's
    start; a window that reaches into the next hour ends after second 3600.
    """
    if not is_live(detection):
        recording = Recording(detection.stream, "")
        start_s, end_s = detection.start_s, detection.end_s
    else:
        at = detection.at.astimezone(UTC)
        hour = at.replace(minute=0, second=0, microsecond=0)
        recording = Recording(detection.stream, f"{hour:%Y%m%d_%H%M%SZ}")
        start_s = (at - hour).total_seconds()
        end_s = start_s + detection.end_s - detection.start_s
    return recording, Spot(start_s, end_s, as_text(detection.label), detection.confidence)


def write_each(
    detections: Iterable[Detection],
    out_dir: Path,
    *,
    suffix: str,
    lines: Callable[[Recording, Iterator[Spot]], Iterator[str]],
) -> list[Path]:
    """Write a table for each recording, its detections in order of time.

    Names are the recordings' own. Folders are mirrored, from the deepest that holds all files;
    recordings that differ by their suffix alone, or only by upper and lower case, keep the suffix
    or get a number. Names hold nothing that a memory card's file system refuses.

    Args:
        detections: In any order; they are sorted in a temporary file of SQLite's, of which a part
            is in memory.
        out_dir: Where to write; nothing is written outside it.
        suffix: What the recording's name is followed by, in place of its own suffix.
        lines: Makes the table's lines of a recording and its detections.

    Returns:
        The files, in order of the recordings' paths.

    Raises:
        InputError: A table cannot be written.
    """
    with closing(sqlite3.connect("", isolation_level=None)) as gathered:
        gathered.executescript(_TABLES)
        rest, entry = iter(detections), count()
        while some := [place(detection) for detection in islice(rest, _ROWS_AT_ONCE)]:
            with _room(out_dir):
                _gather(gathered, some, entry)
        with _room(out_dir):
            _name(gathered, suffix)
        written = []
        for number, stream, hour, name in gathered.execute(_NAMED):
            spots = (Spot(*row) for row in gathered.execute(_SPOTS, (number,)))
            recording = Recording(_unpacked(stream), hour)
            written.append(write_lines(out_dir / name, lines(recording, spots)))
        return written


@contextmanager
def _room(out_dir: Path) -> Iterator[None]:
    """Say what to do when there is no room for the temporary file."""
    try:
        yield
    except sqlite3.OperationalError as reason:
        raise InputError(
            f"{out_dir}: the detections cannot be sorted: {reason}",
            remedy="free space in /var/tmp, or name another folder in $SQLITE_TMPDIR",
        ) from None


def _gather(
    gathered: sqlite3.Connection, some: Sequence[tuple[Recording, Spot]], entry: Iterator[int]
) -> None:
    """Copy detections into SQLite's temporary file, the recordings numbered."""
    gathered.execute("BEGIN")
    numbers: dict[Recording, int] = {}
    for recording, _ in some:
        if recording not in numbers:
            key = (_packed(recording.stream), recording.hour)
            gathered.execute("INSERT OR IGNORE INTO recordings (stream, hour) VALUES (?, ?)", key)
            numbers[recording] = gathered.execute(_NUMBER, key).fetchone()[0]
    gathered.executemany(
        "INSERT INTO spots VALUES (?, ?, ?, ?, ?, ?)",
        ((numbers[recording], spot.start_s, next(entry), *spot[1:]) for recording, spot in some),
    )
    gathered.execute("COMMIT")


def _name(gathered: sqlite3.Connection, suffix: str) -> None:
    """Give each recording a path of its own below the folder of tables."""
    above = _shared_folders(gathered)
    gathered.execute("BEGIN")
    for number, packed, hour in gathered.execute("SELECT number, stream, hour FROM recordings"):
        for path in _candidates(Recording(_unpacked(packed), hour), above):
            taken = gathered.execute(
                "INSERT OR IGNORE INTO names VALUES (?, ?, ?)",
                (f"{path}{suffix}".casefold(), number, f"{path}{suffix}"),
            )
            if taken.rowcount:
                break
    gathered.execute("COMMIT")


def _shared_folders(gathered: sqlite3.Connection) -> int:
    """Count the leading folders that all files have in common."""
    shared: tuple[str, ...] | None = None
    for (packed,) in gathered.execute("SELECT stream FROM recordings WHERE hour = ''"):
        folders = PurePosixPath(_unpacked(packed)).parts[:-1]
        if shared is None:
            shared = folders
        pairs = zip(shared, folders, strict=False)
        shared = tuple(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return len(shared or ())


def _candidates(recording: Recording, above: int) -> Iterator[str]:
    """Yield ever longer paths for a recording's table, without its suffix."""
    if recording.hour:
        folder, name = "", _safe(f"{recording.stream}_{recording.hour}")
    else:
        *folders, last = PurePosixPath(recording.stream).parts[above:] or [recording.stream]
        folder = "".join(f"{_safe(part)}/" for part in folders)
        yield folder + _safe(PurePosixPath(last).stem)
        name = _safe(last)
    yield folder + name
    for number in count(2):
        yield f"{folder}{name}~{number}"


def _safe(name: str) -> str:
    """Make one part of a path of a name: no folder above, no sign that a memory card refuses."""
    safe = _REFUSED.sub("_", as_text(name)).rstrip(". ") or "_"
    text = safe.encode("utf-8")
    if len(text) <= _NAME_BYTES:
        return safe
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{text[:_NAME_BYTES].decode('utf-8', 'ignore')}~{mark}"


def _packed(stream: str) -> bytes:
    """Write a path as SQLite can keep it, bytes that are no text and all."""
    return stream.encode("utf-8", "surrogatepass")


def _unpacked(stream: bytes) -> str:
    return stream.decode("utf-8", "surrogatepass")


_TABLES = """
CREATE TABLE recordings (number INTEGER PRIMARY KEY, stream BLOB, hour TEXT, UNIQUE (stream, hour));
CREATE TABLE names (key TEXT PRIMARY KEY, number INTEGER UNIQUE, name TEXT) WITHOUT ROWID;
CREATE TABLE spots (
    recording INTEGER, start_s REAL, entry INTEGER, end_s REAL, label TEXT, confidence REAL,
    PRIMARY KEY (recording, start_s, entry)
) WITHOUT ROWID;
"""
_NUMBER = "SELECT number FROM recordings WHERE stream = ? AND hour = ?"
_NAMED = "SELECT number, stream, hour, name FROM recordings JOIN names USING (number) ORDER BY 2, 3"
_SPOTS = (
    "SELECT start_s, end_s, label, confidence FROM spots WHERE recording = ? "
    "ORDER BY start_s, entry"
)
_REFUSED = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_NAME_BYTES = 180
_ROWS_AT_ONCE = 10_000

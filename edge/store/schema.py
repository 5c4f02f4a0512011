"""The tables of the store, and how its file is opened.

A page is 512 bytes. A commit appends each page it changed to the write-ahead log with a header of
24 bytes, so a window in which nothing was heard, which changes its stream's row and nothing else,
costs 539 bytes with all that goes with it: 0.39 MB for the 720 windows of an hour. With pages of
4 096 bytes it would be 3.0 MB. Where every window has a detection an hour costs 0.88 MB. An index
of detections by time would make that 1.47 MB, and to read through a million without one takes
0.1 s, so there is none. `tests/store/test_bytes.py` prints these figures.
"""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

APPLICATION_ID = 0x65646765
"""`edge`, at offset 68 of the file."""

VERSION = 1
"""Of these tables; in `user_version`."""

PAGE_BYTES = 512

_BUSY_S = 1.0
_CACHE_KIB = 2048
_WAL_BYTES = 1 << 20

_TABLES = (
    """CREATE TABLE sources (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT""",
    """CREATE TABLE models (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT""",
    """CREATE TABLE labels (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT""",
    """CREATE TABLE reasons (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT""",
    # Numbers that were given out stay given out when their rows are gone.
    """CREATE TABLE numbers (name TEXT PRIMARY KEY, highest INTEGER NOT NULL)
       STRICT, WITHOUT ROWID""",
    """CREATE TABLE runs (
        run INTEGER PRIMARY KEY,
        pid INTEGER NOT NULL,
        began_us INTEGER NOT NULL, -- by the clock as it was set last
        ended_us INTEGER, -- empty until the clean end
        first_stream INTEGER NOT NULL -- the first number that it could give
    ) STRICT""",
    # The range that still grows is kept here, so that a window changes one page.
    """CREATE TABLE streams (
        stream INTEGER PRIMARY KEY,
        run INTEGER NOT NULL,
        source INTEGER NOT NULL,
        sample_rate_hz INTEGER NOT NULL,
        started_us INTEGER NOT NULL,
        time_source TEXT NOT NULL,
        received INTEGER NOT NULL DEFAULT 0,
        accounted INTEGER NOT NULL DEFAULT 0, -- of those received
        removed INTEGER NOT NULL DEFAULT 0, -- of those accounted for, by retention
        end_sample INTEGER NOT NULL DEFAULT 0, -- up to which windows have their outcome
        last_number INTEGER NOT NULL DEFAULT 0, -- of its detections
        drift_ppm INTEGER, -- how much faster than its rate it comes
        open_start INTEGER,
        open_received INTEGER,
        open_windows INTEGER,
        open_state TEXT,
        open_reason INTEGER,
        open_model INTEGER
    ) STRICT""",
    # A file is a stream too: one series of numbers for both.
    """CREATE TABLE files (
        stream INTEGER PRIMARY KEY,
        source INTEGER NOT NULL,
        path TEXT NOT NULL,
        path_key INTEGER NOT NULL, -- paths are long, and an index of them would be as large again
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        fingerprint BLOB, -- the cards of two recorders may agree in all before it
        sha256 BLOB,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        sample_rate_hz INTEGER NOT NULL,
        samples INTEGER NOT NULL, -- as the file has it
        received INTEGER NOT NULL, -- in its ranges
        started_us INTEGER,
        time_source TEXT NOT NULL,
        notes TEXT NOT NULL,
        done_us INTEGER NOT NULL,
        removed INTEGER NOT NULL DEFAULT 0,
        last_number INTEGER NOT NULL DEFAULT 0
    ) STRICT""",
    """CREATE INDEX files_by_path ON files (path_key)""",
    """CREATE INDEX files_by_content ON files (sha256) WHERE sha256 IS NOT NULL""",
    """CREATE TABLE windows (
        stream INTEGER NOT NULL,
        start_sample INTEGER NOT NULL,
        end_sample INTEGER NOT NULL,
        received INTEGER NOT NULL,
        windows INTEGER NOT NULL,
        state TEXT NOT NULL,
        reason INTEGER NOT NULL,
        model INTEGER NOT NULL,
        PRIMARY KEY (stream, start_sample)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE detections (
        number INTEGER PRIMARY KEY,
        stream INTEGER NOT NULL,
        start_s REAL NOT NULL,
        end_s REAL NOT NULL,
        at_us INTEGER NOT NULL,
        label INTEGER NOT NULL,
        confidence REAL NOT NULL,
        model INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE anchors (
        stream INTEGER NOT NULL,
        sample INTEGER NOT NULL,
        at_us INTEGER NOT NULL,
        reason TEXT NOT NULL
    ) STRICT""",
    """CREATE INDEX anchors_by_stream ON anchors (stream)""",
    """CREATE TABLE faults (
        fault INTEGER PRIMARY KEY,
        place TEXT NOT NULL,
        what TEXT NOT NULL,
        remedy TEXT NOT NULL,
        since_us INTEGER NOT NULL,
        last_us INTEGER NOT NULL,
        until_us INTEGER,
        count INTEGER NOT NULL
    ) STRICT""",
    """CREATE INDEX faults_open ON faults (place) WHERE until_us IS NULL""",
    """CREATE TABLE model_changes (
        change INTEGER PRIMARY KEY,
        at_us INTEGER NOT NULL,
        before TEXT NOT NULL,
        after TEXT NOT NULL,
        failed TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE deliveries (
        sink TEXT PRIMARY KEY,
        number INTEGER NOT NULL,
        position TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
    """CREATE VIEW window_ranges AS
        SELECT w.stream, w.start_sample, w.end_sample, w.received, w.windows, w.state,
               r.name AS reason, m.name AS model
        FROM windows w JOIN reasons r ON r.id = w.reason JOIN models m ON m.id = w.model
        UNION ALL
        SELECT s.stream, s.open_start, s.end_sample, s.open_received, s.open_windows, s.open_state,
               r.name, m.name
        FROM streams s JOIN reasons r ON r.id = s.open_reason JOIN models m ON m.id = s.open_model
    """,
    # A stream's time is counted from its last anchor, where the clock was stepped, or its start.
    """CREATE VIEW stream_ends AS
        SELECT s.stream, iif(s.end_sample = 0, NULL, coalesce(
            (SELECT a.at_us + (s.end_sample - a.sample) * 1000000 / s.sample_rate_hz
             FROM anchors a WHERE a.stream = s.stream AND a.sample <= s.end_sample
             ORDER BY a.sample DESC, a.rowid DESC LIMIT 1),
            s.started_us + s.end_sample * 1000000 / s.sample_rate_hz)) AS end_us
        FROM streams s
    """,
    """CREATE VIEW heard AS
        SELECT d.number, o.name AS source, coalesce(f.path, o.name) AS stream, d.start_s, d.end_s,
               d.at_us, coalesce(f.time_source, s.time_source) AS time_source, l.name AS label,
               d.confidence, m.name AS model
        FROM detections d
        LEFT JOIN streams s ON s.stream = d.stream
        LEFT JOIN files f ON f.stream = d.stream
        JOIN sources o ON o.id = coalesce(f.source, s.source)
        JOIN labels l ON l.id = d.label
        JOIN models m ON m.id = d.model
    """,
)


def connect(path: Path) -> sqlite3.Connection:
    """Open the file for the one that writes, reading nothing yet.

    Transactions are begun by hand, from any thread.
    """
    connection = sqlite3.connect(
        path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def connect_read_only(path: Path, *, immutable: bool = False) -> sqlite3.Connection:
    """Open the file without ever writing to it; `immutable` also ignores its write-ahead log."""
    uri = f"file:{quote(str(path.absolute()))}?mode=ro{'&immutable=1' if immutable else ''}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA query_only = ON")
    return connection


def is_empty(connection: sqlite3.Connection) -> bool:
    """Tell whether the file holds nothing yet, also where its creation was interrupted."""
    return bool(connection.execute("PRAGMA page_count").fetchone()[0] == 0)


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables of an empty file, whole or not at all, and set how it is written."""
    if is_empty(connection):
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("BEGIN")
        # Outside the transaction it would write the first page at once, and on its own.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute("COMMIT")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")


def to_us(at: datetime) -> int:
    """Give an aware time as microseconds since 1970, UTC.

    Raises:
        ValueError: It has no zone.
    """
    if at.tzinfo is None:
        raise ValueError(f"a time without its zone: {at.isoformat()}")
    return (at - _EPOCH) // _MICROSECOND


def from_us(at_us: int) -> datetime:
    """Give microseconds since 1970 as a time in UTC."""
    return _EPOCH + timedelta(microseconds=at_us)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

"""Entries into rows, inside the transaction of whoever calls."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from hashlib import blake2b

from edge.contracts import WindowState
from edge.store.accounting import LiveStream, lost_range, merged
from edge.store.entries import (
    Anchored,
    Entry,
    FaultEnded,
    FaultSeen,
    FileDone,
    FileState,
    Heard,
    ModelChanged,
    StreamOpened,
    WindowRange,
    WindowsDone,
)
from edge.store.schema import to_us

ENDED_EARLY = "the program ended before they were scored"
"""The reason of windows whose samples were received by a run that did not come to score them."""


class Rows:
    """Writes through one connection, and gives streams and detections their numbers."""

    def __init__(
        self, connection: sqlite3.Connection, *, next_stream: int = 1, next_number: int = 1
    ) -> None:
        self._connection = connection
        self.run = 0
        self.first_stream = next_stream
        self.next_stream = next_stream
        self.next_number = next_number
        self._ids: dict[tuple[str, str], int] = {}

    def go_on(self) -> None:
        """Go on with the numbers where the rows that are there end."""
        self.first_stream = 1 + self._highest("streams", _HIGHEST_STREAM)
        self.next_stream = max(self.next_stream, self.first_stream)
        self.next_number = max(self.next_number, 1 + self._highest("detections", _HIGHEST_NUMBER))

    def move_to(self, connection: sqlite3.Connection) -> None:
        """Write by another connection, to a file with the same rows."""
        self._connection = connection

    def begin_run(self, pid: int, at: datetime) -> None:
        """Note that the program began."""
        row = self._connection.execute(
            "INSERT INTO runs (pid, began_us, first_stream) VALUES (?, ?, ?)",
            (pid, to_us(at), self.first_stream),
        )
        self.run = row.lastrowid or 0

    def set_beginning(self, at: datetime) -> None:
        """Correct when the program began, where the clock was set since."""
        self._connection.execute(
            "UPDATE runs SET began_us = ?1 WHERE run = ?2 AND began_us != ?1", (to_us(at), self.run)
        )

    def end_run(self, at: datetime) -> None:
        """Note that the program ended as it should."""
        self._connection.execute(
            "UPDATE runs SET ended_us = ? WHERE run = ?", (to_us(at), self.run)
        )

    def settle(self) -> list[tuple[str, int]]:
        """Account for samples that no run will score any more.

        Returns:
            Of each stream that had some, the source and how many.
        """
        left = self._connection.execute(
            "SELECT s.stream, o.name, s.sample_rate_hz, s.end_sample, s.received, s.accounted "
            "FROM streams s JOIN sources o ON o.id = s.source WHERE s.received > s.accounted"
        ).fetchall()
        for stream, _, rate_hz, end, received, accounted in left:
            lost = lost_range(end, received - accounted, rate_hz, ENDED_EARLY)
            self._windows(WindowsDone(stream, received, (lost,)))
        return [(source, received - accounted) for _, source, _, _, received, accounted in left]

    def carry_on(self, live: LiveStream, *, end_sample: int, accounted: int) -> None:
        """Take up a stream whose earlier ranges were in a file that is set aside."""
        self._opened(live.opened)
        self._connection.execute(
            "UPDATE streams SET received = ?1, accounted = ?1, removed = ?1, end_sample = ?2 "
            "WHERE stream = ?3",
            (accounted, end_sample, live.opened.stream),
        )

    def vacate(self, streams: Iterable[int]) -> None:
        """Give other numbers to rows that bear those of this run, in a store that came back."""
        for stream in streams:
            taken = self._connection.execute(_TAKEN, (stream,)).fetchone()
            if taken is None:
                continue
            for renumber in _RENUMBER:
                self._connection.execute(renumber, (self.next_stream, stream))
            self.next_stream += 1

    def put(self, entry: Entry, at: datetime) -> None:
        """Write one entry.

        Args:
            entry: One that the ledger has checked.
            at: The time now, UTC.
        """
        match entry:
            case StreamOpened():
                self._opened(entry)
            case WindowsDone():
                self._windows(entry)
            case FileDone():
                self._file(entry, at)
            case Anchored():
                self._connection.execute(
                    "INSERT INTO anchors VALUES (?, ?, ?, ?)",
                    (entry.stream, entry.sample, to_us(entry.at), clean(entry.reason)),
                )
            case FaultSeen():
                self._fault(entry)
            case FaultEnded():
                self._connection.execute(
                    "UPDATE faults SET until_us = ? WHERE place = ? AND until_us IS NULL",
                    (to_us(entry.at), clean(entry.where)),
                )
            case ModelChanged():
                self._connection.execute(
                    "INSERT INTO model_changes (at_us, before, after, failed) VALUES (?, ?, ?, ?)",
                    (to_us(entry.at), *map(clean, (entry.before, entry.after, entry.failed))),
                )

    def put_cursor(self, sink: str, number: int, position: str) -> None:
        """Write how far a sink has come."""
        self._connection.execute(
            "INSERT INTO deliveries VALUES (?, ?, ?) ON CONFLICT (sink) "
            "DO UPDATE SET number = excluded.number, position = excluded.position",
            (clean(sink), number, clean(position)),
        )

    def keep_numbers(self) -> None:
        """Write which numbers were given, before rows that bear them are deleted."""
        self._connection.executemany(
            "INSERT INTO numbers VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET highest = excluded.highest",
            [("streams", self.next_stream - 1), ("detections", self.next_number - 1)],
        )

    def undone(self, next_number: int) -> None:
        """Forget what a transaction did that was rolled back."""
        self._ids.clear()
        self.next_number = next_number

    def _highest(self, name: str, query: str) -> int:
        kept = self._connection.execute(
            "SELECT highest FROM numbers WHERE name = ?", (name,)
        ).fetchone()
        found = self._connection.execute(query).fetchone()[0]
        return max(found or 0, kept[0] if kept else 0)

    def _opened(self, entry: StreamOpened) -> None:
        self._connection.execute(
            "INSERT INTO streams (stream, run, source, sample_rate_hz, started_us, time_source) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (
                entry.stream,
                self.run,
                self._id("source", entry.source),
                entry.sample_rate_hz,
                to_us(entry.started_at),
                clean(entry.time_source),
            ),
        )

    def _windows(self, entry: WindowsDone) -> None:
        last_number = self._heard(entry.stream, entry.heard)
        row = self._connection.execute(_OPEN_RANGE, (entry.stream,)).fetchone()
        before = []
        if row is not None:
            start, end, received, windows, state, reason, model = row
            before = [WindowRange(start, end, received, windows, WindowState(state), reason, model)]
        ranges = merged([*before, *entry.ranges])
        self._ranges(entry.stream, ranges[:-1])
        self._connection.execute(
            "UPDATE streams SET received = ?, accounted = accounted + ?, "
            "last_number = max(last_number, ?), drift_ppm = coalesce(?, drift_ppm) "
            "WHERE stream = ?",
            (
                entry.received_samples,
                sum(done.received for done in entry.ranges),
                last_number,
                entry.drift_ppm,
                entry.stream,
            ),
        )
        if ranges:
            last = ranges[-1]
            self._connection.execute(
                "UPDATE streams SET end_sample = ?, open_start = ?, open_received = ?, "
                "open_windows = ?, open_state = ?, open_reason = ?, open_model = ? "
                "WHERE stream = ?",
                (
                    last.end_sample,
                    last.start_sample,
                    last.received,
                    last.windows,
                    last.state,
                    self._id("reason", last.reason),
                    self._id("model", last.model),
                    entry.stream,
                ),
            )

    def _file(self, entry: FileDone, at: datetime) -> None:
        stream = self.next_stream
        self.next_stream += 1
        last_number = self._heard(stream, entry.heard)
        self._ranges(stream, merged(entry.ranges))
        path = clean(entry.path)
        self._connection.execute(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
            (
                stream,
                self._id("source", entry.source),
                path,
                path_key(path),
                entry.size,
                entry.mtime_ns,
                bytes.fromhex(entry.fingerprint) or None,
                bytes.fromhex(entry.sha256) or None,
                FileState(entry.state),
                clean(entry.reason),
                entry.sample_rate_hz,
                entry.samples,
                sum(done.received for done in entry.ranges),
                None if entry.started_at is None else to_us(entry.started_at),
                clean(entry.time_source),
                clean(entry.notes),
                to_us(at),
                last_number,
            ),
        )

    def _ranges(self, stream: int, ranges: Iterable[WindowRange]) -> None:
        self._connection.executemany(
            "INSERT INTO windows VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    stream,
                    done.start_sample,
                    done.end_sample,
                    done.received,
                    done.windows,
                    done.state,
                    self._id("reason", done.reason),
                    self._id("model", done.model),
                )
                for done in ranges
            ],
        )

    def _heard(self, stream: int, heard: Iterable[Heard]) -> int:
        """Write detections; return the last one's number, 0 where there is none."""
        last = 0
        for one in heard:
            last = self.next_number
            self.next_number += 1
            self._connection.execute(
                "INSERT INTO detections VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    last,
                    stream,
                    one.start_s,
                    one.end_s,
                    to_us(one.at),
                    self._id("label", one.label),
                    one.confidence,
                    self._id("model", one.model),
                ),
            )
        return last

    def _fault(self, entry: FaultSeen) -> None:
        place, what, remedy = map(clean, (entry.where, entry.what, entry.remedy))
        again = self._connection.execute(
            "UPDATE faults SET count = count + 1, last_us = ?, remedy = ? "
            "WHERE place = ? AND what = ? AND until_us IS NULL",
            (to_us(entry.at), remedy, place, what),
        )
        if again.rowcount == 0:
            self._connection.execute(
                "INSERT INTO faults (place, what, remedy, since_us, last_us, count) "
                "VALUES (?1, ?2, ?3, ?4, ?4, 1)",
                (place, what, remedy, to_us(entry.at)),
            )

    def _id(self, kind: str, name: str) -> int:
        """Find the number that stands for a name that comes again and again."""
        name = clean(name)
        found = self._ids.get((kind, name))
        if found is None:
            select, insert = _NAMES[kind]
            row = self._connection.execute(select, (name,)).fetchone()
            found = row[0] if row else self._connection.execute(insert, (name,)).lastrowid or 0
            if len(self._ids) == _MOST_IDS:
                self._ids.clear()
            self._ids[kind, name] = found
        return found


def clean(text: str) -> str:
    r"""Make text storable: bytes of a file's name that are no UTF-8 are spelt out, as `\udcXX`."""
    return text.encode("utf-8", "backslashreplace").decode()


def path_key(path: str) -> int:
    """Give the 64 bits by which a cleaned path is found."""
    return int.from_bytes(blake2b(path.encode(), digest_size=8).digest(), "big", signed=True)


_MOST_IDS = 20_000
_HIGHEST_STREAM = (
    "SELECT max(stream) FROM (SELECT max(stream) AS stream FROM streams "
    "UNION ALL SELECT max(stream) FROM files)"
)
_RENUMBER = (
    "UPDATE streams SET stream = ? WHERE stream = ?",
    "UPDATE files SET stream = ? WHERE stream = ?",
    "UPDATE windows SET stream = ? WHERE stream = ?",
    "UPDATE detections SET stream = ? WHERE stream = ?",
    "UPDATE anchors SET stream = ? WHERE stream = ?",
)
_TAKEN = "SELECT 1 FROM streams WHERE stream = ?1 UNION ALL SELECT 1 FROM files WHERE stream = ?1"
_HIGHEST_NUMBER = "SELECT max(number) FROM detections"
_OPEN_RANGE = (
    "SELECT s.open_start, s.end_sample, s.open_received, s.open_windows, s.open_state, r.name, "
    "m.name FROM streams s JOIN reasons r ON r.id = s.open_reason "
    "JOIN models m ON m.id = s.open_model WHERE s.stream = ?"
)
_NAMES = {
    "source": (
        "SELECT id FROM sources WHERE name = ?",
        "INSERT INTO sources (name) VALUES (?)",
    ),
    "model": ("SELECT id FROM models WHERE name = ?", "INSERT INTO models (name) VALUES (?)"),
    "label": ("SELECT id FROM labels WHERE name = ?", "INSERT INTO labels (name) VALUES (?)"),
    "reason": (
        "SELECT id FROM reasons WHERE name = ?",
        "INSERT INTO reasons (name) VALUES (?)",
    ),
}

"""What a store says of the daemon that writes it, or that did."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from edge.contracts import WindowState
from edge.store.entries import FileState
from edge.store.lock import Holder
from edge.store.schema import from_us


@dataclass(frozen=True, slots=True)
class WindowCount:
    """Windows that share state and reason."""

    state: WindowState
    reason: str
    windows: int
    samples: int
    """Of those received."""


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """The last stream of a live source, or an earlier one that still has samples in flight."""

    stream: int
    source: str
    sample_rate_hz: int
    started_at: datetime
    """UTC time of sample 0."""
    received: int
    """Samples."""
    accounted: int
    """Samples in windows that have their outcome, those included that retention removed."""
    last_window_end: datetime | None
    """UTC; None before the first window."""
    drift_ppm: int | None
    """How much faster than it claims its sound comes, in parts per million, once known."""

    @property
    def in_flight(self) -> int:
        """Samples received whose windows have no outcome yet."""
        return self.received - self.accounted


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """All that came through one source, as far as it is still in the store."""

    source: str
    received: int
    """Samples."""
    accounted: int
    """Samples in windows that have their outcome, those included that retention removed."""
    removed: int
    """Of those accounted for, samples whose windows retention removed."""
    windows: tuple[WindowCount, ...]
    files: Mapping[FileState, int]

    @property
    def in_flight(self) -> int:
        """Samples received whose windows have no outcome yet."""
        return self.received - self.accounted


@dataclass(frozen=True, slots=True)
class FaultStatus:
    """Something that is wrong now."""

    where: str
    what: str
    remedy: str
    since: datetime
    last: datetime
    count: int


@dataclass(frozen=True, slots=True)
class ModelChangeStatus:
    """A change of model, or one that failed."""

    at: datetime
    before: str
    after: str
    failed: str
    """Why the one before goes on; empty where it does not."""


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """What the store knows, as of one instant; times are UTC."""

    running: bool
    """Whether a process writes to it now."""
    pid: int | None
    """Of that process, or of the last one; None where it is not known."""
    trouble: str
    """What keeps the running one from writing; empty when nothing does."""
    began_at: datetime | None
    ended_at: datetime | None
    """When the last run ended; None while it runs, and where it did not end as it should."""
    last_window_end: datetime | None
    """Of all streams and files, the latest audio that has its outcome."""
    streams: tuple[StreamStatus, ...]
    sources: tuple[SourceStatus, ...]
    detections: int
    last_number: int
    """Of the newest detection; 0 where there is none."""
    faults: tuple[FaultStatus, ...]
    """Those that are open, the newest first, at most 100."""
    open_faults: int
    model: str | None
    model_changes: tuple[ModelChangeStatus, ...]
    """The last ten, the newest first."""
    deliveries: Mapping[str, int]
    """Sink to the number of the last detection that it has."""
    size_bytes: int
    """Of the database and its write-ahead log."""
    last_file_done: datetime | None
    """When the last recording that was scored was done."""
    last_file_started: datetime | None
    """When that recording begins; None where it does not say."""


def read_status(
    connection: sqlite3.Connection, held: Holder | None, size_bytes: int
) -> StoreStatus:
    """Read all of it; the caller holds a transaction, so that the sums agree."""
    run = connection.execute(_LAST_RUN).fetchone()
    pid = run[0] if run else None
    streams = tuple(
        StreamStatus(stream, source, rate_hz, from_us(started), got, accounted, _time(end), ppm)
        for stream, source, rate_hz, started, got, accounted, end, ppm in connection.execute(
            _STREAMS
        )
    )
    number, count = connection.execute("SELECT max(number), count(*) FROM detections").fetchone()
    model = connection.execute(_MODEL).fetchone()
    file_done, file_started = connection.execute(_LAST_FILE).fetchone() or (None, None)
    return StoreStatus(
        running=held is not None,
        pid=(held.pid or pid) if held is not None else pid,
        trouble=held.trouble if held is not None else "",
        began_at=_time(run[1]) if run else None,
        ended_at=_time(run[2]) if run else None,
        last_window_end=_time(connection.execute(_LAST_END).fetchone()[0]),
        streams=streams,
        sources=_sources(connection),
        detections=count,
        last_number=number or 0,
        faults=tuple(
            FaultStatus(where, what, remedy, from_us(since), from_us(last), count)
            for where, what, remedy, since, last, count in connection.execute(_FAULTS)
        ),
        open_faults=connection.execute(_OPEN_FAULTS).fetchone()[0],
        model=model[0] if model else None,
        model_changes=tuple(
            ModelChangeStatus(from_us(at), before, after, failed)
            for at, before, after, failed in connection.execute(_CHANGES)
        ),
        deliveries=dict(connection.execute("SELECT sink, number FROM deliveries").fetchall()),
        size_bytes=size_bytes,
        last_file_done=_time(file_done),
        last_file_started=_time(file_started),
    )


def _sources(connection: sqlite3.Connection) -> tuple[SourceStatus, ...]:
    sums = connection.execute(_SOURCE_SUMS).fetchall()
    counts: dict[str, list[WindowCount]] = {}
    for source, state, reason, windows, samples in connection.execute(_COUNTS):
        count = WindowCount(WindowState(state), reason, windows, samples)
        counts.setdefault(source, []).append(count)
    files: dict[str, dict[FileState, int]] = {}
    for source, state, count in connection.execute(_FILE_COUNTS):
        files.setdefault(source, {})[FileState(state)] = count
    return tuple(
        SourceStatus(
            source,
            received,
            # Summed anew from the ranges: this is what shows that the account is right.
            removed + sum(count.samples for count in counts.get(source, [])),
            removed,
            tuple(counts.get(source, [])),
            files.get(source, {}),
        )
        for source, received, removed in sums
    )


def _time(at_us: int | None) -> datetime | None:
    return None if at_us is None else from_us(at_us)


_LAST_RUN = "SELECT pid, began_us, ended_us FROM runs ORDER BY run DESC LIMIT 1"
_STREAMS = (
    "SELECT s.stream, o.name, s.sample_rate_hz, s.started_us, s.received, "
    "s.removed + coalesce((SELECT sum(w.received) FROM window_ranges w "
    "WHERE w.stream = s.stream), 0), e.end_us, s.drift_ppm "
    "FROM streams s JOIN sources o ON o.id = s.source JOIN stream_ends e ON e.stream = s.stream "
    "WHERE s.received > s.accounted "
    "OR s.stream IN (SELECT max(stream) FROM streams GROUP BY source) ORDER BY s.stream"
)
_LAST_END = (
    "SELECT max(end_us) FROM (SELECT end_us FROM stream_ends UNION ALL "
    "SELECT started_us + samples * 1000000 / sample_rate_hz FROM files WHERE sample_rate_hz > 0)"
)
_LAST_FILE = (
    "SELECT done_us, started_us FROM files WHERE state IN ('done', 'unheard') "
    "ORDER BY stream DESC LIMIT 1"
)
_SOURCE_SUMS = (
    "SELECT o.name, sum(t.received), sum(t.removed) FROM "
    "(SELECT source, received, removed FROM streams "
    "UNION ALL SELECT source, received, removed FROM files) t "
    "JOIN sources o ON o.id = t.source GROUP BY o.name ORDER BY o.name"
)
_COUNTS = (
    "SELECT o.name, w.state, w.reason, sum(w.windows), sum(w.received) FROM window_ranges w "
    "LEFT JOIN files f ON f.stream = w.stream LEFT JOIN streams s ON s.stream = w.stream "
    "JOIN sources o ON o.id = coalesce(f.source, s.source) "
    "GROUP BY o.name, w.state, w.reason ORDER BY o.name, w.state, w.reason"
)
_FILE_COUNTS = (
    "SELECT o.name, f.state, count(*) FROM files f JOIN sources o ON o.id = f.source "
    "GROUP BY o.name, f.state ORDER BY o.name, f.state"
)
_FAULTS = (
    "SELECT place, what, remedy, since_us, last_us, count FROM faults "
    "WHERE until_us IS NULL ORDER BY fault DESC LIMIT 100"
)
_OPEN_FAULTS = "SELECT count(*) FROM faults WHERE until_us IS NULL"
_MODEL = "SELECT after FROM model_changes WHERE failed = '' ORDER BY change DESC LIMIT 1"
_CHANGES = "SELECT at_us, before, after, failed FROM model_changes ORDER BY change DESC LIMIT 10"

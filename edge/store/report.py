"""The status of a store, for people and for programs."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from edge.contracts import WindowState
from edge.store.status import FaultStatus, StoreStatus


def as_json(status: StoreStatus, *, now: datetime) -> dict[str, Any]:
    """Return all of a status as JSON's types; times are ISO 8601 in UTC."""
    found: dict[str, Any] = _plain(asdict(status))
    end = status.last_window_end
    found["lag_s"] = (now - end).total_seconds() if end else None
    found["in_flight"] = {source.source: source.in_flight for source in status.sources}
    return found


def as_text(
    status: StoreStatus, *, now: datetime, listened_to: Mapping[str, str] | None = None
) -> str:
    """Return a page about a status, for a terminal.

    Args:
        status: What the store says.
        now: The time, UTC.
        listened_to: Where each source of the configuration gets its sound, by its name.
    """
    listened_to = listened_to or {}
    lines = [f"daemon     {_daemon(status, now)}", f"model      {status.model or 'none yet'}"]
    lines += _last(status, now)
    lines.append(f"detections {status.detections}, store {status.size_bytes / 1e6:.1f} MB")
    for source in status.sources:
        states = ", ".join(
            f"{sum(c.windows for c in source.windows if c.state is state)} {state.value}"
            for state in WindowState
            if any(c.state is state for c in source.windows)
        )
        lines += ["", f"source {source.source}: {states or 'no windows yet'}"]
        lines += _origin(source.source, listened_to)
        lines.append(
            f"  samples  {source.received} received, {source.accounted} accounted for, "
            f"{source.in_flight} on their way"
        )
        drifts = [
            live.drift_ppm
            for live in status.streams
            if live.source == source.source and live.drift_ppm is not None
        ]
        if drifts:
            lines.append(f"  clock    {drifts[-1]:+d} ppm: so much faster than its rate it comes")
        if source.files:
            files = ", ".join(f"{count} {state.value}" for state, count in source.files.items())
            lines.append(f"  files    {files}")
        lines += [
            f"  {count.state.value:<9}{count.windows} windows: {count.reason}"
            for count in source.windows
            if count.reason
        ]
    for name in listened_to:
        if all(name != source.source for source in status.sources):
            lines += ["", f"source {name}: nothing yet", *_origin(name, listened_to)]
    for sink, number in status.deliveries.items():
        lines.append(f"sink {sink}: has {number} of {status.last_number}")
    lines.append("")
    lines += [_fault_line(status)]
    for fault in status.faults:
        lines += _fault(fault)
    for change in status.model_changes[:3]:
        what = f"{change.before or 'nothing'} -> {change.after}"
        failed = f", which failed: {change.failed}" if change.failed else ""
        lines.append(f"switched   {_moment(change.at)}  {what}{failed}")
    return "\n".join(lines)


def _daemon(status: StoreStatus, now: datetime) -> str:
    if status.running:
        trouble = f"; {status.trouble}" if status.trouble else ""
        since = f" since {_moment(status.began_at)}" if status.began_at else ""
        return f"runs, process {status.pid}{since}{trouble}"
    if status.ended_at is not None:
        return f"not running: stopped as it should {_ago(status.ended_at, now)}"
    if status.began_at is not None:
        return f"not running: the run of {_moment(status.began_at)} did not end as it should"
    return "not running"


def _last(status: StoreStatus, now: datetime) -> list[str]:
    """Say when something was last heard: of recordings, their own time may be long ago."""
    lines = []
    ends = [live.last_window_end for live in status.streams if live.last_window_end is not None]
    if ends:
        lines.append(f"last       window until {_moment(max(ends))}, {_ago(max(ends), now)}")
    at, of = status.last_file_done, status.last_file_started
    if at is not None:
        sound = f"its sound is of {of:%Y-%m-%d}" if of is not None else "of when, it does not say"
        lines.append(f"last       recording scored {_moment(at)}, {_ago(at, now)}; {sound}")
    return lines


def _origin(source: str, listened_to: Mapping[str, str]) -> list[str]:
    return [f"  from     {listened_to[source]}"] if source in listened_to else []


def _fault(fault: FaultStatus) -> list[str]:
    again = f", {fault.count} times" if fault.count > 1 else ""
    # What a program said of itself comes with the remedy: of every failure it may be another.
    remedy, *said = fault.remedy.split("\n")
    return [
        f"  {fault.where}: {fault.what}",
        f"    since {_moment(fault.since)}{again}",
        *(f"    {'  ' if number else ''}{line}" for number, line in enumerate(said)),
        *([f"    remedy: {remedy}"] if remedy else []),
    ]


def _fault_line(status: StoreStatus) -> str:
    if not status.open_faults:
        return "faults     none"
    return f"faults     {status.open_faults} open"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _ago(at: datetime, now: datetime) -> str:
    away = now - at
    if away < timedelta(0):
        return "in the future: see to the clocks"
    if away < timedelta(minutes=2):
        return f"{away.total_seconds():.0f} s ago"
    if away < timedelta(hours=2):
        return f"{away.total_seconds() / 60:.0f} min ago"
    if away < timedelta(days=2):
        return f"{away.total_seconds() / 3600:.0f} h ago"
    return f"{away.days} days ago"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value

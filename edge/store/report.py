"""The status of a store, for people and for programs."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from edge.contracts import WindowState
from edge.store.status import StoreStatus


def as_json(status: StoreStatus, *, now: datetime) -> dict[str, Any]:
    """Return all of a status as JSON's types; times are ISO 8601 in UTC."""
    found: dict[str, Any] = _plain(asdict(status))
    end = status.last_window_end
    found["lag_s"] = (now - end).total_seconds() if end else None
    found["in_flight"] = {source.source: source.in_flight for source in status.sources}
    return found


def as_text(status: StoreStatus, *, now: datetime) -> str:
    """Return a page about a status, for a terminal."""
    lines = [f"daemon     {_daemon(status, now)}", f"model      {status.model or 'none yet'}"]
    end = status.last_window_end
    if end is not None:
        lines.append(f"last       window until {end:%Y-%m-%d %H:%M:%S} UTC, {_ago(end, now)}")
    lines.append(f"detections {status.detections}, store {status.size_bytes / 1e6:.1f} MB")
    for source in status.sources:
        states = ", ".join(
            f"{sum(c.windows for c in source.windows if c.state is state)} {state.value}"
            for state in WindowState
            if any(c.state is state for c in source.windows)
        )
        lines += ["", f"source {source.source}: {states or 'no windows yet'}"]
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
    for sink, number in status.deliveries.items():
        lines.append(f"sink {sink}: has {number} of {status.last_number}")
    lines.append("")
    lines += [_fault_line(status)]
    for fault in status.faults:
        again = f", {fault.count} times" if fault.count > 1 else ""
        lines.append(f"  {fault.where}: {fault.what}\n    since {_moment(fault.since)}{again}")
        if fault.remedy:
            lines.append(f"    remedy: {fault.remedy}")
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

"""The start of a recording in UTC, from the best of what is known of it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

from edge.recorder.audiomoth import parse_comment
from edge.recorder.guano import parse_guano
from edge.recorder.names import parse_name

PLAUSIBLE_YEARS = range(2001, 2101)
"""A clock that was never set counts from 1970, 1980 or 2000; no recorder here is older."""


class TimeSource(StrEnum):
    """What a recording's start was taken from, the best first."""

    GUANO = "guano"
    ICMT = "icmt"
    NAME = "name"
    MTIME = "mtime"


@dataclass(frozen=True, slots=True)
class Start:
    """When a recording began, and how that is known."""

    at: datetime
    """Time of the first sample, in UTC."""
    source: TimeSource
    ambiguous: bool = False
    """The recorder's local time occurred twice: the clocks were put back."""
    nonexistent: bool = False
    """The recorder's local time was skipped: the clocks were put forward."""
    plausible: bool = True
    """False where nothing better was left than a modification time that cannot be true."""
    note: str = ""
    """What was passed over or decided, and why, for the person who reads the row."""


def resolve_start(
    *,
    name: str,
    mtime_s: float,
    zone: tzinfo,
    guano: bytes | None = None,
    comment: bytes | None = None,
    duration_s: float | None = None,
    previous: datetime | None = None,
) -> Start:
    """Find when a recording began: by GUANO, else ICMT, else the name, else the modification time.

    A source that is damaged or whose year cannot be true is passed over with a note. Times in the
    future are not judged here: there is no clock.

    A local time that was skipped when the clocks were put forward is read as by a clock that was
    not: 02:30 in a gap from 02:00 to 03:00 is 03:30. One that occurred twice is the first, unless

    - `previous` lies at or after the first and before the second, or
    - the modification time is within ten minutes of the end of a recording begun at the second
      and `duration_s` long. A card whose FAT times are read in a wrong zone can mislead this.

    Args:
        name: The file's name.
        mtime_s: Its modification time, in Unix seconds. A recorder writes until it closes the
            file, so this is the recording's end, and the start is `duration_s` earlier.
        zone: The zone of the recorder's clock, used only where its metadata or name say none.
        guano: Content of the `guan` chunk.
        comment: Content of the RIFF INFO `ICMT`.
        duration_s: Length of the audio, in seconds; None where it is not known.
        previous: Start of an earlier file of the same recorder, aware.
    """
    ended_at = _later(_EPOCH, mtime_s)
    began_at = None
    if ended_at is not None and duration_s is not None and duration_s >= 0:
        began_at = _later(ended_at, -duration_s)
    notes: list[str] = []
    for source, said in (
        (TimeSource.GUANO, guano and _from_guano(guano)),
        (TimeSource.ICMT, comment and _from_comment(comment)),
        (TimeSource.NAME, _from_name(name)),
    ):
        if isinstance(said, datetime):
            if said.year in PLAUSIBLE_YEARS:
                return _in_utc(said, source, zone, _Hints(began_at, previous), notes)
            notes.append(f"{source}: {said.isoformat(sep=' ')} cannot be; was the clock set?")
        elif isinstance(said, str):
            notes.append(f"{source}: {said}")
    if began_at is None:
        notes.append("mtime: the length is not known, so this is when the recording ended")
    at = began_at or ended_at or _EPOCH
    plausible = at.year in PLAUSIBLE_YEARS
    if not plausible:
        notes.append(f"mtime: {at.isoformat(sep=' ')} cannot be; the start is not known")
    return Start(at, TimeSource.MTIME, plausible=plausible, note="; ".join(notes))


@dataclass(frozen=True, slots=True)
class _Hints:
    began_at: datetime | None
    """By the modification time and the duration."""
    previous: datetime | None

    def choose(self, first: datetime, second: datetime) -> tuple[datetime, str]:
        """Say which of two instants it was, and why."""
        if self.previous is not None and first <= self.previous < second:
            return second, "the second, because an earlier recording began after the first"
        if self.began_at is not None:
            for instant, word in ((first, "first"), (second, "second")):
                if abs(instant - self.began_at) <= _NEAR:
                    return instant, f"the {word}, by the modification time"
        return first, "the first"


def _in_utc(
    said: datetime, source: TimeSource, zone: tzinfo, hints: _Hints, notes: list[str]
) -> Start:
    if said.tzinfo is not None:
        return Start(said.astimezone(UTC), source, note="; ".join(notes))
    first = said.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = said.replace(tzinfo=zone, fold=1).astimezone(UTC)
    local = said.isoformat(sep=" ")
    # In a gap Python takes fold 0 at the offset before it, which is what a clock does that was
    # not put forward; the way back then gives another local time.
    if first.astimezone(zone).replace(tzinfo=None) != said:
        notes = [*notes, f"{local} was skipped in {zone}: read as by a clock not put forward"]
        return Start(first, source, nonexistent=True, note="; ".join(notes))
    if first == second:
        return Start(first, source, note="; ".join(notes))
    at, why = hints.choose(first, second)
    notes = [*notes, f"{local} occurred twice in {zone}: taken as {why}"]
    return Start(at, source, ambiguous=True, note="; ".join(notes))


def _from_guano(chunk: bytes) -> datetime | str:
    guano = parse_guano(chunk)
    if guano.timestamp is not None:
        return guano.timestamp
    written = guano.fields.get("Timestamp")
    return f"its Timestamp is no time: {written[:40]!r}" if written else "it has no Timestamp"


def _from_comment(comment: bytes) -> datetime | str:
    said = parse_comment(comment)
    return said.recorded_at if said else "the comment holds no time of an AudioMoth"


def _from_name(name: str) -> datetime | str:
    said = parse_name(name)
    return said.at if said else "no recorder's time in the file's name"


def _later(instant: datetime, seconds: float) -> datetime | None:
    try:
        return instant + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Less than half of the shortest repeated stretch, Lord Howe Island's half hour.
_NEAR = timedelta(minutes=10)

"""What a table says besides the detections themselves."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, tzinfo


@dataclass(frozen=True, slots=True)
class Station:
    """Where the microphone stands, as rows say it."""

    name: str = ""
    latitude: float | None = None
    """Degrees, north positive."""
    longitude: float | None = None
    """Degrees, east positive."""
    zone: tzinfo = UTC
    """Of the local times."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A file that was scored, or one opening of a live source."""

    number: int
    """In the store. Two files that had the same path, one after the other, have two numbers."""
    name: str
    """The file's path, or the live source's name, as `Detection.stream` has it."""
    live: bool
    rate_hz: int | None = None
    """Samples a second; None where it is not known."""
    length_s: float | None = None
    """Of what was received, in seconds; None where it is not known."""
    asked_for: bool = False
    """Whether it gets a table also where nothing was found in it."""


@dataclass(frozen=True, slots=True)
class Context:
    """What an export knows besides the detections."""

    station: Station = Station()
    streams: Iterable[Stream] = ()
    """All that tables are named among, in order of their numbers; read once. A detection's stream
    that is not there is known by its detections alone."""

"""What a table says besides the detections themselves."""

from collections.abc import Callable
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
class Context:
    """What an export knows besides the detections."""

    station: Station = Station()
    rate_hz: Callable[[str], int | None] = lambda _: None
    """Tells the sample rate of a recording by `Detection.stream`; None where it is not known."""

"""What goes into the source and what comes out of it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple

from msgspec import Meta

from edge.strict_yaml import Record

Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class DirectorySpec(Record, frozen=True):
    """A folder that recordings arrive in."""

    path: Annotated[str, Meta(min_length=1, examples=["/media/recorder"])]
    recursive: bool = True
    """Whether folders inside are searched, too."""
    timezone: str | None = None
    """Of recorders that do not say theirs; the station's by default."""
    settle_seconds: Seconds = 10.0
    """A file that nobody was heard to close is complete when it has not changed for so long.

    Ten times as long where its header says otherwise. On a network share it should be longer than
    the share keeps sizes in its cache (`acregmax`, 60 s for NFS)."""
    sweep_seconds: Seconds = 60.0
    """How often everything is looked at, whatever the kernel tells."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A complete recording, as it was when it was handed out."""

    path: Path
    size: int
    """Bytes."""
    mtime_ns: int
    fingerprint: str
    """Of its content, by `read_fingerprint`; empty where it could not be read."""


@dataclass(frozen=True, slots=True)
class WaitingFile:
    """A file that is not complete yet."""

    path: Path
    since: datetime
    """UTC time of when it was first seen."""


class Trouble(NamedTuple):
    """Something that is wrong now and that a person can set right."""

    where: str
    """A folder's path."""
    what: str
    remedy: str

"""What is kept: one entry for each thing that happened, each written whole or not at all."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from edge.contracts import WindowState


class FileState(StrEnum):
    """What became of a file."""

    DONE = "done"
    """Every window has its outcome; at least one was predicted."""
    UNHEARD = "unheard"
    """Every window has its outcome; none was predicted."""
    FAILED = "failed"
    """It could not be read."""
    DUPLICATE = "duplicate"
    """Its content is that of a file that was scored before."""


@dataclass(frozen=True, slots=True)
class WindowRange:
    """Consecutive windows of a stream that share a fate."""

    start_sample: int
    """Counted from the stream's sample 0, at the stream's own rate."""
    end_sample: int
    """The sample that follows; of a padded tail, that which follows the last one received."""
    received: int
    """How many of the samples were received: none of a gap in which nothing came."""
    windows: int
    state: WindowState
    reason: str = ""
    """Empty for predicted windows."""
    model: str = ""
    """`name@version`; empty where no model saw them."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A detection as the store takes it; the stream and the number are added there."""

    start_s: float
    """Seconds from the stream's sample 0."""
    end_s: float
    at: datetime
    """UTC."""
    label: str
    confidence: float
    model: str


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """A live stream begins: one opening of one source by one run of the program."""

    stream: int
    """Its number, given by `Store.next_stream`."""
    source: str
    sample_rate_hz: int
    started_at: datetime
    """UTC time of sample 0."""
    time_source: str


@dataclass(frozen=True, slots=True)
class WindowsDone:
    """Windows of a live stream got their outcomes, in order and without a hole."""

    stream: int
    received_samples: int
    """All that the stream has received by now, whether accounted for or still on its way."""
    ranges: tuple[WindowRange, ...]
    heard: tuple[Heard, ...] = ()
    drift_ppm: int | None = None
    """How much faster than it claims its sound comes, in parts per million, once known."""


@dataclass(frozen=True, slots=True)
class Anchored:
    """The clock was stepped, or the sample count was set to the clock again."""

    stream: int
    sample: int
    at: datetime
    """UTC time of that sample."""
    reason: str


@dataclass(frozen=True, slots=True)
class FileDone:
    """A file with all its windows: kept together or not at all."""

    source: str
    path: str
    size: int
    """Bytes."""
    mtime_ns: int
    fingerprint: str
    """64 bits, in hexadecimal, that tell it from another with its path, size and time; empty where
    it could not be read."""
    sha256: str
    """Of the content; empty where it could not be read."""
    state: FileState
    reason: str = ""
    sample_rate_hz: int = 0
    samples: int = 0
    started_at: datetime | None = None
    """UTC time of sample 0."""
    time_source: str = ""
    notes: str = ""
    ranges: tuple[WindowRange, ...] = ()
    heard: tuple[Heard, ...] = ()


@dataclass(frozen=True, slots=True)
class FaultSeen:
    """Something is wrong; the same `where` and `what` again only counts up."""

    where: str
    """A source, sink, model, file or `store`."""
    what: str
    remedy: str
    at: datetime


@dataclass(frozen=True, slots=True)
class FaultEnded:
    """All that was wrong there is over."""

    where: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ModelChanged:
    """Another model was asked for: `failed` tells why the old one goes on."""

    at: datetime
    before: str
    after: str
    failed: str = ""


Entry = StreamOpened | WindowsDone | Anchored | FileDone | FaultSeen | FaultEnded | ModelChanged

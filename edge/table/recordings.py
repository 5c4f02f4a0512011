"""Which recording a detection belongs to, and where in it."""

from datetime import UTC
from typing import NamedTuple

from edge.contracts import Detection
from edge.table.context import Stream
from edge.table.text import as_text


class Found(NamedTuple):
    """A detection, and the number of the stream it was found in: see `Stream.number`."""

    stream: int
    detection: Detection


class Recording(NamedTuple):
    """What one table is about: a file, or one UTC hour of a live source."""

    name: str
    """The file's path, as `Detection.stream` has it; the name of a live source."""
    hour: str
    """Of a live source: its UTC hour, `YYYYMMDD_HH0000Z`. Empty for a file."""
    nth: int
    """Of the files that had this path one after the other, the how manyth; from 1."""
    rate_hz: int | None
    """Samples a second; None where it is not known."""

    @property
    def path(self) -> str:
        """The file's path as valid Unicode; empty for a live source, whose sound is not kept."""
        return "" if self.hour else as_text(self.name)

    @property
    def title(self) -> str:
        """The file's path, or the live source's name and hour, as valid Unicode."""
        return as_text(f"{self.name}_{self.hour}" if self.hour else self.name)


class Spot(NamedTuple):
    """A detection within its recording."""

    start_s: float
    """From the start of the recording: of the file, or of the hour."""
    end_s: float
    label: str
    confidence: float


def place(detection: Detection, stream: Stream) -> tuple[str, Spot]:
    """Say in which hour of a live source a detection lies, and where in its recording.

    A live source begins anew with each start of the program, and its clock may be set meanwhile,
    so seconds from its start lead nowhere. It is cut into UTC hours by the time of each window's
    start; a window that reaches into the next hour ends after second 3600.

    The last window of a stream may reach beyond its end, where it was scored with zeros. The spot
    ends where the sound does: an editor that shows the sound has nothing behind it.

    Returns:
        The hour as `Recording.hour` has it, empty for a file, and the spot.
    """
    end_s = detection.end_s
    if stream.length_s is not None and stream.length_s > detection.start_s:
        end_s = min(end_s, stream.length_s)
    hour, start_s = "", detection.start_s
    if stream.live:
        at = detection.at.astimezone(UTC)
        begin = at.replace(minute=0, second=0, microsecond=0)
        hour, start_s = f"{begin:%Y%m%d_%H%M%SZ}", (at - begin).total_seconds()
        end_s = start_s + end_s - detection.start_s
    return hour, Spot(start_s, end_s, as_text(detection.label), detection.confidence)

"""A table in a file that grows by a line a detection: what the file sinks are."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from edge.contracts import Detection
from edge.table.appending import AppendedFile


class GrowingTable:
    """Adds a line a detection to a file; a `Sink` that writes each exactly once.

    Args:
        path: The file; its folder must be there.
        line: Makes a detection's line, with its line feed.
        heading: First line of the file, with its line feed; empty for none.
        min_confidence: Detections below it are passed over.
        position: Where it ended, as it was kept; empty at the first start. See `AppendedFile`.
    """

    def __init__(
        self,
        path: Path,
        line: Callable[[Detection], str],
        *,
        heading: str = "",
        min_confidence: float = 0.0,
        position: str = "",
    ) -> None:
        self._file = AppendedFile(path, heading=heading, place=position)
        self._line = line
        self._min_confidence = min_confidence

    def __enter__(self) -> "GrowingTable":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    @property
    def position(self) -> str:
        """Where the next line goes."""
        return self._file.place

    def ready(self) -> str:
        """Open the file, or another in its place if it was moved; return the position there.

        Raises:
            OSError: Not now.
        """
        return self._file.ready()

    def write(self, detections: Sequence[Detection]) -> None:
        """Add a line for each detection; all are on the disk when it returns.

        Raises:
            OSError: None of them was added.
        """
        kept = (one for one in detections if one.confidence >= self._min_confidence)
        self._file.add("".join(map(self._line, kept)))

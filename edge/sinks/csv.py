"""A CSV file that grows by a line a detection."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from edge.contracts import Detection
from edge.strict_yaml import Record
from edge.table.context import Station
from edge.table.growing import GrowingTable
from edge.table.rows import COLUMNS, detection_row
from edge.table.text import csv_line


class CsvSpec(Record, frozen=True):
    """`csv: {path: predictions.csv, min_confidence: 0.5}`."""

    path: Annotated[str, Meta(min_length=1, examples=["heard.csv"])]
    """The file; its folder must be there."""
    min_confidence: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """Detections below it are passed over."""

    def build(self, station: Station, *, folder: Path, position: str = "") -> GrowingTable:
        """Make the sink.

        Args:
            station: Where the detections are made.
            folder: Where a relative path begins.
            position: Where the sink ended, as it was kept; empty at the first start.
        """

        def line(detection: Detection) -> str:
            return csv_line(tuple(detection_row(detection, station).values()))

        return GrowingTable(
            folder / Path(self.path).expanduser(),
            line,
            heading=csv_line(COLUMNS),
            min_confidence=self.min_confidence,
            position=position,
        )

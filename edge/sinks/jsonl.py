"""A file of JSON Lines that grows by an object a detection."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from edge.contracts import Detection
from edge.strict_yaml import Record
from edge.table.context import Station
from edge.table.growing import GrowingTable
from edge.table.rows import detection_row
from edge.table.text import json_line


class JsonlSpec(Record, frozen=True):
    """`jsonl: {path: predictions.jsonl, min_confidence: 0.5}`."""

    path: Annotated[str, Meta(min_length=1, examples=["heard.jsonl"])]
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
            return json_line(detection_row(detection, station))

        return GrowingTable(
            folder / Path(self.path).expanduser(),
            line,
            min_confidence=self.min_confidence,
            position=position,
        )

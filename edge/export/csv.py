"""CSV: `detections.csv`, all that is known of each detection, for spreadsheets and data frames."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from edge.contracts import Detection
from edge.table.context import Context
from edge.table.rows import COLUMNS, detection_row
from edge.table.text import csv_line
from edge.table.whole import write_lines


def write(detections: Iterable[Detection], out_dir: Path, context: Context) -> list[Path]:
    """Write one file with a line a detection, in the order given; see `Format`."""
    return [write_lines(out_dir / "detections.csv", _lines(detections, context))]


def _lines(detections: Iterable[Detection], context: Context) -> Iterator[str]:
    yield csv_line(COLUMNS)
    for detection in detections:
        yield csv_line(tuple(detection_row(detection, context.station).values()))

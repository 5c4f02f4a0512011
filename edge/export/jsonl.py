"""JSON Lines: `detections.jsonl`, the columns of the CSV as the keys of an object a line."""

from collections.abc import Iterable
from pathlib import Path

from edge.contracts import Detection
from edge.table.context import Context
from edge.table.rows import detection_row
from edge.table.text import json_line
from edge.table.whole import write_lines


def write(detections: Iterable[Detection], out_dir: Path, context: Context) -> list[Path]:
    """Write one file with a line a detection, in the order given; see `Format`."""
    lines = (json_line(detection_row(detection, context.station)) for detection in detections)
    return [write_lines(out_dir / "detections.jsonl", lines)]

"""JSON Lines: `detections.jsonl`, the columns of the CSV as the keys of an object a line."""

from collections.abc import Iterable
from pathlib import Path

from edge.table.context import Context
from edge.table.each import Written
from edge.table.recordings import Found
from edge.table.rows import found_row
from edge.table.text import json_line
from edge.table.whole import write_lines


def write(found: Iterable[Found], out_dir: Path, context: Context) -> Written:
    """Write one file with a line a detection, in the order given; see `Format`."""
    lines = (json_line(found_row(one, context.station)) for one in found)
    write_lines(out_dir / "detections.jsonl", lines)
    return Written(1)

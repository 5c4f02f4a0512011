"""CSV: `detections.csv`, all that is known of each detection, for spreadsheets and data frames.

The columns are those of the CSV that the daemon writes, and `recording`, a number that no two
files and no two openings of a live source share: two files that had the same path, one after the
other, are told apart by it. `start_s` and `end_s` are the window's own, also where the last one
was filled up with zeros beyond the end of the sound.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from edge.table.context import Context
from edge.table.each import Written
from edge.table.recordings import Found
from edge.table.rows import COLUMNS, found_row
from edge.table.text import csv_line
from edge.table.whole import write_lines


def write(found: Iterable[Found], out_dir: Path, context: Context) -> Written:
    """Write one file with a line a detection, in the order given; see `Format`."""
    write_lines(out_dir / "detections.csv", _lines(found, context))
    return Written(1)


def _lines(found: Iterable[Found], context: Context) -> Iterator[str]:
    yield csv_line((*COLUMNS, "recording"))
    for one in found:
        yield csv_line(tuple(found_row(one, context.station).values()))

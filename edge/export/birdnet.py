"""BirdNET-Analyzer's CSV: `NAME.BirdNET.results.csv` for each recording, as that program has them.

With the names and mirrored folders that BirdNET-Analyzer gives its own results, its segment
extraction and what else reads them find the recordings. Where nothing was found there is the
heading alone, as in its own. A live stream has a file for each UTC hour, with seconds from its
start and the stream's name and hour as File.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from edge.table.context import Context
from edge.table.each import Written, write_each
from edge.table.recordings import Found, Recording, Spot
from edge.table.rows import split_label
from edge.table.text import csv_line, seconds

COLUMNS = ("Start (s)", "End (s)", "Scientific name", "Common name", "Confidence", "File")


def write(found: Iterable[Found], out_dir: Path, context: Context) -> Written:
    """Write a table for each recording; see `Format`."""
    return write_each(found, out_dir, context, suffix=".BirdNET.results.csv", lines=_lines)


def _lines(recording: Recording, spots: Iterator[Spot]) -> Iterator[str]:
    yield csv_line(COLUMNS)
    for start_s, end_s, label, confidence in spots:
        species = split_label(label)
        yield csv_line(
            (seconds(start_s), seconds(end_s), *species, f"{confidence:.4f}", recording.title)
        )

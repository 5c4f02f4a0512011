"""Audacity label tracks: `NAME.labels.txt` for each recording, read by File, Import, Labels.

A line is start, end, label and confidence between tabs, without a heading; Audacity shows the
first three. A recording in which nothing was found has an empty track. A live stream has a track
for each UTC hour, with seconds from its start.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from edge.table.context import Context
from edge.table.each import Written, write_each
from edge.table.recordings import Found, Recording, Spot
from edge.table.rows import split_label
from edge.table.text import seconds, tab_line


def write(found: Iterable[Found], out_dir: Path, context: Context) -> Written:
    """Write a label track for each recording; see `Format`."""
    return write_each(found, out_dir, context, suffix=".labels.txt", lines=_lines)


def _lines(recording: Recording, spots: Iterator[Spot]) -> Iterator[str]:
    for start_s, end_s, label, confidence in spots:
        names = dict.fromkeys(split_label(label))
        title = ", ".join(names)
        yield tab_line((seconds(start_s), seconds(end_s), title, f"{confidence:.4f}"))

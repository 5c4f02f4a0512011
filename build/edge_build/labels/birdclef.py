"""BirdCLEF's tables: `filename,start,end,primary_label`, several labels parted by semicolons."""

from pathlib import Path

from edge.errors import InputError
from edge_build.labels.marks import LabelFile, Mark
from edge_build.labels.tables import read_heading, read_table
from edge_build.labels.text import at, time_in

COLUMNS = ("filename", "start", "end", "primary_label")
NONE = "nocall"
"""Stands, as an empty cell does, for a stretch without any of the labels."""


def is_birdclef(lines: list[str]) -> bool:
    """Say whether the heading names a table's recordings and times as BirdCLEF does."""
    _, _, headings = read_heading(lines)
    return set(COLUMNS[:3]) <= {name.casefold() for name in headings}


def read_birdclef(path: Path, lines: list[str]) -> LabelFile:
    """Read a table.

    Raises:
        InputError: A column that is missing, a row without a file name, a time that is none.
    """
    table = read_table(path, lines)
    name, start, end, labels = map(table.need, COLUMNS)
    marks, listed = [], []
    for line, cells in table.rows:
        if not cells[name]:
            raise InputError(
                f"{at(path, line)}: has no filename", remedy="complete it, or take the row out"
            )
        listed.append(cells[name])
        start_s, end_s = (time_in(cells[c], path, line) for c in (start, end))
        for part in cells[labels].split(";"):
            label = part.strip()
            if label and label != NONE:
                marks.append(Mark(cells[name], start_s, end_s, label, line))
    return LabelFile(path, tuple(marks), tuple(dict.fromkeys(listed)))

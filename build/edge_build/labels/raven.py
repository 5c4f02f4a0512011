"""Raven selection tables: a row a selection, in a table a recording or one for many."""

from pathlib import Path

from edge.errors import InputError
from edge_build.labels.marks import LabelFile, Mark
from edge_build.labels.tables import Table, read_heading, read_table
from edge_build.labels.text import at, time_in

LABEL_COLUMNS = (
    "Annotation",
    "Species",
    "Label",
    "Tag",
    "Common Name",
    "Scientific Name",
    "Species Code",
)
"""Where a label is looked for: the first of these that holds any."""


def is_raven(lines: list[str]) -> bool:
    """Say whether the heading is that of a selection table."""
    _, _, headings = read_heading(lines)
    return {_BEGIN.casefold(), _END.casefold()} <= {name.casefold() for name in headings}


def read_raven(path: Path, lines: list[str], *, column: str | None = None) -> LabelFile:
    """Read a selection table.

    Begin Time counts through all sounds that were open. So where the table says in which file a
    selection begins, and at what offset, that is what counts.

    Args:
        path: Of the table.
        lines: Of its text.
        column: Holds the labels; None for the first of LABEL_COLUMNS that holds any.

    Raises:
        InputError: A column that is missing, a time that is none, or selections of several files
            without their offsets.
    """
    table = read_table(path, lines)
    begin, end = table.need(_BEGIN), table.need(_END)
    label, remark = _label_column(table, column)
    named = next((c for c in map(table.find, _NAMES) if c is not None), None)
    offset = table.find(_OFFSET)
    several = named is not None and len({cells[named] for _, cells in table.rows}) > 1
    if several and offset is None:
        raise InputError(
            f"{at(path, table.line)}: has selections of several files, and no column {_OFFSET}",
            remedy=f"let Raven write the measurement {_OFFSET} too, or save a table for each file",
        )
    marks = []
    for line, cells in table.rows:
        start_s, end_s = (time_in(cells[c], path, line) for c in (begin, end))
        if offset is not None and cells[offset]:
            offset_s = time_in(cells[offset], path, line)
            start_s, end_s = offset_s, offset_s + (end_s - start_s)
        elif several:
            raise InputError(
                f"{at(path, line)}: has no {_OFFSET}, in a table of several files",
                remedy="complete it, or take the row out",
            )
        audio = cells[named] if named is not None else ""
        marks.append(Mark(audio, start_s, end_s, cells[label], line))
    listed = tuple(dict.fromkeys(mark.audio for mark in marks)) or ("",)
    return LabelFile(path, tuple(marks), listed, remark)


def _label_column(table: Table, wanted: str | None) -> tuple[int, str]:
    """Return the column of labels, and what to say of the choice."""
    shown = ", ".join(filter(None, table.headings))
    if wanted is not None:
        if (column := table.find(wanted)) is None:
            raise InputError(
                f"{at(table.path, table.line)}: has no column {wanted!r}, only {shown}",
                remedy="name one of them by --label-column",
            )
        return column, ""
    there = [c for c in map(table.find, LABEL_COLUMNS) if c is not None]
    if not there:
        raise InputError(
            f"{at(table.path, table.line)}: no column is known to hold labels; it has {shown}",
            remedy="name the column by --label-column",
        )
    filled = [c for c in there if any(cells[c] for _, cells in table.rows)] or there
    others = [table.headings[c] for c in filled[1:]]
    if not others:
        return filled[0], ""
    return filled[0], (
        f"labels are taken from the column {table.headings[filled[0]]}; "
        f"--label-column takes another, such as {others[0]}"
    )


_BEGIN = "Begin Time (s)"
_END = "End Time (s)"
_OFFSET = "File Offset (s)"
_NAMES = ("Begin Path", "Begin File")

"""Audacity label tracks: start, end and label between tabs, without a heading."""

from pathlib import Path

from edge.errors import InputError
from edge_build.labels.marks import LabelFile, Mark
from edge_build.labels.text import at, seconds_of, time_in


def is_audacity(lines: list[str]) -> bool:
    """Say whether the first line that is not blank is of a label track; so is none at all."""
    for line in lines:
        if line.strip():
            start, *others = line.split("\t")
            try:
                seconds_of(start)
                seconds_of(others[0])
            except (ValueError, IndexError):
                return False
            return True
    return True


def read_audacity(path: Path, lines: list[str]) -> LabelFile:
    r"""Read a label track; an empty one says that nothing is in the recording.

    What stands behind a label, such as a confidence, is passed over, and so are lines that begin
    with a backslash, which give the frequencies of the label before.

    Raises:
        InputError: A line that is none of a label track.
    """
    marks = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("\\"):
            continue
        cells = line.split("\t")
        if len(cells) < 2:
            raise InputError(
                f"{at(path, number)}: is not start, end and label between tabs",
                remedy="export the label track from Audacity again, or mend the line",
            )
        start_s, end_s = (time_in(cell, path, number) for cell in cells[:2])
        marks.append(Mark("", start_s, end_s, cells[2].strip() if len(cells) > 2 else "", number))
    return LabelFile(path, tuple(marks), ("",))

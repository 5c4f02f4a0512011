"""Label files, found and told apart by what they hold."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.errors import InputError
from edge.table.text import as_text
from edge_build.labels.audacity import is_audacity, read_audacity
from edge_build.labels.birdclef import is_birdclef, read_birdclef
from edge_build.labels.marks import LabelFile
from edge_build.labels.raven import is_raven, read_raven
from edge_build.labels.text import at, read_lines

SUFFIXES = frozenset({".txt", ".tsv", ".csv"})
"""Suffixes, in lower case, by which a file in a folder may be a label file."""


def read_label_files(
    paths: Sequence[Path], *, column: str | None = None
) -> tuple[list[LabelFile], list[str]]:
    """Read label files, and those of folders, in order of their names.

    Args:
        paths: Files, and folders that are looked through for label files.
        column: Holds the labels of Raven's tables; None to choose.

    Returns:
        The files, and the names of others in the folders that are text but hold no labels.

    Raises:
        InputError: A path that leads nowhere, a file that is no label file, a folder without any,
            or what is wrong in a file, with the line.
    """
    read, others = [], []
    for path in paths:
        if path.is_dir():
            found, passed = [], []
            for inner in _text_below(path):
                lines = read_lines(inner)
                file = _read(inner, lines, column)
                if file is None:
                    passed.append(as_text(inner.relative_to(path).as_posix()))
                else:
                    found.append(file)
            if not found:
                raise InputError(f"{path}: holds no label files", remedy=_FORMS)
            read += found
            others += passed
        else:
            lines = read_lines(path)
            file = _read(path, lines, column)
            if file is None:
                first = next(n for n, line in enumerate(lines, start=1) if line.strip())
                shown = lines[first - 1].strip()[:_SHOWN]
                raise InputError(
                    f"{at(path, first)}: no form of label file begins so: {shown!r}",
                    remedy=_FORMS,
                )
            read.append(file)
    # A file that is named, and is in a folder that is named too, is one file.
    by_place = {file.path.resolve(): file for file in read}
    return list(by_place.values()), others


def _read(path: Path, lines: list[str], column: str | None) -> LabelFile | None:
    """Read a label file by what it is; None where it is none."""
    if is_raven(lines):
        return read_raven(path, lines, column=column)
    if is_birdclef(lines):
        return read_birdclef(path, lines)
    if is_audacity(lines):
        return read_audacity(path, lines)
    return None


def _text_below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith("."):
            yield path


_SHOWN = 40
_FORMS = (
    "give selection tables of Raven (with the columns Begin Time (s) and End Time (s)), label "
    "tracks of Audacity (start, end and label between tabs) or tables with the columns "
    "filename, start, end, primary_label"
)

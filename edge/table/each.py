"""A table for each recording, and what else lies beside them."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.table.context import Context
from edge.table.gathered import Gathered
from edge.table.recordings import Found, Recording, Spot
from edge.table.text import as_text
from edge.table.whole import write_lines


@dataclass(frozen=True, slots=True)
class Written:
    """What came of an export, and what whoever reads its tables should know."""

    files: int
    empty: int = 0
    """Of them, those that hold no detection."""
    live: bool = False
    """Whether some tell of a live source, so that there is no sound to open beside them."""
    shared: int = 0
    """Paths that several files had, one after the other; each file's table has a number."""
    shared_path: str = ""
    """The first of those paths, as valid Unicode."""
    shared_files: int = 0
    """How many files had it."""
    others: int = 0
    """Files below the folder that are called as this format's are and that it did not write."""
    other: str = ""
    """The first of them in order, relative to the folder, as valid Unicode."""


def write_each(
    found: Iterable[Found],
    out_dir: Path,
    context: Context,
    *,
    suffix: str,
    lines: Callable[[Recording, Iterator[Spot]], Iterator[str]],
) -> Written:
    """Write a table for each recording, its detections in order of time.

    A recording in which nothing was found has one too where it was asked for: that it was heard is
    worth knowing, and the table replaces one of an earlier export. An hour of a live source has
    one only if something was found in it: unlike a file it may have been heard for a few seconds,
    and an empty table would pass for an hour's silence.

    Names are the recordings' own. Folders are mirrored, from the deepest that holds all files;
    recordings that differ by their suffix alone, or only by upper and lower case, keep the suffix
    or get a number, and so do files that had the same path one after the other. Names hold nothing
    that a memory card's file system refuses.

    Args:
        found: In any order.
        out_dir: Where to write; nothing is written outside it.
        context: The streams among which tables are named.
        suffix: What the recording's name is followed by, in place of its own suffix.
        lines: Makes the table's lines of a recording and its detections.

    Raises:
        InputError: A table cannot be written.
    """
    with Gathered(found, context.streams, out_dir) as gathered:
        gathered.give_names(suffix)
        files = empty = 0
        for number, recording in gathered.recordings():
            table = out_dir / gathered.table_of(number)
            write_lines(table, lines(recording, gathered.spots(number)))
            files += 1
            empty += gathered.is_empty(number)
        others, other = _others(out_dir, suffix, gathered)
        shared, path, sharing = gathered.shared_paths()
        return Written(
            files, empty, gathered.has_live(), shared, as_text(path), sharing, others, other
        )


def _others(out_dir: Path, suffix: str, gathered: Gathered) -> tuple[int, str]:
    """Count the tables below a folder that are none of these, and name the first."""
    others, first = 0, ""
    for path in _files(str(out_dir)):
        name = as_text(os.path.relpath(path, out_dir))
        if name.casefold().endswith(suffix.casefold()) and not gathered.is_table(name):
            others += 1
            first = min(first or name, name)
    return others, first


def _files(folder: str) -> Iterator[str]:
    """Walk through the files below a folder, never holding a whole listing; links are not followed.

    A folder that cannot be read holds none.
    """
    folders = [folder]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        yield entry.path
        except OSError:
            continue

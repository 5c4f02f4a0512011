"""Files that are there whole or not at all."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from edge.errors import InputError


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """Open a UTF-8 text file that takes the place of `path` when it is complete and on the disk.

    Folders that are missing are made.

    Raises:
        InputError: It cannot be written; what was there before is there still.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("w", encoding="utf-8", newline="", buffering=1 << 18) as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as reason:
        raise InputError(
            f"{path}: cannot be written: {reason.strerror or reason}",
            remedy="free space, check the permissions or choose another --out",
        ) from None


def write_lines(path: Path, lines: Iterable[str]) -> Path:
    """Write lines, each with its line feed, as a file that is there whole or not at all.

    Raises:
        InputError: It cannot be written.
    """
    with replacing(path) as out:
        out.writelines(lines)
    return path

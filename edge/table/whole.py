"""Files that are there whole or not at all."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from edge.errors import InputError


@contextmanager
def replacing(path: Path, *, remedy: str = "") -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when it is complete and on the disk.

    Folders that are missing are made. A link stays, and what it leads to is replaced.

    Args:
        path: The file.
        remedy: What else to do about a file that cannot be written.

    Raises:
        InputError: It cannot be written; what was there before is there still.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f"{target.name}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb", buffering=1 << 20) as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as reason:
        raise InputError(
            f"{path}: cannot be written: {reason.strerror or reason}",
            remedy=f"free space, check the permissions or choose another --out{remedy}",
        ) from None


def write_lines(path: Path, lines: Iterable[str]) -> Path:
    """Write lines, each with its line feed, as a file that is there whole or not at all.

    Raises:
        InputError: It cannot be written.
    """
    with replacing(path) as out:
        out.writelines(line.encode() for line in lines)
    return path

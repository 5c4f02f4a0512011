"""Making sure, before hours of work, that a file can be written when they are over."""

import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from edge.errors import InputError


def check_outputs(outputs: Mapping[str, Path], *, read: Mapping[Path, str] | None = None) -> None:
    """Make sure that files can be written, that none is another one, and none is read.

    Where a link stands in an output's place, what it leads to is meant.

    Args:
        outputs: By what the user knows them by, such as `--out`.
        read: What each file is that is read, such as `an input`.

    Raises:
        InputError: One cannot be written, or would be written over something else.
    """
    taken = {os.path.realpath(path): what for path, what in (read or {}).items()}
    for name, path in outputs.items():
        other = taken.setdefault(os.path.realpath(path), name)
        if other != name:
            raise InputError(f"{name}: {path} is {other}", remedy="name another file")
        _check_file(name, path)


def check_folder(name: str, folder: Path) -> None:
    """Make sure that files can be written into a folder that is there.

    Raises:
        InputError: They cannot.
    """
    try:
        # What permissions promise is not all: there are read-only disks and strange file systems.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as reason:
        raise InputError(
            f"{name}: {folder} cannot be written to: {reason.strerror}",
            remedy="name a place that can be, or mend its permissions",
        ) from None


def _check_file(name: str, path: Path) -> None:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        mode = 0
    if stat.S_ISDIR(mode):
        raise InputError(f"{name}: {path} is a directory", remedy="name a file in it")
    if mode and not stat.S_ISREG(mode):
        # It would be replaced by a file, and with it perhaps a device of the whole machine.
        raise InputError(
            f"{name}: {path} is not a file but a device, pipe or socket",
            remedy="name a file, and pass it on from there",
        )
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        raise InputError(f"{name}: {folder} is not a directory", remedy="create it first")
    check_folder(name, folder)

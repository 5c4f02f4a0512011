"""Files that are mapped into memory, out of reach of whoever writes to them."""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO


class PrivateCopy:
    """A copy of a file that has no name, so that nobody else can change it.

    A file that is mapped and then cut short in place, as `cp` over a model does, ends the process
    with SIGBUS. The copy lies on a disk, from where its pages need no memory of ours until they
    are touched; a small one, or one for which no disk has room, lies in memory. It is gone once it
    is closed and no longer mapped, and with the process.

    Args:
        path: The file.

    Raises:
        OSError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file, ExitStack() as stack:
            large = os.fstat(file.fileno()).st_size > _SMALL_BYTES
            self._file = _on_disk(file) if large else None
            if self._file is None:
                descriptor = os.memfd_create("edge-model", os.MFD_CLOEXEC)
                self._file = stack.enter_context(open(descriptor, "w+b"))
                _copy(file, self._file)
            stack.pop_all()

    @property
    def path(self) -> Path:
        """Where this process can open it until it is closed."""
        assert self._file is not None
        return Path(f"/proc/self/fd/{self._file.fileno()}")

    def __enter__(self) -> "PrivateCopy":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it; what maps it keeps it."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _on_disk(file: IO[bytes]) -> IO[bytes] | None:
    """Copy a file to the first of our folders with room for it; None where there is none."""
    for folder in _FOLDERS:
        with ExitStack() as stack:
            try:
                copy = stack.enter_context(tempfile.TemporaryFile(dir=folder))
                _copy(file, copy)
            except OSError:
                continue
            stack.pop_all()
            return copy
    return None


def _copy(file: IO[bytes], copy: IO[bytes]) -> None:
    """Copy a file within the kernel, three times as fast as by way of this process."""
    done = 0
    while sent := os.sendfile(copy.fileno(), file.fileno(), done, _PIECE_BYTES):
        done += sent


# What is kept over a restart is on a disk, by the Filesystem Hierarchy Standard.
_FOLDERS = ("/var/tmp", tempfile.gettempdir())  # noqa: S108 (the copy has no name there)
_SMALL_BYTES = 4 << 20
_PIECE_BYTES = 1 << 26

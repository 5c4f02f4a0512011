"""A file that rows are added to, each exactly once, through kills, full disks and rotation."""

import contextlib
import errno
import os
import stat
import zlib
from pathlib import Path


class AppendedFile:
    """A text file that grows at its end and knows where its rows end.

    The place where the next row goes is a short text: the file's inode, an offset, and a checksum
    of the bytes just before it. The caller keeps the place beside the number of the last row, both
    at once. Opened with a place, whatever stands behind it in that very file was written after the
    caller last kept one, will be written again, and is cut off. This is exact on one condition: the
    caller keeps a place in a file before it adds the first rows to it, also after `ready` found
    that the file was moved and began another.

    - Moved (logrotate's `create`): the old file is found by its inode among those beside it whose
      names begin alike, and cut in the same way; a new one is begun.
    - Truncated (logrotate's `copytruncate`): begun anew.
    - There already when no place is known: nothing of it is cut.

    Args:
        path: The file; its folder must be there.
        heading: First line of the file, with its line feed; empty for none.
        place: What `ready` or `add` last returned and the caller kept; empty if nothing was.
    """

    def __init__(self, path: Path, *, heading: str = "", place: str = "") -> None:
        self._path = path
        self._heading = heading.encode()
        self._place = place
        self._descriptor: int | None = None
        self._offset = 0

    @property
    def place(self) -> str:
        """Where the next row goes, as far as is known without looking."""
        return self._place

    def ready(self) -> str:
        """Make ready to add rows, looking whether the file was moved; return their place.

        Raises:
            OSError: The file cannot be written, or is not one to write to.
        """
        try:
            if self._descriptor is not None and not self._is_still_there(self._descriptor):
                self.close()
            if self._descriptor is None:
                self._descriptor = self._open()
                self._begin(self._descriptor)
            elif os.fstat(self._descriptor).st_size > self._offset:
                self._begin(self._descriptor)
        except OSError:
            self.close()
            raise
        return self._place

    def add(self, rows: str) -> str:
        """Write rows where `ready` said, all or none, and see them onto the disk.

        Args:
            rows: Whole lines.

        Returns:
            The place where the next row goes.

        Raises:
            OSError: They cannot be written; nothing of them is left in the file.
        """
        if self._descriptor is None:
            self.ready()
        if rows and self._descriptor is not None:
            self._append(self._descriptor, rows.encode())
        return self._place

    def close(self) -> None:
        """Close the file; `ready` opens it again where its rows end."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        """Open the file and cut off what will be written again."""
        if self._path.exists() and not self._path.is_file():
            raise OSError(errno.EINVAL, "is not a file", str(self._path))
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o644)
        try:
            if not _cut(descriptor, self._place):
                self._cut_moved()
            self._check_heading(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _begin(self, descriptor: int) -> None:
        """Write what must stand before the next row, and note the place."""
        self._offset = os.fstat(descriptor).st_size
        before = b""
        if self._offset == 0:
            _sync_folder(self._path.parent)
            before = self._heading
        elif os.pread(descriptor, 1, self._offset - 1) != b"\n":
            before = b"\n"
        self._append(descriptor, before)

    def _append(self, descriptor: int, rows: bytes) -> None:
        rest = memoryview(rows)
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            if rows:
                os.fdatasync(descriptor)
        except OSError as reason:
            # If this fails too, it is done when the file is opened again.
            with contextlib.suppress(OSError):
                if os.fstat(descriptor).st_size > self._offset:
                    os.ftruncate(descriptor, self._offset)
            self.close()
            reason.filename = str(self._path)
            raise
        # By the end that the file has: it may have been truncated a moment ago.
        self._offset = os.fstat(descriptor).st_size
        self._place = _place_at(descriptor, self._offset)

    def _is_still_there(self, descriptor: int) -> bool:
        """Tell whether the path leads to the open file and nothing of it was taken away."""
        here = os.fstat(descriptor)
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return False
        return os.path.samestat(here, there) and here.st_size >= self._offset

    def _check_heading(self, descriptor: int) -> None:
        """Leave alone a table with other columns; drop a heading that was cut short."""
        size = os.fstat(descriptor).st_size
        length = min(len(self._heading), size)
        if os.pread(descriptor, length, 0) != self._heading[:length]:
            raise OSError(
                errno.EEXIST, "holds a table with other columns; move it away", str(self._path)
            )
        if size < len(self._heading):
            os.ftruncate(descriptor, 0)

    def _cut_moved(self) -> None:
        """Find the file of the last place under the name it was moved to, and cut it there."""
        inode = self._place.partition(":")[0]
        for entry in os.scandir(self._path.parent) if inode else ():
            if (
                entry.name.startswith(self._path.name)
                and str(entry.inode()) == inode
                and stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode)
            ):
                descriptor = os.open(entry.path, os.O_RDWR | os.O_CLOEXEC)
                try:
                    _cut(descriptor, self._place)
                finally:
                    os.close(descriptor)


def _place_at(descriptor: int, offset: int) -> str:
    """Say where an offset is so that it is not taken for the same in another file."""
    length = min(offset, _CHECKED_BYTES)
    before = os.pread(descriptor, length, offset - length)
    return f"{os.fstat(descriptor).st_ino}:{offset}:{zlib.crc32(before):08x}"


def _cut(descriptor: int, place: str) -> bool:
    """Cut a file off at a place; return whether the place is in this file at all."""
    _, _, rest = place.partition(":")
    offset = rest.partition(":")[0]
    if not offset.isdecimal() or int(offset) > os.fstat(descriptor).st_size:
        return False
    if _place_at(descriptor, int(offset)) != place:
        return False
    os.ftruncate(descriptor, int(offset))
    return True


def _sync_folder(folder: Path) -> None:
    """See a new file's name onto the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_CHECKED_BYTES = 4096

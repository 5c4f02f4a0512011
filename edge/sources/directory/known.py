"""Which files were done before, of those that are there now."""

import os
from collections.abc import Callable, Collection

from edge.sources.directory.fingerprint import read_fingerprint

KnownFingerprints = Callable[[str, int, int], Collection[str]]
"""Tells by path, size and modification time in nanoseconds which files were done before."""


class Known:
    """Knows a file by its path, size, modification time and fingerprint.

    Of those that have the first three of one that was done the fingerprint is read, once as long
    as they are the same to the kernel: a folder is looked through again and again.

    Args:
        known_fingerprints: Tells what was done before; an empty fingerprint stands for one that
            could not be read.
    """

    def __init__(self, known_fingerprints: KnownFingerprints) -> None:
        self._known_fingerprints = known_fingerprints
        self._done: set[int] = set()

    def has(self, path: str, status: os.stat_result) -> bool:
        """Tell whether a file was done before.

        Args:
            path: Its path.
            status: What it is now.
        """
        if identity_of(path, status) in self._done:
            return True
        known = self._known_fingerprints(path, *stamp_of(status))
        if not known:
            return False
        try:
            fingerprint, read = read_fingerprint(path)
        except OSError:
            fingerprint, read = "", status
        if fingerprint not in known or stamp_of(read) != stamp_of(status):
            return False
        self.add(identity_of(path, read))
        return True

    def add(self, identity: int) -> None:
        """Note that a file is done, by `identity_of`; where these are many, in another's place."""
        if len(self._done) >= _MOST_DONE:
            self._done.pop()
        self._done.add(identity)


def stamp_of(status: os.stat_result) -> tuple[int, int]:
    """Return size, in bytes, and modification time, in nanoseconds."""
    return status.st_size, status.st_mtime_ns


def identity_of(path: str, status: os.stat_result) -> int:
    """Hash all by which a file is the same to the kernel as when its fingerprint was read.

    Where two disks are mounted at one folder in turn, path, size and modification time may agree;
    with some file systems the inode or the device as well.
    """
    place = status.st_dev, status.st_ino, status.st_ctime_ns
    return hash((path, *stamp_of(status), *place))


_MOST_DONE = 1 << 16
"""How many that are done are remembered; of others the fingerprint is read at each sweep."""

"""Whether the file that is open still lies where it was opened."""

import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Self


class Found(Enum):
    """What is at the path of a file that is open."""

    SAME = "that file"
    BARE = "that file, without its log or the log's index, which are open too"
    DELETED = "nothing, or another file, on the disk where it was"
    OTHER_DISK = "a file on another disk"
    NO_DISK = "nothing, and the disk or the folder is away"


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a file was when it was opened: writing to a deleted one succeeds, and is lost."""

    path: Path
    disk: int
    """Number of the device that its folder is on."""
    file: tuple[int, int]
    """Numbers of the device and of the inode."""

    @classmethod
    def of(cls, path: Path) -> Self:
        """Note where a file is.

        Raises:
            OSError: It is not there any more.
        """
        return cls(path, os.stat(path.parent).st_dev, identity(os.stat(path)))

    def look(self, *, companions: tuple[str, ...]) -> Found:
        """See what is at the path now; takes some microseconds for each file.

        Args:
            companions: What is appended to the names of those files that must be beside it.
        """
        try:
            if identity(os.stat(self.path)) == self.file:
                whole = all(os.path.exists(f"{self.path}{name}") for name in companions)
                return Found.SAME if whole else Found.BARE
            here = True
        except FileNotFoundError:
            here = False
        except OSError:
            return Found.NO_DISK
        try:
            disk = os.stat(self.path.parent).st_dev
        except OSError:
            return Found.NO_DISK
        if disk == self.disk:
            return Found.DELETED
        # A folder that is empty is where the disk was mounted.
        return Found.OTHER_DISK if here else Found.NO_DISK


def identity(found: os.stat_result) -> tuple[int, int]:
    """Tell one file from every other that is there at the same time."""
    return found.st_dev, found.st_ino

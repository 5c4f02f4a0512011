"""Results kept on disk by what they were made from: a second run takes up where one ended."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge.errors import InputError

CACHE_VARIABLE = "EDGE_BUILD_CACHE"
"""Environment variable: the cache folder where `--cache` does not name one."""


class Cache:
    """A folder of files, each named by a stage and the hash of all that went into it.

    A file appears whole or not at all, so a killed run leaves nothing that a later one could
    mistake for a result. Processes may share it: what one is making the others wait for.

    Args:
        folder: Where the files live; made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, stage: str, key: str, suffix: str, make: Callable[[Path], None]) -> Path:
        """Return the file of a key, making it first where it is not there yet.

        Args:
            stage: Folder within the cache, such as `frames`.
            key: A hash from `key_of`.
            suffix: Ends the file's name, such as `.npy`.
            make: Writes the file to the path it is given; what it raises leaves no file behind.

        Raises:
            InputError: The disk is full.
        """
        path = self.folder / stage / f"{key}{suffix}"
        if path.is_file():
            return path
        with _told_when_full(self.folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(path.with_name(f".lock-{key}")):
                if not path.is_file():
                    self._make(path, suffix, make)
        return path

    def get_by_steps(
        self, stage: str, key: str, suffix: str, make: Callable[[Path, "Steps"], None]
    ) -> Path:
        """Return the file of a key as `get` does, for what takes long to make.

        Args:
            stage: Folder within the cache.
            key: A hash from `key_of`.
            suffix: Ends the file's name.
            make: As for `get`; it is also given steps, which outlive a killed run until the file
                is made.
        """
        steps = Steps(self.folder / stage / f".steps-{key}")
        path = self.get(stage, key, suffix, lambda part: make(part, steps))
        shutil.rmtree(steps.folder, ignore_errors=True)
        return path

    def _make(self, path: Path, suffix: str, make: Callable[[Path], None]) -> None:
        handle, name = tempfile.mkstemp(prefix=".part-", suffix=suffix, dir=path.parent)
        os.close(handle)
        part = Path(name)
        try:
            with _told_when_full(part.parent):
                make(part)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)


class Steps:
    """What a long fit has got to: files that the next run finds, each whole or not there.

    One process at a time uses them.

    Args:
        folder: Where the files live; made with the first of them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, name: str, make: Callable[[Path], None]) -> Path:
        """Return the file of a name, making it first where it is not there yet."""
        path = self.folder / name
        if not path.is_file():
            self.put(name, make)
        return path

    def put(self, name: str, make: Callable[[Path], None]) -> None:
        """Make the file of a name, in the place of one that is there.

        Args:
            name: The file's.
            make: Writes the file to the path it is given.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        # The same name each time: what a killed run left half done is written over.
        part = self.folder / f"part-{name}"
        try:
            with _told_when_full(part.parent):
                make(part)
            os.replace(part, self.folder / name)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def _told_when_full(folder: Path) -> Iterator[None]:
    """Say so where a write failed since the folder's disk is full."""
    try:
        yield
    except (OSError, RuntimeError) as reason:
        if not _is_for_want_of_room(reason, folder):
            raise
        raise InputError(
            f"{folder}: the disk is full",
            remedy="free some space, or name a cache on another disk by --cache; the same "
            "command takes up from here",
        ) from reason


def _is_for_want_of_room(reason: Exception, folder: Path) -> bool:
    """Say whether a write failed on a full disk; NumPy and Faiss give no error number."""
    if isinstance(reason, OSError) and reason.errno is not None:
        return reason.errno in (errno.ENOSPC, errno.EDQUOT)
    return folder.exists() and shutil.disk_usage(folder).free < _LITTLE_BYTES


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold a lock that the system takes back from a process that ends; the file goes with it."""
    while True:
        with lock.open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                same = os.path.samestat(os.fstat(file.fileno()), lock.stat())
            except FileNotFoundError:
                same = False
            # Who held it before may have removed it, and another hold the one that is there now.
            if not same:
                continue
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
            return


def key_of(*parts: Any) -> str:
    """Hash what went into a result: anything that JSON can write."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def default_cache() -> Path:
    """Return $EDGE_BUILD_CACHE, or `edge-build` among the user's caches."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "edge-build"


_LITTLE_BYTES = 1 << 20

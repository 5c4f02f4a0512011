"""Results kept on disk by what they were made from: a second run takes up where one ended."""

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
        """
        path = self.folder / stage / f"{key}{suffix}"
        if path.is_file():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path.with_name(f".lock-{key}")):
            if not path.is_file():
                self._make(path, suffix, make)
        return path

    def _make(self, path: Path, suffix: str, make: Callable[[Path], None]) -> None:
        handle, name = tempfile.mkstemp(prefix=".part-", suffix=suffix, dir=path.parent)
        os.close(handle)
        part = Path(name)
        try:
            make(part)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)


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

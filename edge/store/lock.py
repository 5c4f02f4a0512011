"""One program at a time writes to a store: an advisory lock on a file beside it."""

import contextlib
import errno
import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

from edge.errors import ConfigError
from edge.store.whereabouts import identity


class StoreLock:
    """Held from `acquire` to `release`, or to the end of the process however that comes.

    The file holds the process's number, and whether a store of ours has been here: of a file that
    cannot be read any more, only that tells that it was one. It also holds the store's trouble,
    since on a full disk no other place is left to say so.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._descriptor = -1
        self._said = ""
        self.was_store = False
        self.lost = False
        """Whether another process had it since it was held here."""

    @classmethod
    def acquire(cls, store: Path) -> "StoreLock":
        """Take the lock of a store's path; on a full disk it may still be to be taken by `keep`.

        Raises:
            ConfigError: Another process holds it, or the folder cannot be written to.
        """
        lock = cls(store)
        try:
            pid = lock._take(_WAIT_S)
        except OSError as reason:
            if reason.errno in NO_ROOM:
                return lock
            raise ConfigError(
                f"{store}: the store cannot be locked: {lock_path(store).name}: {reason.strerror}",
                remedy="make the folder, give it to the user who runs edge, or set store.path",
            ) from None
        if pid is not None:
            raise ConfigError(
                f"{store}: the store is in use by process {pid or 'of unknown number'}",
                remedy="stop that one first, or give this one a store.path of its own",
            )
        return lock

    def keep(self) -> str | None:
        """Take the lock again where its file is gone; return why that cannot be done."""
        path = lock_path(self._store)
        try:
            if self._descriptor >= 0 and _is_at(self._descriptor, path):
                return None
            pid = self._take(_INSTANT_S)
        except OSError as reason:
            why = "no room on disk" if reason.errno in NO_ROOM else "the store cannot be locked"
            return f"{why}: {path}: {reason.strerror}"
        if pid is not None:
            self.lost = True
            return f"the store is in use by process {pid or 'of unknown number'}: {self._store}"
        self.mark()
        return None

    def mark(self) -> None:
        """Note that the file beside is a store of ours."""
        self._put(_MARK, _PID_BYTES)

    def say(self, trouble: str) -> None:
        """Note what keeps the store from being written; nothing when all is well."""
        self._said = trouble
        text = trouble.encode(errors="replace")[:_TROUBLE_BYTES]
        self._put(text.ljust(_TROUBLE_BYTES), _PID_BYTES + len(_MARK))

    def release(self) -> None:
        """Let go; the file stays."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _take(self, wait_s: float) -> int | None:
        """Take it; return the number of the process that has it instead, 0 where unknown."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(lock_path(self._store), flags, 0o640)
        # A reader that asks whether the daemon runs holds it for an instant.
        until = time.monotonic() + wait_s
        while not _lock(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > until:
                pid = _pid(descriptor)
                os.close(descriptor)
                return pid
            time.sleep(_INSTANT_S)
        self.release()
        self._descriptor = descriptor
        self.was_store = os.pread(descriptor, len(_MARK), _PID_BYTES) == _MARK
        self._put(b"%-15d\n" % os.getpid(), 0)
        self.say(self._said)
        return None

    def _put(self, content: bytes, at: int) -> None:
        # Written in place, and what is said there only helps: a full disk is no reason to stop.
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, content, at)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return identity(os.fstat(descriptor)) == identity(os.stat(path))
    except FileNotFoundError:
        return False


NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""What the system says of a disk that is full."""


def lock_path(store: Path) -> Path:
    """Name the lock's file."""
    return store.with_name(f"{store.name}.lock")


@dataclass(frozen=True, slots=True)
class Holder:
    """Who writes to a store now."""

    pid: int
    """0 where it is not known."""
    trouble: str
    """What keeps it from writing; empty when nothing does."""


def holder(store: Path) -> Holder | None:
    """Find who writes to a store now; None when nobody does."""
    try:
        descriptor = os.open(lock_path(store), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if _lock(descriptor, fcntl.LOCK_SH):
            return None
        said = os.pread(descriptor, _TROUBLE_BYTES, _PID_BYTES + len(_MARK))
        return Holder(_pid(descriptor), said.decode(errors="replace").strip())
    finally:
        os.close(descriptor)


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pid(descriptor: int) -> int:
    text = os.pread(descriptor, _PID_BYTES, 0).strip()
    return int(text) if text.isdigit() else 0


_PID_BYTES = 16
_MARK = b"edge store\n"
_TROUBLE_BYTES = 300
_WAIT_S = 1.0
_INSTANT_S = 0.02

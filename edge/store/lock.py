"""One program at a time writes to a store: an advisory lock on a file beside it."""

import contextlib
import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

from edge.errors import ConfigError


class StoreLock:
    """Held from `acquire` to `release`, or to the end of the process however that comes.

    The file holds the process's number, and whether a store of ours has been here: of a file that
    cannot be read any more, only that tells that it was one. It also holds the store's trouble,
    since on a full disk no other place is left to say so.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.was_store = os.pread(descriptor, len(_MARK), _PID_BYTES) == _MARK
        self._put(b"%-15d\n" % os.getpid(), 0)

    @classmethod
    def acquire(cls, store: Path) -> "StoreLock":
        """Take the lock of a store's path.

        Raises:
            ConfigError: Another process holds it, or the folder cannot be written to.
        """
        try:
            descriptor = os.open(
                lock_path(store), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640
            )
        except OSError as reason:
            raise ConfigError(
                f"{store}: the store cannot be locked: {lock_path(store).name}: {reason.strerror}",
                remedy="make the folder, give it to the user who runs edge, or set store.path",
            ) from None
        # A reader that asks whether the daemon runs holds it for an instant.
        until = time.monotonic() + _WAIT_S
        while not _lock(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > until:
                pid = _pid(descriptor)
                os.close(descriptor)
                raise ConfigError(
                    f"{store}: the store is in use by process {pid or 'of unknown number'}",
                    remedy="stop that one first, or give this one a store.path of its own",
                )
            time.sleep(_WAIT_S / 50)
        return cls(descriptor)

    def mark(self) -> None:
        """Note that the file beside is a store of ours."""
        self._put(_MARK, _PID_BYTES)
        self.say("")

    def say(self, trouble: str) -> None:
        """Note what keeps the store from being written; nothing when all is well."""
        text = trouble.encode(errors="replace")[:_TROUBLE_BYTES]
        self._put(text.ljust(_TROUBLE_BYTES), _PID_BYTES + len(_MARK))

    def release(self) -> None:
        """Let go; the file stays."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _put(self, content: bytes, at: int) -> None:
        # Written in place, and what is said there only helps: a full disk is no reason to stop.
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, content, at)


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

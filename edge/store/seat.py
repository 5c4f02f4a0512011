"""The file that a store is written to: open, locked, and where it should be."""

import contextlib
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

from edge.errors import ConfigError
from edge.store import opening, schema
from edge.store.lock import StoreLock
from edge.store.whereabouts import Found, Whereabouts


class HinderedError(Exception):
    """The file cannot be written now; it says why."""


class Content(Enum):
    """What the connection leads to, compared with before."""

    SAME = "the same file"
    MOVED = "another file with the same rows"
    OTHER = "a file with other rows, or none"


@dataclass(frozen=True, slots=True)
class Change:
    """What `keep` came to."""

    content: Content
    note: str = ""
    """What happened, for the log."""
    opened: opening.Opened | None = None
    """Of a file with other rows."""


class Seat:
    """Opens and keeps a store's file, for the one that writes.

    Args:
        path: The file, absolute.
        now: The clock, UTC.

    Raises:
        ConfigError: The file is no store or a newer edge's, another process uses it, or the
            folder cannot be written to.
    """

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        self.path = path
        self._now = now
        self._whereabouts: Whereabouts | None = None
        self.lock = StoreLock.acquire(path)
        try:
            self.opened = self._open()
        except BaseException:
            self.lock.release()
            raise
        self.connection = self.opened.connection

    def keep(self, *, begun: bool) -> Change:
        """See that what is written comes to lie at the path; mend it where it would not.

        Args:
            begun: Whether anything was written by now.

        Raises:
            HinderedError: That cannot be done now.
        """
        found = Found.SAME
        if self._whereabouts is not None:
            found = self._whereabouts.look(companions=opening.COMPANIONS[1:3] if begun else ())
        if found is Found.NO_DISK:
            raise HinderedError(f"the store's folder is gone, or its disk is away: {self.path}")
        hindrance = self.lock.keep()
        if hindrance is not None:
            raise HinderedError(hindrance)
        if self._whereabouts is None:
            return self._attach("")
        if found is Found.OTHER_DISK:
            self._let_go_of_other_disk()
            return self._attach(f"{self.path.name} is on another disk than before")
        if self.lock.lost:
            return self._attach(f"{self.path.name} was used by another process meanwhile")
        if found is Found.DELETED:
            return self._put_back() if begun else self._attach("")
        if found is Found.BARE:
            self.connection.close()
            return self._reconnect(f"the log of {self.path.name} was deleted while it was in use")
        return Change(Content.SAME)

    @property
    def is_open(self) -> bool:
        """Whether `connection` leads to the file."""
        return self._whereabouts is not None

    def let_go(self) -> None:
        """Close the file until it can be written: `keep` opens it again."""
        with contextlib.suppress(sqlite3.Error):
            self.connection.close()
        self.connection = sqlite3.connect(":memory:", check_same_thread=False)
        self._whereabouts = None

    def _let_go_of_other_disk(self) -> None:
        """Close the file, and leave alone what lies at the path.

        SQLite deletes a log by its name, and knows a file that was moved by its inode's number,
        which a file on another disk may share.
        """
        log, kept = (self.path.with_name(self.path.name + end) for end in ("-wal", "-wal.kept"))
        try:
            if log.exists():
                log.rename(kept)
            self.let_go()
            if kept.exists():
                kept.rename(log)
        except OSError as reason:
            raise HinderedError(opening.trouble(self.path, reason)) from None

    def set_aside(self) -> Path:
        """Rename a damaged file and begin a new one.

        Returns:
            Where the damaged one is now.

        Raises:
            HinderedError: That cannot be done now.
        """
        try:
            place = opening.set_aside(self.path, self._now())
            with contextlib.suppress(sqlite3.Error):
                self.connection.close()
            self.connection = opening.make_new(self.path)
            self._whereabouts = Whereabouts.of(self.path)
        except (OSError, ConfigError, opening.NoRoomError) as reason:
            raise HinderedError(
                f"the store is damaged and cannot be set aside: {self.path}: {reason}"
            ) from None
        return place

    def close(self) -> None:
        """Close the file and release the lock."""
        try:
            self.connection.close()
        finally:
            self.lock.release()

    def _open(self) -> opening.Opened:
        was_store, at = self.lock.was_store, self._now()
        try:
            opened = opening.open_database(self.path, was_store=was_store, at=at)
        except opening.NoRoomError as reason:
            return opening.open_on_full_disk(self.path, reason, was_store=was_store, at=at)
        with contextlib.suppress(OSError):
            self._whereabouts = Whereabouts.of(self.path)
        return opened

    def _attach(self, note: str) -> Change:
        """Take up what is at the path now, as at a start; a file is made where there is none."""
        self.let_go()
        try:
            opened = opening.open_database(self.path, was_store=self.lock.was_store, at=self._now())
            whereabouts = Whereabouts.of(self.path)
        except ConfigError as error:
            raise HinderedError(error.what) from None
        except (opening.NoRoomError, OSError) as reason:
            raise HinderedError(str(reason)) from None
        self.connection, self._whereabouts = opened.connection, whereabouts
        self.lock.lost = False
        return Change(Content.OTHER, note, opened)

    def _put_back(self) -> Change:
        what = f"{self.path.name} was deleted or moved away while it was in use"
        try:
            other = opening.put_back(self.connection, self.path, self._now())
        except (OSError, sqlite3.Error) as reason:
            hindrance = opening.trouble(self.path, reason)
            if hindrance.startswith(opening.NO_ROOM_ON_DISK) and not self.path.exists():
                return self._attach(f"{what}; there was no room to write again what it held")
            raise HinderedError(f"{what}: {hindrance}") from None
        what += "; it was written again with all it held"
        if other is not None:
            what += f", and the file in its place is now {other.name}"
        return self._reconnect(what)

    def _reconnect(self, note: str) -> Change:
        """Open the file whose rows are known."""
        try:
            self.connection = schema.connect(self.path)
            schema.prepare(self.connection)
            self._whereabouts = Whereabouts.of(self.path)
        except (OSError, sqlite3.Error) as reason:
            self.let_go()
            raise HinderedError(opening.trouble(self.path, reason)) from None
        return Change(Content.MOVED, note)

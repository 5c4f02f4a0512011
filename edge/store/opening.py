"""What to do with the file that is found: use it, refuse it, or set it aside."""

import os
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from edge.errors import ConfigError
from edge.store import schema
from edge.store.lock import NO_ROOM

COMPANIONS = ("", "-wal", "-shm", "-journal")
"""What SQLite appends to the names of the files that belong together."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A store's file, ready to be written."""

    connection: sqlite3.Connection
    set_aside: Path | None = None
    """Where the damaged one that was found is now."""
    damage: str = ""
    """What SQLite said of that one."""
    hindrance: str = ""
    """Why it can only be read; empty where it can be written."""


class NoRoomError(Exception):
    """A store's file cannot be opened as it should, since its disk is full."""


def open_database(path: Path, *, was_store: bool, at: datetime) -> Opened:
    """Open a store's file, or make one; set a damaged one aside.

    Args:
        path: The file.
        was_store: Whether it is known that a store of ours was there.
        at: The time now, UTC.

    Raises:
        ConfigError: It is something else, from a newer edge, or cannot be opened or made.
        NoRoomError: It, or what SQLite keeps beside it, cannot be made on a full disk.
    """
    _make_file(path)
    return _checked(schema.connect(path), path, was_store=was_store, at=at)


def open_on_full_disk(
    path: Path, hindrance: NoRoomError, *, was_store: bool, at: datetime
) -> Opened:
    """Open a store's file alone, so that what it holds is known; nobody else can read it then.

    Args:
        path: The file; where it cannot be made an empty store is given.
        hindrance: What came of `open_database`.
        was_store: As there.
        at: As there.

    Raises:
        ConfigError: As there, or not even this can be done.
    """
    try:
        _make_file(path)
        # Its one user needs no file for the index of the log.
        connection = schema.connect(path)
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        opened = _checked(connection, path, was_store=was_store, at=at)
    except NoRoomError as reason:
        if path.exists():
            raise unreadable(path, reason) from None
        opened = Opened(sqlite3.connect(":memory:", check_same_thread=False))
    return replace(opened, hindrance=str(hindrance))


def _checked(
    connection: sqlite3.Connection, path: Path, *, was_store: bool, at: datetime
) -> Opened:
    try:
        damage = _find_damage(connection, path)
        if not damage:
            return Opened(connection)
    except sqlite3.DatabaseError as reason:
        if not is_damage(reason):
            connection.close()
            what = trouble(path, reason)
            if what.startswith(NO_ROOM_ON_DISK):
                raise NoRoomError(what) from None
            raise unreadable(path, reason) from None
        damage = str(reason)
    except BaseException:
        connection.close()
        raise
    try:
        if not was_store and not _bears_our_mark(path):
            raise _not_ours(path)
        place = _move_away(path, at)
    finally:
        connection.close()
    return Opened(make_new(path), place, damage)


def set_aside(path: Path, at: datetime, *, why: str = "damaged") -> Path:
    """Rename a database and what belongs to it, so that nothing of it is deleted.

    Close the connection to it only then: SQLite deletes the log, by its name, when that is closed.

    Args:
        path: The file.
        at: The time now, UTC.
        why: A word for its new name.

    Returns:
        Its new path.

    Raises:
        OSError: The folder cannot be written to.
    """
    stamp = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    place = path.with_name(f"{path.name}.{why}-{stamp}")
    number = 1
    while any(_with(place, companion).exists() for companion in COMPANIONS):
        number += 1
        place = path.with_name(f"{path.name}.{why}-{stamp}.{number}")
    for companion in reversed(COMPANIONS):
        if _with(path, companion).exists():
            _with(path, companion).rename(_with(place, companion))
    return place


def put_back(connection: sqlite3.Connection, path: Path, at: datetime) -> Path | None:
    """Make a deleted file again, with all that its connection still reads, and close that.

    Args:
        connection: To the deleted file, outside a transaction.
        path: Where it was, and is to be; another file there is set aside.
        at: The time now, UTC.

    Returns:
        Where that other file is now.

    Raises:
        sqlite3.Error: It cannot be read, or not written for now.
        OSError: The folder cannot be written to.
    """
    # The log's name may be its own or another file's by now: empty, it spoils neither.
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("another program still reads the file that was deleted")
    new = _with(path, ".new")
    try:
        for companion in COMPANIONS:
            _with(new, companion).unlink(missing_ok=True)
        with closing(sqlite3.connect(new)) as copy:
            connection.backup(copy)
        other = set_aside(path, at, why="found") if path.exists() else None
        for companion in COMPANIONS[1:]:
            _with(path, companion).unlink(missing_ok=True)
        # Of a file that was moved SQLite leaves what bears the log's name alone.
        connection.close()
        new.rename(path)
    except BaseException:
        for companion in COMPANIONS:
            _with(new, companion).unlink(missing_ok=True)
        raise
    return other


def trouble(path: Path, error: sqlite3.Error | OSError) -> str:
    """Say what keeps a store from being written."""
    if isinstance(error, OSError):
        what = NO_ROOM_ON_DISK if error.errno in NO_ROOM else "the store cannot be written"
        return f"{what}: {path}: {error.strerror}"
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    what = _TROUBLES.get(code, "the store cannot be written")
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and _is_full(path.parent):
        what = NO_ROOM_ON_DISK
    return f"{what}: {path}: {error}"


def is_damage(error: sqlite3.Error) -> bool:
    """Tell a damaged database from one that only cannot be used now."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE


def check_kind(connection: sqlite3.Connection, path: Path) -> None:
    """See that a file is a store whose tables are known here.

    Raises:
        ConfigError: It is not.
    """
    if connection.execute("PRAGMA application_id").fetchone()[0] != schema.APPLICATION_ID:
        raise _not_ours(path)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > schema.VERSION:
        raise ConfigError(
            f"{path}: the store is of a newer edge: its schema is {version}, "
            f"this one knows {schema.VERSION}",
            remedy="install that edge again, or set store.path to another file",
        )


def unreadable(path: Path, error: sqlite3.DatabaseError | NoRoomError) -> ConfigError:
    """Say that a store is there and cannot be used now."""
    return ConfigError(
        f"{path}: the store cannot be read: {error}",
        remedy="make room on its disk, see to its permissions, and end what locks it",
    )


def make_new(path: Path) -> sqlite3.Connection:
    """Make an empty file in place of one that was set aside, and open it.

    Raises:
        ConfigError: The folder cannot be written to.
        NoRoomError: The disk is full.
    """
    _make_file(path)
    return schema.connect(path)


def _move_away(path: Path, at: datetime) -> Path:
    try:
        return set_aside(path, at)
    except OSError as reason:
        raise ConfigError(
            f"{path}: the store is damaged and cannot be set aside: {reason.strerror}",
            remedy="make its folder writable for the user who runs edge, or move the file away",
        ) from None


def _make_file(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as reason:
        if reason.errno in NO_ROOM:
            raise NoRoomError(f"{NO_ROOM_ON_DISK}: {path}: {reason.strerror}") from None
        raise ConfigError(
            f"{path}: the store cannot be opened: {reason.strerror}",
            remedy="give it to the user who runs edge, or set store.path",
        ) from None
    os.close(descriptor)


def _find_damage(connection: sqlite3.Connection, path: Path) -> str:
    """Check a file; return what is broken, nothing for a good one or an empty one."""
    if schema.is_empty(connection):
        return ""
    check_kind(connection, path)
    try:
        last = connection.execute("SELECT ended_us FROM runs ORDER BY run DESC LIMIT 1").fetchone()
    except sqlite3.OperationalError as reason:
        if getattr(reason, "sqlite_errorcode", 0) == sqlite3.SQLITE_ERROR:
            return str(reason)
        raise
    if last is not None and last[0] is not None:
        return ""
    said: str = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    return "" if said == "ok" else said.replace("\n", " ")


def _is_full(folder: Path) -> bool:
    """Tell whether a folder cannot take what SQLite puts beside a file, quotas included."""
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            return file.write(bytes(_LEAST_BYTES)) != _LEAST_BYTES
    except OSError as reason:
        return reason.errno in NO_ROOM


def _bears_our_mark(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(72)[68:] == schema.APPLICATION_ID.to_bytes(4, "big")


def _not_ours(path: Path) -> ConfigError:
    return ConfigError(
        f"{path}: is no store of edge",
        remedy="set store.path to another file, or move this one away",
    )


def _with(path: Path, companion: str) -> Path:
    return path.with_name(path.name + companion)


_LEAST_BYTES = 64 << 10
NO_ROOM_ON_DISK = "no room on disk"
_TROUBLES = {
    sqlite3.SQLITE_FULL: NO_ROOM_ON_DISK,
    sqlite3.SQLITE_IOERR: "the disk fails",
    sqlite3.SQLITE_READONLY: "the disk is read-only",
    sqlite3.SQLITE_BUSY: "another program locks the store",
    sqlite3.SQLITE_CANTOPEN: "the store's files cannot be opened",
}
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

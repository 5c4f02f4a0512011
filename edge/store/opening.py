"""What to do with the file that is found: use it, refuse it, or set it aside."""

import os
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edge.errors import ConfigError
from edge.store import schema

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


def open_database(path: Path, *, was_store: bool, at: datetime) -> Opened:
    """Open a store's file, or make one; set a damaged one aside.

    Args:
        path: The file.
        was_store: Whether it is known that a store of ours was there.
        at: The time now, UTC.

    Raises:
        ConfigError: It is something else, from a newer edge, or cannot be opened or made.
    """
    _make_file(path)
    connection = schema.connect(path)
    try:
        damage = _find_damage(connection, path)
        if not damage:
            return Opened(connection)
    except sqlite3.DatabaseError as reason:
        if not is_damage(reason):
            connection.close()
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


def set_aside(path: Path, at: datetime) -> Path:
    """Rename a database and what belongs to it, so that nothing of it is deleted.

    Close the connection to it only then: SQLite deletes the log, by its name, when that is closed.

    Returns:
        Its new path.

    Raises:
        OSError: The folder cannot be written to.
    """
    stamp = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    place = path.with_name(f"{path.name}.damaged-{stamp}")
    number = 1
    while any(_with(place, companion).exists() for companion in COMPANIONS):
        number += 1
        place = path.with_name(f"{path.name}.damaged-{stamp}.{number}")
    for companion in reversed(COMPANIONS):
        if _with(path, companion).exists():
            _with(path, companion).rename(_with(place, companion))
    return place


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


def unreadable(path: Path, error: sqlite3.DatabaseError) -> ConfigError:
    """Say that a store is there and cannot be used now."""
    return ConfigError(
        f"{path}: the store cannot be read: {error}",
        remedy="make room on its disk, see to its permissions, and end what locks it",
    )


def make_new(path: Path) -> sqlite3.Connection:
    """Make an empty file in place of one that was set aside, and open it.

    Raises:
        ConfigError: The folder cannot be written to.
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


_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

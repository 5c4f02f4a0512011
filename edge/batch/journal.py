"""The file beside the output that makes a run resumable."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from edge.batch.record import (
    FORMAT,
    MARK,
    PREFIX_BYTES,
    FileRecord,
    pack,
    read_prefix,
    unpack,
)
from edge.contracts import FloatArray
from edge.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class StoredRows:
    """Rows read back."""

    ends_s: list[float]
    states: str
    scores: FloatArray
    """[shape=(predicted windows, n_labels)]"""


class Journal:
    """Append-only records of what was scored; a kill loses at most the recordings in progress.

    Each record stands under a checksum. The first names the run: model, options, version. Rows of
    a recording come in one or more records, from several recordings interleaved; the recording
    counts once its FileRecord, which lists the places of its rows, is there.

    Args:
        path: Where it is.
        run: What the run depends on; another run's journal is refused.
        resume: Go on with the journal that is there, if one is. Otherwise it is put aside.

    Raises:
        InputError: The journal is another run's, in use, or cannot be written.
    """

    def __init__(self, path: Path, run: Mapping[str, Any], *, resume: bool) -> None:
        self.path = path
        self.put_aside: Path | None = None
        """Where the journal of an unfinished run was put that is not resumed."""
        self.dropped_bytes = 0
        """Torn or damaged bytes at the end that were cut off."""
        self._places: dict[str, int] = {}
        run = {"format": FORMAT, **run}
        try:
            if path.exists() and not resume:
                _refuse_if_in_use(path)
                self.put_aside = _free_name(path)
                path.rename(self.put_aside)
            self._file: BinaryIO = open(path, "a+b", buffering=0)  # noqa: SIM115 (closed by close)
        except OSError as reason:
            raise InputError(
                f"{path}: cannot be written: {reason.strerror}",
                remedy="choose an --out in a folder that can be written to",
            ) from None
        _lock(self._file, path)
        self._size = os.fstat(self._file.fileno()).st_size
        if self._size:
            self._restore(run)
        if not self._size:
            self._append(pack({"run": run}))

    @property
    def is_fresh(self) -> bool:
        """Whether nothing was scored yet."""
        return not self._places

    def find(self, path: str) -> FileRecord | None:
        """Return the record of a recording, if it was scored."""
        place = self._places.get(path)
        return None if place is None else self._record_at(place)

    def add_rows(self, packed: bytes) -> tuple[int, int]:
        """Append rows as `pack_rows` made them; return their place."""
        return self._append(packed)

    def add_file(self, record: FileRecord) -> None:
        """Append what completes a recording."""
        place, _ = self._append(pack({"file": record.to_json()}))
        self._places[record.path] = place

    def forget(self, path: str) -> None:
        """Let a recording count as not scored; a later record of it takes its place."""
        self._places.pop(path, None)

    def rows(self, record: FileRecord) -> Iterator[StoredRows]:
        """Read the rows of a recording, in order."""
        for place, length in record.parts:
            head, scores = unpack(os.pread(self._file.fileno(), length, place))
            predicted = head["states"].count("P")
            yield StoredRows(head["ends"], head["states"], scores.reshape(predicted, head["width"]))

    def close(self) -> None:
        """Close the file and leave it for a resume."""
        self._file.close()

    def remove(self) -> None:
        """Close the file and delete it: the run is complete."""
        self.path.unlink(missing_ok=True)
        self.close()

    def _append(self, record: bytes) -> tuple[int, int]:
        place, rest = self._size, memoryview(record)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as reason:
            raise InputError(
                f"{self.path}: cannot be written: {reason.strerror}",
                remedy="free space, then go on with --resume",
            ) from None
        self._size += len(record)
        return place, len(record)

    def _record_at(self, place: int) -> FileRecord:
        prefix = os.pread(self._file.fileno(), PREFIX_BYTES, place)
        text_size, body_size, _ = read_prefix(prefix)
        length = PREFIX_BYTES + text_size + body_size
        head, _ = unpack(os.pread(self._file.fileno(), length, place))
        return FileRecord.from_json(head["file"])

    def _restore(self, run: dict[str, Any]) -> None:
        """Read the records that are whole, and cut off what follows them."""
        begin = os.pread(self._file.fileno(), len(MARK), 0)
        if not MARK.startswith(begin):
            raise self._refused(None, run)
        place = 0
        while (record := self._whole_record(place)) is not None:
            length, head = record
            if place == 0 and head.get("run") != run:
                raise self._refused(head.get("run"), run)
            if "file" in head:
                self._places[head["file"]["path"]] = place
            place += length
        if place < self._size:
            self.dropped_bytes = self._size - place
            self._file.truncate(place)
            self._size = place

    def _whole_record(self, place: int) -> tuple[int, dict[str, Any]] | None:
        """Read the record at a place; return its length and head, None where it is not whole."""
        prefix = os.pread(self._file.fileno(), PREFIX_BYTES, place)
        try:
            if len(prefix) < PREFIX_BYTES:
                return None
            text_size, body_size, _ = read_prefix(prefix)
            length = PREFIX_BYTES + text_size + body_size
            if place + length > self._size:
                return None
            head, _ = unpack(os.pread(self._file.fileno(), length, place))
        except ValueError:
            return None
        return length, head

    def _refused(self, found: object, expected: dict[str, Any]) -> InputError:
        """Leave the file as it is; return what to say of it."""
        self.close()
        return InputError(_difference(self.path, found, expected), remedy=_OTHER_RUN)


def _lock(file: BinaryIO, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise InputError(
            f"{path}: another edge-batch is writing this output",
            remedy="wait for it, stop it, or choose another --out",
        ) from None
    except OSError:
        return  # a file system without locks: two runs on one output are not told apart there


def _refuse_if_in_use(path: Path) -> None:
    with path.open("rb") as file:
        _lock(file, path)


def _free_name(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    return aside


def _difference(path: Path, found: object, expected: dict[str, Any]) -> str:
    if not isinstance(found, dict):
        return f"{path}: is no journal of edge-batch"
    if found.get("format") != FORMAT:
        return f"{path}: is the journal of another version of edge-batch"
    keys = [key for key in expected if found.get(key) != expected[key]]
    parts = [f"{key} was {found.get(key)}, is {expected[key]}" for key in keys]
    return f"{path}: belongs to another run: {'; '.join(parts)}"


_OTHER_RUN = (
    "resume with the model and options it was begun with, "
    "or leave out --resume to start afresh, or choose another --out"
)

"""What scoring one recording gives, and how it is kept as bytes."""

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from edge.contracts import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Some consecutive windows of one recording."""

    ends_s: Sequence[float]
    """Where each window ends, in seconds from the recording's start."""
    states: str
    """One letter a window: `STATE_LETTERS`."""
    scores: FloatArray
    """[shape=(predicted windows, n_labels)]"""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive windows of one recording without a prediction, all for the same reason."""

    start_s: float
    """Where the first begins, in seconds from the recording's start."""
    end_s: float
    """Where the last ends."""
    windows: int
    state: str
    """Its letter: `STATE_LETTERS`, but for P."""
    reason: str


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What became of one recording."""

    path: str
    size: int
    """Bytes."""
    mtime_ns: int
    model: str
    """Fingerprint of the model that scored it."""
    seconds: float
    """Length of the audio that was decoded."""
    elapsed_s: float
    """What scoring it took."""
    counts: Mapping[str, int]
    """Windows by state letter."""
    unscored: Sequence[Stretch]
    """Where windows have no prediction and why, in order."""
    notes: Sequence[str]
    """What was off in the file."""
    ends_early: bool = False
    """Whether the file lacks its end."""
    out_of_time: bool = False
    """Whether the budget ended before the recording did."""
    parts: Sequence[tuple[int, int]] = field(default=())
    """Place and length of its `Rows` in the journal, in bytes."""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "FileRecord":
        """Make one of what `to_json` returned."""
        unscored = [Stretch(**stretch) for stretch in values["unscored"]]
        parts = [(place, length) for place, length in values["parts"]]
        return cls(**{**values, "unscored": unscored, "parts": parts})


STATE_LETTERS = {"predicted": "P", "skipped": "S", "failed": "F", "gap": "G"}

FORMAT = 3
"""Of what the records' heads hold; a journal of another one is not gone on with."""

_PREFIX = struct.Struct("<4sIQI")
"""Mark, length of the JSON head, length of the scores, CRC-32 of both; lengths in bytes."""
MARK = b"edg1"
"""What a record begins with, of whatever format."""


def pack(head: Mapping[str, Any], scores: FloatArray | None = None) -> bytes:
    """Make one record of the journal: JSON, then float32 scores, under a CRC-32."""
    text = json.dumps(head).encode()
    body = b"" if scores is None else np.ascontiguousarray(scores, dtype="<f4").tobytes()
    crc = zlib.crc32(body, zlib.crc32(text))
    return b"".join([_PREFIX.pack(MARK, len(text), len(body), crc), text, body])


def pack_rows(rows: Rows) -> bytes:
    """Make a record of rows."""
    head = {"ends": list(rows.ends_s), "states": rows.states, "width": rows.scores.shape[1]}
    return pack(head, rows.scores)


def unpack(record: bytes) -> tuple[dict[str, Any], FloatArray]:
    """Read a record back: its JSON and its scores [shape=(n,)].

    Raises:
        ValueError: It is torn or damaged.
    """
    if len(record) < PREFIX_BYTES:
        raise ValueError("a record is cut short")
    text_size, body_size, crc = read_prefix(record)
    text = record[PREFIX_BYTES : PREFIX_BYTES + text_size]
    body = record[PREFIX_BYTES + text_size : PREFIX_BYTES + text_size + body_size]
    if len(text) + len(body) != text_size + body_size or zlib.crc32(body, zlib.crc32(text)) != crc:
        raise ValueError("a record is damaged")
    head: dict[str, Any] = json.loads(text)
    return head, np.frombuffer(body, dtype="<f4")


def read_prefix(record: bytes) -> tuple[int, int, int]:
    """Return the lengths of a record's head and body in bytes, and its CRC-32.

    Raises:
        ValueError: No record begins so.
    """
    mark, text_size, body_size, crc = _PREFIX.unpack_from(record)
    if mark != MARK:
        raise ValueError("no record begins here")
    return text_size, body_size, crc


PREFIX_BYTES = _PREFIX.size

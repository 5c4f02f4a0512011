"""Whether a file is as long as its header says."""

from enum import Enum
from pathlib import Path

from edge.riff import UNKNOWN_SIZES, read_layout


class Header(Enum):
    """What a file's header says of its length."""

    AGREES = "agrees"
    """As much as is there; also of formats whose header says nothing to the point."""
    UNSAID = "unsaid"
    """Nothing, or less than is there: sizes are filled in when a recording ends."""
    SHORT = "short"
    """More than is there, or the header itself is not complete."""


def read_header(path: Path) -> Header:
    """Compare a file's size with what its header promises.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(12)
    if len(head) < 12:
        return Header.SHORT
    if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        return Header.AGREES
    layout = read_layout(path)
    if layout is None:
        return Header.SHORT
    if not layout.notes:
        return Header.AGREES
    there = layout.data_end - layout.data_start
    if layout.promised > there and layout.promised not in UNKNOWN_SIZES:
        return Header.SHORT
    return Header.UNSAID

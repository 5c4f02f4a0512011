"""What every form of label file says."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Mark(NamedTuple):
    """A row of a label file: a stretch of a recording, and what is heard in it."""

    audio: str
    """Path or name of the recording, as the row gives it; empty where it bears the file's name."""
    start_s: float
    """From the recording's start; as it was written, whatever the sense of it."""
    end_s: float
    label: str
    """Empty where the row gives none."""
    line: int
    """Its line in the label file, from 1."""


@dataclass(frozen=True, slots=True)
class LabelFile:
    """A label file that was read."""

    path: Path
    marks: tuple[Mark, ...]
    listed: tuple[str, ...]
    """Recordings it speaks of, marked or not, as `Mark.audio` names them."""
    remark: str = ""
    """What was chosen while it was read; empty where there was no choice."""

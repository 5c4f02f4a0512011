"""Detections in the formats of the field, one file each."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from edge.export import audacity, birdnet, csv, jsonl, kaleidoscope, raven
from edge.table.context import Context
from edge.table.each import Written
from edge.table.recordings import Found


class Format(Protocol):
    """What each module here offers; its docstring says what it writes and what reads it."""

    def write(self, found: Iterable[Found], out_dir: Path, context: Context) -> Written:
        """Write detections in this format; each file is there whole or not at all.

        Args:
            found: In order of number; taken one by one, never all held.
            out_dir: The folder to write into; made if missing. Files of the same name are replaced.
            context: What is known besides the detections.

        Returns:
            What came of it.

        Raises:
            InputError: A file cannot be written.
        """
        ...


FORMATS: Mapping[str, Format] = {
    "csv": csv,
    "jsonl": jsonl,
    "raven": raven,
    "audacity": audacity,
    "kaleidoscope": kaleidoscope,
    "birdnet": birdnet,
}
"""The formats by the names that a command line takes."""

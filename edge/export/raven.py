"""Raven selection tables: `NAME.Table.1.selections.txt` for each recording, as Raven names its own.

Raven reads such a table in two ways. As a selection table, beside a sound that is open, it goes by
Begin Time and End Time and counts them from the start of what the window holds. As a sound
selection table, which opens the sounds itself, it goes by Begin Path and File Offset. With one
table a recording both are the same seconds and both ways lead to the same place; one table for many
recordings would have to add up their lengths, which hold only while exactly these files are open in
exactly this order. A recording in which nothing was found has a table of the heading alone.

A live stream has no file: its tables hold a UTC hour each, with seconds from its start, and Begin
Path is empty. They can be read, but not opened beside a sound.

A detection says nothing of frequency, so its box reaches from 0 Hz to half the recording's sample
rate; to 15 kHz, as BirdNET's, where the rate is not known.

The Species Code is the model's label as it is. That is what BirdNET-Analyzer writes of a species
whose eBird code it does not know, and it is the eBird code where a model's labels are such codes.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from edge.table.context import Context
from edge.table.each import Written, write_each
from edge.table.recordings import Found, Recording, Spot
from edge.table.rows import split_label
from edge.table.text import seconds, tab_line

COLUMNS = (
    "Selection",
    "View",
    "Channel",
    "Begin Time (s)",
    "End Time (s)",
    "Low Freq (Hz)",
    "High Freq (Hz)",
    "Common Name",
    "Species Code",
    "Confidence",
    "Begin Path",
    "File Offset (s)",
)


def write(found: Iterable[Found], out_dir: Path, context: Context) -> Written:
    """Write a selection table for each recording; see `Format`."""
    return write_each(found, out_dir, context, suffix=".Table.1.selections.txt", lines=_lines)


def _lines(recording: Recording, spots: Iterator[Spot]) -> Iterator[str]:
    high_hz = recording.rate_hz / 2 if recording.rate_hz else _USUAL_HIGH_HZ
    yield tab_line(COLUMNS)
    for number, (start_s, end_s, label, confidence) in enumerate(spots, start=1):
        begin = seconds(start_s)
        yield tab_line(
            (
                number,
                "Spectrogram 1",
                1,
                begin,
                seconds(end_s),
                0.0,
                high_hz,
                split_label(label).common,
                label,
                f"{confidence:.4f}",
                recording.path,
                begin,
            )
        )


_USUAL_HIGH_HZ = 15_000.0

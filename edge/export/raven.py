"""Raven selection tables: `NAME.Table.1.selections.txt` for each recording, as Raven names its own.

Raven reads such a table in two ways. As a selection table, beside a sound that is open, it goes by
Begin Time and End Time and counts them from the start of what the window holds. As a sound
selection table, which opens the sounds itself, it goes by Begin Path and File Offset. With one
table a recording both are the same seconds and both ways lead to the same place; one table for many
recordings would have to add up their lengths, which hold only while exactly these files are open in
exactly this order.

A live stream has no file: its tables hold a UTC hour each, and the stream's name as Begin Path.

A detection says nothing of frequency, so its box reaches from 0 Hz to half the recording's sample
rate; to 15 kHz, as BirdNET's, where the rate is not known.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from edge.contracts import Detection
from edge.table.context import Context
from edge.table.recordings import Recording, Spot, write_each
from edge.table.rows import split_label
from edge.table.text import as_text, seconds, tab_line

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


def write(detections: Iterable[Detection], out_dir: Path, context: Context) -> list[Path]:
    """Write a selection table for each recording; see `Format`.

    The species code is the scientific name: labels carry no eBird codes.
    """

    def lines(recording: Recording, spots: Iterator[Spot]) -> Iterator[str]:
        rate_hz = context.rate_hz(recording.stream)
        high_hz = rate_hz / 2 if rate_hz else _USUAL_HIGH_HZ
        path = as_text(recording.stream)
        yield tab_line(COLUMNS)
        for number, (start_s, end_s, label, confidence) in enumerate(spots, start=1):
            species = split_label(label)
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
                    species.common,
                    species.scientific,
                    f"{confidence:.4f}",
                    path,
                    begin,
                )
            )

    return write_each(detections, out_dir, suffix=".Table.1.selections.txt", lines=lines)


_USUAL_HIGH_HZ = 15_000.0

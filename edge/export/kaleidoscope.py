"""Kaleidoscope: `kaleidoscope.csv`, a line a detection, opened by File, Open Results.

The file is `INDIR/FOLDER/IN FILE`: its folder is FOLDER, all above is INDIR. TOP1MATCH is the label
and TOP1DIST its distance, small where Kaleidoscope is sure: 1 less the confidence.

A live stream has no file: FOLDER is its name, IN FILE its name and UTC hour, OFFSET the seconds
since that hour.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from edge.contracts import Detection
from edge.table.context import Context
from edge.table.recordings import place
from edge.table.text import as_text, csv_line, seconds
from edge.table.whole import write_lines

COLUMNS = ("INDIR", "FOLDER", "IN FILE", "OFFSET", "DURATION", "TOP1MATCH", "TOP1DIST")


def write(detections: Iterable[Detection], out_dir: Path, context: Context) -> list[Path]:
    """Write one file for all recordings, in the order given; see `Format`."""
    return [write_lines(out_dir / "kaleidoscope.csv", _lines(detections))]


def _lines(detections: Iterable[Detection]) -> Iterator[str]:
    yield csv_line(COLUMNS)
    for detection in detections:
        recording, spot = place(detection)
        if recording.hour:
            where = ["", as_text(recording.stream), recording.title]
        else:
            path = PurePosixPath(recording.stream)
            parts = (str(path.parent.parent), path.parent.name, path.name)
            where = [as_text(part) for part in parts]
        yield csv_line(
            (
                *where,
                seconds(spot.start_s),
                seconds(spot.end_s - spot.start_s),
                spot.label,
                f"{max(0.0, 1 - spot.confidence):.4f}",
            )
        )

"""Kaleidoscope: `kaleidoscope.csv`, a line a detection, opened by File, Open Results.

The file is `INDIR/FOLDER/IN FILE`: its folder is FOLDER, all above is INDIR. TOP1MATCH is the label
and TOP1DIST its distance, small where Kaleidoscope is sure: 1 less the confidence.

Within a table a path is one recording. Of files that had the same path one after the other, the
second is in `kaleidoscope_2.csv`, and so on.

A live stream has no file: FOLDER is its name, IN FILE its name and UTC hour, OFFSET the seconds
since that hour.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from edge.table.context import Context
from edge.table.each import Written
from edge.table.gathered import Gathered
from edge.table.recordings import Found, Recording
from edge.table.text import as_text, csv_line, seconds
from edge.table.whole import write_lines

COLUMNS = ("INDIR", "FOLDER", "IN FILE", "OFFSET", "DURATION", "TOP1MATCH", "TOP1DIST")


def write(found: Iterable[Found], out_dir: Path, context: Context) -> Written:
    """Write one file for all recordings, by their paths and in order of time; see `Format`."""
    with Gathered(found, context.streams, out_dir) as gathered:
        names = []
        for nth in sorted({1, *gathered.repeats()}):
            names.append("kaleidoscope.csv" if nth == 1 else f"kaleidoscope_{nth}.csv")
            write_lines(out_dir / names[-1], _lines(gathered, nth))
        others = sorted(
            path.name
            for path in out_dir.iterdir()
            if _NAME.fullmatch(path.name) and path.name not in names
        )
        shared, path, sharing = gathered.shared_paths()
        return Written(
            len(names),
            live=gathered.has_live(),
            shared=shared,
            shared_path=as_text(path),
            shared_files=sharing,
            others=len(others),
            other=others[0] if others else "",
        )


def _lines(gathered: Gathered, nth: int) -> Iterator[str]:
    yield csv_line(COLUMNS)
    for number, recording in gathered.recordings(nth=nth):
        where = _where(recording)
        for spot in gathered.spots(number):
            yield csv_line(
                (
                    *where,
                    seconds(spot.start_s),
                    seconds(spot.end_s - spot.start_s),
                    spot.label,
                    f"{max(0.0, 1 - spot.confidence):.4f}",
                )
            )


def _where(recording: Recording) -> tuple[str, str, str]:
    if recording.hour:
        return "", as_text(recording.name), recording.title
    path = PurePosixPath(recording.name)
    return as_text(str(path.parent.parent)), as_text(path.parent.name), as_text(path.name)


_NAME = re.compile(r"kaleidoscope_\d+\.csv")

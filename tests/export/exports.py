"""Detections to formats, and the files that come of it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from edge.contracts import Detection
from edge.export import FORMATS
from edge.table.context import Context
from edge.table.recordings import Found

PER_RECORDING = {
    "raven": ".Table.1.selections.txt",
    "audacity": ".labels.txt",
    "birdnet": ".BirdNET.results.csv",
}
WHOLE = {
    "csv": "detections.csv",
    "jsonl": "detections.jsonl",
    "kaleidoscope": "kaleidoscope.csv",
}


def numbered(detections: Iterable[Detection]) -> Iterator[Found]:
    """Number streams by their names, in order of appearance."""
    numbers: dict[str, int] = {}
    for one in detections:
        yield Found(numbers.setdefault(one.stream, len(numbers) + 1), one)


def export(
    form: str, detections: Iterable[Detection], folder: Path, context: Context
) -> list[Path]:
    """Write detections in a format; list the format's files below the folder, in order."""
    written = FORMATS[form].write(numbered(detections), folder, context)
    ending = (PER_RECORDING | WHOLE)[form]
    paths = sorted(path for path in folder.rglob(f"*{ending}") if path.is_file())
    assert written.files == len(paths)
    return paths

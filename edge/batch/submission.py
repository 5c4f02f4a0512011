"""The rows of a run as one CSV file, written whole or not at all."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.batch.journal import Journal
from edge.batch.numbers import CELL_BYTES, format_cells
from edge.batch.record import FileRecord
from edge.batch.template import ROW_ID, Template
from edge.contracts import FloatArray
from edge.table.whole import replacing


@dataclass(frozen=True, slots=True)
class Scored:
    """A scored recording and what its rows are called after."""

    stem: str
    record: FileRecord


@dataclass(frozen=True, slots=True)
class Matched:
    """How a template fitted what was scored."""

    rows: int
    """Rows of the template."""
    repeated_rows: Sequence[str]
    """Row ids that stand in the template more than once, each once."""
    filled_rows: Sequence[str]
    """Rows without a prediction, which hold their columns' means."""
    unasked: int
    """Predicted rows that the template does not ask for."""
    missing_classes: Sequence[str]
    """Classes that no model knows, which hold 0."""


class Submission:
    """Turns a journal into a CSV file.

    Args:
        journal: What was scored.
        labels: By fingerprint of a model, its labels in order.
    """

    def __init__(self, journal: Journal, labels: Mapping[str, Sequence[str]]) -> None:
        self._journal = journal
        self._labels = labels

    def write(self, path: Path, files: Iterable[Scored], columns: Sequence[str]) -> int:
        """Write every predicted row in order; return their number."""
        rows = 0
        with replacing(path, remedy=_THEN) as out:
            out.write(_join([ROW_ID, *columns]))
            for stem, ends_s, values in self._blocks(files, columns):
                cells = format_cells(values)
                names = [quote(row_id(stem, end_s)) for end_s in ends_s]
                out.write(b"".join(_lines(names, cells)))
                rows += len(names)
        return rows

    def write_template(
        self, path: Path, files: Callable[[], Iterable[Scored]], template: Template
    ) -> Matched:
        """Write exactly the template's rows and columns.

        Args:
            path: The CSV file.
            files: Gives the scored recordings, in order; called twice.
            template: Rows and columns.
        """
        classes = template.classes
        wanted = dict.fromkeys(template.rows, -1)
        total, total_all = np.zeros(len(classes)), np.zeros(len(classes))
        good = unasked = 0
        table = np.zeros((0, len(classes)), dtype=np.float32)
        kept: list[FloatArray] = []
        for stem, ends_s, values in self._blocks(files(), classes):
            asked: list[int] = []
            for at, end_s in enumerate(ends_s):
                name = row_id(stem, end_s)
                if name in wanted:
                    wanted[name] = good + len(asked)
                    asked.append(at)
            good += len(asked)
            unasked += len(ends_s) - len(asked)
            total_all += values.sum(axis=0, dtype=np.float64)
            if asked:
                total += values[asked].sum(axis=0, dtype=np.float64)
                kept.append(values[asked])
        if good:
            table = np.concatenate(kept)
            del kept
        mean = total / good if good else total_all / max(1, unasked)
        filled = [name for name in template.rows if wanted[name] < 0]
        self._write_rows(path, template, wanted, np.vstack([table, mean.astype(np.float32)]))
        known = {label for labels in self._labels.values() for label in labels}
        missing = [name for name in classes if name not in known]
        return Matched(len(template.rows), template.repeated, filled, unasked, missing)

    def _write_rows(
        self, path: Path, template: Template, places: Mapping[str, int], table: FloatArray
    ) -> None:
        """Write the template's rows; a place of -1 is the table's last row."""
        before = template.columns.index(ROW_ID)
        with replacing(path, remedy=_THEN) as out:
            out.write(_join(template.columns))
            for first in range(0, len(template.rows), _ROWS_AT_ONCE):
                names = template.rows[first : first + _ROWS_AT_ONCE]
                cells = format_cells(table[[places[name] for name in names]])
                out.write(b"".join(_lines([quote(name) for name in names], cells, before=before)))

    def _blocks(
        self, files: Iterable[Scored], columns: Sequence[str]
    ) -> Iterator[tuple[str, list[float], FloatArray]]:
        """Yield stem, window ends and scores [shape=(rows, columns)] of predicted windows."""
        picks = {model: _pick(labels, columns) for model, labels in self._labels.items()}
        for file in files:
            pick = picks[file.record.model]
            for rows in self._journal.rows(file.record):
                pairs = zip(rows.ends_s, rows.states, strict=True)
                ends_s = [end_s for end_s, state in pairs if state == "P"]
                if ends_s:
                    yield file.stem, ends_s, _arrange(rows.scores, pick)


def row_id(stem: str, end_s: float) -> str:
    """Name a row: `{stem}_{end second}`; a whole second has no decimals."""
    second = f"{end_s:.6f}".rstrip("0").rstrip(".")
    return f"{stem}_{second}"


def quote(text: str) -> bytes:
    """Write a field as RFC 4180 wants it, in UTF-8."""
    if any(sign in text for sign in ',"\r\n'):
        text = '"' + text.replace('"', '""') + '"'
    return text.encode("utf-8")


def _join(names: Iterable[str]) -> bytes:
    return b",".join(quote(name) for name in names) + b"\n"


def _lines(names: Sequence[bytes], cells: NDArray[np.uint8], *, before: int = 0) -> list[bytes]:
    """Make lines of row ids and cells, the id after the first `before` cells."""
    text = cells.tobytes()
    width = cells.shape[1]
    cut = before * CELL_BYTES
    lines = []
    for number, name in enumerate(names):
        row = text[number * width : (number + 1) * width]
        lines += [row[1:cut], b"," if cut else b"", name, row[cut:], b"\n"]
    return lines


def _pick(labels: Sequence[str], columns: Sequence[str]) -> NDArray[np.intp] | None:
    """Find each column among a model's labels, -1 where it lacks it; None where all are equal."""
    if list(labels) == list(columns):
        return None
    places = {label: place for place, label in enumerate(labels)}
    return np.array([places.get(column, -1) for column in columns], dtype=np.intp)


def _arrange(scores: FloatArray, pick: NDArray[np.intp] | None) -> FloatArray:
    if pick is None:
        return scores
    return np.where(pick >= 0, scores[:, pick], np.float32(0.0))


_ROWS_AT_ONCE = 256
_THEN = "; then go on with --resume"

"""The rows and columns that a submission must have."""

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from edge.errors import InputError

ROW_ID = "row_id"


@dataclass(frozen=True, slots=True)
class Template:
    """A sample submission: only its names count, not its values."""

    columns: tuple[str, ...]
    """All columns in order, `row_id` included."""
    rows: tuple[str, ...]
    """Row ids in order, repeated ones as often as they are there."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The columns that take scores, in order."""
        return tuple(column for column in self.columns if column != ROW_ID)

    @property
    def stems(self) -> set[str]:
        """The recordings that its rows are of."""
        return {row.rpartition("_")[0] for row in self.rows}

    @property
    def repeated(self) -> list[str]:
        """Row ids that are there more than once, each once, in order."""
        return [name for name, count in Counter(self.rows).items() if count > 1]


def read_template(path: Path) -> Template:
    """Read the header and the row ids of a sample submission.

    Raises:
        InputError: It cannot be read, is not that of a submission, or a line is not like the first.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file)
            columns = tuple(next(lines, []))
            _check(path, columns)
            place = columns.index(ROW_ID)
            rows = []
            for line in lines:
                if not line:
                    continue
                problem = ""
                if len(line) != len(columns):
                    problem = f"has {len(line)} cells, the first line {len(columns)}"
                elif not line[place].strip():
                    problem = f"has no {ROW_ID}"
                if problem:
                    raise InputError(
                        f"{path}:{lines.line_num}: {problem}", remedy="mend or remove that line"
                    )
                rows.append(line[place])
            if not rows:
                raise InputError(f"{path}: has a first line and no rows", remedy=_DOWNLOAD)
    except OSError as reason:
        raise InputError(
            f"{path}: cannot be read: {reason.strerror}",
            remedy="check the path given as --template",
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is no UTF-8 text", remedy=_DOWNLOAD) from None
    except csv.Error as reason:
        raise InputError(f"{path}: is no CSV file: {reason}", remedy=_DOWNLOAD) from None
    return Template(columns, tuple(rows))


def _check(path: Path, columns: tuple[str, ...]) -> None:
    repeated = [name for name, count in Counter(columns).items() if count > 1]
    problem = ""
    if ROW_ID not in columns:
        problem = f"its first line names no column {ROW_ID}"
    elif len(columns) < 2:
        problem = "its first line names no class"
    elif repeated:
        problem = f"its first line repeats {', '.join(repeated)}"
    if problem:
        raise InputError(f"{path}: is no sample submission: {problem}", remedy=_DOWNLOAD)


_DOWNLOAD = "give the sample_submission.csv as the competition has it"

"""Tables with a heading: cells between tabs, commas or semicolons."""

import csv
from dataclasses import dataclass
from pathlib import Path

from edge.errors import InputError
from edge_build.labels.text import at


@dataclass(frozen=True, slots=True)
class Table:
    """A table that was read; each row has as many cells as there are headings."""

    path: Path
    line: int
    """Of the heading."""
    headings: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    """The line that each begins on, and its cells."""

    def find(self, name: str) -> int | None:
        """Find a column by its heading, capitals aside; None where there is none.

        Raises:
            InputError: Several are called so.
        """
        wanted = name.strip().casefold()
        found = [i for i, heading in enumerate(self.headings) if heading.casefold() == wanted]
        if len(found) > 1:
            raise InputError(
                f"{at(self.path, self.line)}: {len(found)} columns are called {name}",
                remedy="leave one of them, or call the others differently",
            )
        return found[0] if found else None

    def need(self, name: str) -> int:
        """Find a column that must be there.

        Raises:
            InputError: It is not, or several are called so.
        """
        column = self.find(name)
        if column is None:
            raise InputError(
                f"{at(self.path, self.line)}: has no column {name}, "
                f"only {', '.join(filter(None, self.headings))}",
                remedy=f"add the column {name}",
            )
        return column


def read_heading(lines: list[str]) -> tuple[int, str, tuple[str, ...]]:
    """Read the first line that is not blank as headings.

    Returns:
        Its number from 1, what parts the cells, and the headings.
    """
    for number, line in enumerate(lines, start=1):
        if line.strip():
            sign = max("\t;,", key=line.count)
            return number, sign, tuple(_unquoted(cell) for cell in line.split(sign))
    return 1, ",", ()


def read_table(path: Path, lines: list[str]) -> Table:
    """Read a table whose first line is its heading.

    Cells between tabs know no quoting but that of a whole cell, as spreadsheets write it.

    Raises:
        InputError: A row has more cells than there are headings, or a quotation does not end.
    """
    first, sign, headings = read_heading(lines)
    rows: list[tuple[int, tuple[str, ...]]] = []
    body = lines[first:]
    if sign == "\t":
        for number, line in enumerate(body, start=first + 1):
            if line.strip():
                rows.append((number, tuple(_unquoted(cell) for cell in line.split("\t"))))
    else:
        reader = csv.reader((f"{line}\n" for line in body), delimiter=sign, strict=True)
        begins = first + 1
        try:
            for row in reader:
                if any(cell.strip() for cell in row):
                    rows.append((begins, tuple(cell.strip() for cell in row)))
                begins = first + reader.line_num + 1
        except csv.Error as reason:
            raise InputError(
                f"{at(path, begins)}: {reason}",
                remedy="close the quotation marks, or save the table again as CSV",
            ) from None
    width = len(headings)
    for number, cells in rows:
        if any(cells[width:]):
            raise InputError(
                f"{at(path, number)}: has {len(cells)} cells for {width} columns",
                remedy="quote cells that hold what parts them; where decimals have commas, save "
                "the table with tabs or semicolons",
            )
    whole = tuple((number, (*cells, *[""] * width)[:width]) for number, cells in rows)
    return Table(path, first, headings, whole)


def _unquoted(cell: str) -> str:
    cell = cell.strip()
    if len(cell) >= 2 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"').strip()
    return cell

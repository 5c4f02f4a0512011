"""Text and numbers as the cells of a table."""

import json
import re
from collections.abc import Mapping, Sequence

Cell = str | int | float | None


def as_text(name: str) -> str:
    r"""Write a file name or path as valid Unicode, telling any two names apart.

    A name that is UTF-8 stays as it is. In one that is not, each byte that is no text becomes
    `\xHH` and each backslash is doubled; so it is, too, in a name that holds a backslash, an x and
    two hexadecimal digits of its own, which is what keeps the two apart.

    Args:
        name: As `os.fsdecode` gives it.
    """
    if not _NEEDS_ESCAPE.search(name):
        return name
    return _NOT_TEXT.sub(_escape, name.replace("\\", "\\\\"))


def csv_line(cells: Sequence[Cell]) -> str:
    """Write a line of CSV (RFC 4180, but for a bare line feed at its end).

    Text that a spreadsheet would run as a formula, because it begins with `=`, `+`, `-`, `@`, a
    tab or a carriage return, gets an apostrophe in front; numbers never do.
    """
    return ",".join(_csv_cell(cell) for cell in cells) + "\n"


def tab_line(cells: Sequence[Cell]) -> str:
    """Write a line of a table whose cells stand between tabs.

    Such tables know no quoting. So that every reader finds the same cells, control characters
    become blanks and double quotes single ones; formulas are guarded as in `csv_line`.
    """
    return "\t".join(_tab_cell(cell) for cell in cells) + "\n"


def json_line(row: Mapping[str, Cell]) -> str:
    """Write a row as a line of JSON Lines, text as it is and nothing guarded."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def one_line(text: str) -> str:
    """Replace control characters by blanks, so that the text stays on its line."""
    return _CONTROL.sub(" ", text)


def seconds(value: float) -> str:
    """Write a time in seconds, to the microsecond, with one decimal at least and no exponent."""
    text = f"{value:.6f}".rstrip("0")
    return f"{text}0" if text.endswith(".") else text


def _csv_cell(cell: Cell) -> str:
    if not isinstance(cell, str):
        return "" if cell is None else str(cell)
    text = _guarded(cell)
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if _NEEDS_QUOTES.search(text) else text


def _tab_cell(cell: Cell) -> str:
    if not isinstance(cell, str):
        return "" if cell is None else str(cell)
    return _guarded(one_line(cell).strip().replace('"', "'"))


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_SIGNS) else text


def _escape(found: re.Match[str]) -> str:
    return f"\\x{ord(found[0]) & 0xFF:02x}"


_NOT_TEXT = re.compile("[\ud800-\udfff]")
_NEEDS_ESCAPE = re.compile(r"[\ud800-\udfff]|\\x[0-9a-f]{2}")
_NEEDS_QUOTES = re.compile('[,"\r\n]')
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")

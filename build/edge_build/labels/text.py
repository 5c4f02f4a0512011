"""The lines of a label file, and the times in them."""

import re
from pathlib import Path

from edge.errors import InputError
from edge.table.text import as_text


def read_lines(path: Path) -> list[str]:
    """Read a text file as lines without their ends.

    It is UTF-8, or UTF-16 that begins with its mark, as spreadsheets write it. No other encoding is
    guessed: a wrong guess would be a wrong label.

    Raises:
        InputError: It cannot be read, or is no such text.
    """
    try:
        content = path.read_bytes()
    except OSError as reason:
        raise InputError(
            f"{as_text(str(path))}: cannot be read: {reason.strerror}",
            remedy="check that it is there, and its permissions",
        ) from None
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as reason:
        line = content[: reason.start].count(b"\n") + 1
        raise InputError(f"{at(path, line)}: is not UTF-8 text", remedy=_SAVE_AGAIN) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InputError(f"{at(path, line)}: is no text", remedy=_SAVE_AGAIN)
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def seconds_of(text: str) -> float:
    """Read a time: seconds with a decimal point or comma, or `M:SS` or `H:MM:SS` with a fraction.

    Raises:
        ValueError: It is none of these.
    """
    text = text.strip()
    if len(text) > _LONGEST:
        raise ValueError(f"{text[:_LONGEST]!r}... is no time")
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = clock.groups(default="0")
        value = 3600.0 * int(hours) + 60.0 * int(minutes) + float(seconds.replace(",", "."))
    elif _NUMBER.fullmatch(text):
        value = float(text.replace(",", "."))
    else:
        raise ValueError(f"{text!r} is no time")
    if abs(value) > _MOST_SECONDS:
        raise ValueError(f"{text!r} is no time")
    return value


def time_in(text: str, path: Path, line: int) -> float:
    """Read a time as `seconds_of` does.

    Raises:
        InputError: It is none, with the place.
    """
    try:
        return seconds_of(text)
    except ValueError as reason:
        raise InputError(
            f"{at(path, line)}: {reason}",
            remedy="write seconds, such as 12.5, or hours, minutes and seconds, such as 0:00:12.5",
        ) from None


def at(path: Path, line: int) -> str:
    """Name a line of a file."""
    return f"{as_text(str(path))}, line {line}"


_CLOCK = re.compile(r"(?:(\d+):(?=[0-5]?\d:))?(\d+):([0-5]\d(?:[.,]\d+)?)")
_NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?")
_LONGEST = 30
_MOST_SECONDS = 1e9
_SAVE_AGAIN = "save it again as UTF-8 text; if it holds no labels, keep it elsewhere"

"""Names of files, rows and classes, as people and programs can read them."""

import re
from collections.abc import Iterable
from itertools import islice


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


def some_of(names: Iterable[str], *, most: int = 5) -> str:
    """Name a few of what may be many."""
    first = list(islice(names, most + 1))
    return ", ".join(first[:most]) + (", ..." if len(first) > most else "")


def _escape(found: re.Match[str]) -> str:
    return f"\\x{ord(found[0]) & 0xFF:02x}"


_NOT_TEXT = re.compile("[\udc80-\udcff]")
_NEEDS_ESCAPE = re.compile(r"[\udc80-\udcff]|\\x[0-9a-f]{2}")

"""Names of tables, after the recordings they are about."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from itertools import count, takewhile
from pathlib import PurePosixPath

from edge.table.recordings import Recording
from edge.table.text import as_text


def shared_folders(paths: Iterable[str]) -> int:
    """Count the leading folders that all files have in common."""
    shared: tuple[str, ...] | None = None
    for path in paths:
        folders = PurePosixPath(path).parts[:-1]
        if shared is None:
            shared = folders
        pairs = zip(shared, folders, strict=False)
        shared = tuple(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return len(shared or ())


def candidates(recording: Recording, above: int) -> Iterator[str]:
    """Yield ever longer relative paths for a recording's table, without its suffix.

    Folders are mirrored, but for the first `above`. The second file that had a path ends in `_2`.
    Where a shorter path is taken, the recording's own suffix is kept, and then a number added.
    """
    again = f"_{recording.nth}" if recording.nth > 1 else ""
    if recording.hour:
        folder, name = "", safe(f"{recording.name}_{recording.hour}")
    else:
        *folders, last = PurePosixPath(recording.name).parts[above:] or [recording.name]
        folder = "".join(f"{safe(part)}/" for part in folders)
        yield f"{folder}{safe(PurePosixPath(last).stem)}{again}"
        name = f"{safe(last)}{again}"
    yield folder + name
    for number in count(2):
        yield f"{folder}{name}~{number}"


def safe(name: str) -> str:
    """Make one part of a path of a name: no folder above, no sign that a memory card refuses."""
    made = _REFUSED.sub("_", as_text(name)).rstrip(". ") or "_"
    text = made.encode("utf-8")
    if len(text) <= _NAME_BYTES:
        return made
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{text[:_NAME_BYTES].decode('utf-8', 'ignore')}~{mark}"


_REFUSED = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_NAME_BYTES = 180

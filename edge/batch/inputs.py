"""Which recordings the arguments of a command mean, and what each is called."""

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.errors import InputError
from edge.sources.file import SUFFIXES
from edge.table.text import as_text


class Recordings:
    """Audio files in the order of their names, each with a stem of its own.

    Args:
        paths: Absolute paths in order.
        stems: Stems, by position, of those whose file name does not give one of its own.
        left_out: Path and reason of what has an audio file's name and cannot be one.
    """

    def __init__(
        self,
        paths: Sequence[str],
        stems: dict[int, str],
        left_out: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.paths = paths
        self.renamed = stems
        self.left_out = left_out

    def __len__(self) -> int:
        return len(self.paths)

    def stem(self, position: int) -> str:
        """Return what a recording's rows are called after: valid Unicode, see `as_text`."""
        own = self.renamed.get(position) or _stem(os.path.basename(self.paths[position]))
        return as_text(own)


def find_recordings(inputs: Sequence[Path]) -> Recordings:
    """Find the audio files that files and directories (all below them) lead to.

    A file that is named is taken whatever its suffix, in a directory those with a known one. A
    file that is reached twice counts once. Where two have the same stem, each is called after its
    path below the input, with its suffix where that is still not enough.

    Raises:
        InputError: An input that does not exist, or no audio anywhere.
    """
    given: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for place in inputs:
        if place.is_dir():
            for path in _walk(os.path.realpath(place), set(), left_out):
                given.setdefault(path, os.fspath(place))
        elif kind := _special_kind(os.fspath(place)):
            left_out[os.path.abspath(place)] = f"is {kind}, not a file"
        elif os.path.lexists(place):
            given.setdefault(_real(os.fspath(place)), "")
        else:
            raise InputError(f"{place}: does not exist", remedy="name a file or a directory")
    if not given:
        names = ", ".join(str(place) for place in inputs)
        kinds = " ".join(sorted(SUFFIXES))
        why = [f"\n  left out: {as_text(path)}: {said}" for path, said in left_out.items()]
        raise InputError(
            f"{names}: no audio found{''.join(why[:_MOST_NAMED])}",
            remedy=f"name a directory with files such as {kinds}",
        )
    paths = sorted(given, key=lambda path: (os.path.basename(path), path))
    return Recordings(paths, _distinct_stems(paths, given), sorted(left_out.items()))


def _walk(folder: str, seen: set[str], left_out: dict[str, str]) -> Iterator[str]:
    """Yield the real paths of the audio below a folder; links are followed, circles are not.

    A folder inside that cannot be listed is yielded itself, to be counted among what failed; pipes
    and the like, and what macOS leaves behind, go into `left_out` by path, with the reason.
    """
    if folder in seen:
        return
    seen.add(folder)
    try:
        entries = list(os.scandir(folder))
    except OSError as reason:
        if len(seen) > 1:
            yield folder
            return
        raise InputError(
            f"{folder}: cannot be listed: {reason.strerror}", remedy="check its permissions"
        ) from None
    for entry in entries:
        if entry.is_dir():
            real = _real(entry.path) if entry.is_symlink() else entry.path
            yield from _walk(real, seen, left_out)
        elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:
            kind = "" if entry.is_file() else _special_kind(entry.path)
            if kind:
                left_out[entry.path] = f"is {kind}, not a file"
            elif entry.name.startswith("._"):
                left_out[entry.path] = "is what macOS keeps beside a file, not audio"
            else:
                yield _real(entry.path) if entry.is_symlink() else entry.path


def _special_kind(path: str) -> str:
    """Name what is no file, without opening it: a pipe would wait for ever."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return ""
    return next((name for is_one, name in _SPECIAL_KINDS if is_one(mode)), "")


def _real(path: str) -> str:
    """Resolve a path; a link that leads nowhere stays itself, to be reported as unreadable."""
    real = os.path.realpath(path)
    return real if os.path.exists(real) else os.path.abspath(path)


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]


def _distinct_stems(paths: Sequence[str], given: dict[str, str]) -> dict[int, str]:
    """Give those whose stems collide longer ones, by position."""
    stems = {n: _stem(os.path.basename(path)) for n, path in enumerate(paths)}
    level = dict.fromkeys(range(len(paths)), 0)
    for _ in range(_LEVELS):
        counts = Counter(stems.values())
        colliding = [n for n, stem in stems.items() if counts[stem] > 1]
        if not colliding:
            break
        for n in colliding:
            level[n] = min(level[n] + 1, _LEVELS - 1)
            stems[n] = _longer_stem(paths[n], given[paths[n]], level[n])
    return {n: stems[n] for n, deep in level.items() if deep}


def _longer_stem(path: str, root: str, level: int) -> str:
    below = os.path.relpath(path, os.path.realpath(root)) if root else os.path.basename(path)
    if level == 1:
        return _stem(below)
    if level == 2:
        return below
    return path


_LEVELS = 4
_MOST_NAMED = 5
_SPECIAL_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

"""The recordings that label files speak of, looked up among those that are there."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import NamedTuple
from unicodedata import normalize

from edge.table.text import as_text


class Lookup(NamedTuple):
    """What became of looking for a recording."""

    path: Path | None
    trouble: str = ""
    """Why there is no path."""


class AudioIndex:
    """Recordings below a folder, by name and by stem.

    A label file may name a recording as it was on another machine: what counts is the name; where
    several bear it, the folders above it decide, the nearest first.

    Args:
        folder: That they are below.
        paths: Of the recordings.
    """

    def __init__(self, folder: Path, paths: Sequence[Path]) -> None:
        self._folder = folder
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        for path in paths:
            self._by_name[_key(path.name)].append(path)
            self._by_stem[_key(path.stem)].append(path)

    def named(self, given: str) -> Lookup:
        """Look for a recording by its path or name; without its suffix if it must be.

        Recordings are often packed, and then called `.flac` where the labels say `.wav`.
        """
        pure = PureWindowsPath(given) if "\\" in given else PurePosixPath(given)
        found = self._by_name.get(_key(pure.name)) or self._by_stem.get(_key(pure.stem), [])
        return self._choose(found, pure)

    def beside(self, label_file: Path) -> Lookup:
        """Look for the recording that bears a label file's name.

        Of `rec.Table.1.selections.txt`, that is `rec.Table.1.selections`, `rec.Table.1`,
        `rec.Table`, or `rec`, the longest that there is, with or without its own suffix.
        """
        stem = label_file.stem
        while True:
            found = self._by_name.get(_key(stem)) or self._by_stem.get(_key(stem), [])
            if found or "." not in stem.strip("."):
                return self._choose(found, label_file.resolve().parent / stem)
            stem = stem.rpartition(".")[0]

    def _choose(self, found: Sequence[Path], given: PurePath) -> Lookup:
        """Of recordings of one name, choose the one that is most like what is given."""
        if not found:
            return Lookup(None, "no audio of this name is there")
        likeness = [
            (
                _common_end(path.resolve().parts[:-1], given.parts[:-1]),
                given.name in (path.name, path.stem),
            )
            for path in found
        ]
        best = [path for path, like in zip(found, likeness, strict=True) if like == max(likeness)]
        if len(best) == 1:
            return Lookup(best[0])
        names = [as_text(path.relative_to(self._folder).as_posix()) for path in best]
        return Lookup(None, f"may be {' or '.join(names[:2])}")


def _common_end(one: Sequence[str], other: Sequence[str]) -> int:
    """Count the last parts that two paths share."""
    count = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if _key(a) != _key(b):
            break
        count += 1
    return count


def _key(name: str) -> str:
    """Write a name so that it is the same on every machine it was typed on."""
    return normalize("NFC", name).casefold()

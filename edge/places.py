"""Paths of a configuration that must not lead to the same place."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path, PurePath

from edge.store.lock import lock_path
from edge.store.opening import COMPANIONS
from edge.strict_yaml import RefusedError


@dataclass(frozen=True, slots=True)
class Searched:
    """A folder that a source looks through."""

    label: str
    """The source's."""
    path: str
    """Without symbolic links."""
    recursive: bool

    def finds(self, other: "Searched") -> bool:
        """Tell whether it comes upon another's recordings; names with a leading dot it skips."""
        if self.path == other.path:
            return True
        folder, inner = PurePath(self.path), PurePath(other.path)
        if not self.recursive or not inner.is_relative_to(folder):
            return False
        return not any(part.startswith(".") for part in inner.relative_to(folder).parts)


def written_twice(
    configuration: Path, store: Path | None, sinks: Mapping[str, Path]
) -> Iterator[RefusedError]:
    """Find files that would be written to by two, each of which would spoil it for the other.

    Args:
        configuration: The file that names them.
        store: The store's file; None where it is not known.
        sinks: The file of each sink, by its key.
    """
    taken = {os.path.realpath(configuration): "the configuration itself"}
    if store is not None:
        real = os.path.realpath(store)
        beside = [os.path.realpath(lock_path(store)), *(real + end for end in COMPANIONS)]
        if any(path in taken for path in beside):
            yield RefusedError(
                f"{store}: the store would be written over the configuration itself",
                remedy="give another name, such as `path: edge.db`",
                key="store.path",
            )
        taken |= dict.fromkeys(beside, "a file of the store")
    for key, sink in sinks.items():
        real = os.path.realpath(sink)
        if real in taken:
            yield RefusedError(
                f"{sink}: is {taken[real]}",
                remedy="give each sink a file of its own",
                key=key,
            )
        taken.setdefault(real, f"written to by {key.removesuffix('.path')}, too")


def searched_twice(folders: Mapping[str, Searched]) -> Iterator[RefusedError]:
    """Find sources that would score the same recordings.

    Args:
        folders: What each searches, by its key.
    """
    for (_, first), (key, second) in combinations(folders.items(), 2):
        if first.finds(second) or second.finds(first):
            yield RefusedError(
                f"source {first.label} searches {first.path} and {second.label} {second.path}: "
                "what is in both would be scored twice",
                remedy="take one out, or set `recursive: false` for the outer folder"
                if first.path != second.path
                else "take one out",
                key=key,
            )

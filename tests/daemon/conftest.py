"""Stations for tests."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from station import Station


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Callable[..., Station]]:
    """Makes stations in folders of their own, and leaves no daemon behind."""
    made: list[Station] = []

    def make(**config: Any) -> Station:
        folder = tmp_path / f"station-{len(made)}"
        folder.mkdir()
        made.append(Station(folder, **config))
        return made[-1]

    yield make
    for one in made:
        one.end()

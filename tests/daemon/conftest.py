"""Stations for tests."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from station import Station
from tiny_stsg import write_tiny_stsg


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


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with the small models `tiny` and `other`."""
    folder = tmp_path / "models"
    write_tiny_stsg(folder / "tiny", seed=1)
    write_tiny_stsg(folder / "other", seed=2)
    return folder


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """An empty folder for recordings."""
    folder = tmp_path / "card"
    folder.mkdir()
    return folder


@pytest.fixture
def watching(station: Callable[..., Station], models: Path, card: Path) -> Callable[..., Station]:
    """Makes stations that watch the card, with `tiny` and every score a detection."""

    def make(**config: Any) -> Station:
        return station(
            **{
                "model": "tiny",
                "models_dir": str(models),
                "source": {"directory": {"path": str(card), "settle_seconds": 0.2}},
                "post": [{"threshold": {"default": 0.0}}],
                **config,
            }
        )

    return make

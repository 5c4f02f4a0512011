"""What several tests stand on."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real audio and models, or a skip that says what is missing."""
    place = Path(os.environ.get("EDGE_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (place / "README.md").is_file():
        pytest.skip(f"no real audio: {place} is missing; set EDGE_TEST_DATA to a copy")
    return place

"""What the documents say is so."""

import re
from pathlib import Path

import pytest

from edge.config import json_schema, read_config

DOCS = Path(__file__).parent.parent


@pytest.fixture
def reference():
    """The reference of the configuration."""
    return (DOCS / "docs" / "configuration.md").read_text()


def test_the_reference_can_be_read_as_it_stands(reference, tmp_path):
    """The file it shows is a configuration."""
    (block,) = re.findall("```yaml\n(.*?)```", reference, re.DOTALL)
    path = tmp_path / "edge.yaml"
    path.write_text(block)
    config = read_config(path)
    assert {source.kind for source in config.sources} == {
        "directory",
        "soundcard",
        "command",
        "fifo",
        "stdin",
    }


def test_the_reference_leaves_no_key_out(reference):
    """Every key of the schema stands in it, and each has a description where it is no structure."""
    schema = json_schema()
    keys = {key for part in schema["$defs"].values() for key in part.get("properties", {})}
    assert keys == {key for key in keys if re.search(rf"\b{key}:", reference)}
    assert "description" in schema["$defs"]["Config"]["properties"]["model"]
    assert "description" in schema["$defs"]["ListeningSpec"]["properties"]["buffer_s"]


def test_the_station_of_the_readme_can_be_read(tmp_path):
    """So is the one in the README."""
    (block,) = re.findall("```yaml\n(.*?)```", (DOCS / "README.md").read_text(), re.DOTALL)
    path = tmp_path / "edge.yaml"
    path.write_text(block)
    assert read_config(path).station.name == "pantanal-07"

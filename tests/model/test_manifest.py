"""`model.yaml` alone: its form is checked before any file is looked at."""

import pytest
import yaml
from tiny_clip import change, write_tiny_clip

from edge.errors import ModelError
from edge.load import model_folders
from edge.model.manifest import read_manifest


@pytest.fixture
def folder(tmp_path):
    write_tiny_clip(tmp_path / "tiny")
    return tmp_path / "tiny"


def test_every_shipped_manifest_is_good():
    """What we ship is read, and its name is its folder's."""
    folders = list(model_folders())
    assert {"birdnet-v2.4", "yamnet"} <= {folder.name for folder in folders}
    assert [folder.name for folder in folders] == [read_manifest(f).name for f in folders]


BROKEN = {
    "unknown key": ({"input.rate": 3}, "input.rate: unknown key", "sample_rate"),
    "schema of the future": ({"schema": 2}, "schema: Invalid", ""),
    "unknown backend": ({"backend": "pickle"}, "backend: Invalid", ""),
    "unknown activation": ({"output.activation": "tanh"}, "output.activation: Invalid", ""),
    "no number": ({"input.sample_rate": "fast"}, "input.sample_rate: Expected `int`", ""),
    "rate of zero": ({"input.sample_rate": 0}, "input.sample_rate: Expected `int` >", ""),
    "clip of nothing": ({"input.clip_seconds": 0.0}, "input.clip_seconds: Expected", ""),
    "threshold": ({"threshold": 1.5}, "threshold: Expected `float` <= 1", ""),
    "hash": ({"files.model.sha256": "abc"}, "files.model.sha256: Expected `str` matching", ""),
    "version": ({"version": 2.4}, "version: Expected `str`, got `float`", "quotes"),
    "package that is a path": ({"files.model.package": "a.b"}, "files.model.package: Expected", ""),
    "name that is a path": ({"name": "../x"}, "name: Expected `str` matching", ""),
    "no labels": ({"files.labels": None}, "files.labels: is missing", "name the file"),
    "no golden": ({"files.golden": None}, "files.golden: is missing", "name the file"),
    "no licence": ({"licence": None}, "licence: is missing", "add it"),
}


@pytest.mark.parametrize(("changes", "what", "remedy"), BROKEN.values(), ids=BROKEN)
def test_a_bad_manifest_is_refused(folder, changes, what, remedy):
    """The file, the line's key and what would be right are told."""
    change(folder, changes, seal=False)
    with pytest.raises(ModelError) as caught:
        read_manifest(folder)
    assert str(folder / "model.yaml") in caught.value.what
    assert what in caught.value.what
    assert remedy in caught.value.remedy
    assert caught.value.remedy


def test_a_key_of_each_part_may_be_left_out_where_it_has_a_default(folder):
    """The shortest manifest is enough."""
    path = folder / "model.yaml"
    whole = yaml.safe_load(path.read_text())
    short = {key: value for key, value in whole.items() if key != "output"}
    path.write_text(yaml.safe_dump(short))
    manifest = read_manifest(folder)
    assert (
        manifest.output.activation,
        manifest.aggregate,
        manifest.threshold,
    ) == ("none", "mean_probability", 0.5)


def test_a_folder_without_a_manifest_is_refused(tmp_path):
    """Any folder is not a model."""
    with pytest.raises(ModelError, match=r"holds no model\.yaml"):
        read_manifest(tmp_path)

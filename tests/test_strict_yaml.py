"""YAML is read strictly, and every error names file, line, key and remedy."""

from enum import StrEnum
from typing import Literal

import msgspec
import pytest

from edge import strict_yaml
from edge.errors import ConfigError, ModelError


class Hue(StrEnum):
    RED = "red"
    GREEN = "green"


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    size: int
    path: str = "x"


class Outer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    files: dict[str, Inner] = {}
    steps: list[Inner] = []
    ratio: float | None = None
    hue: Hue | None = None
    sizes: list[Literal["small", "large"]] = []


GOOD = "name: a\nfiles:\n  model: {size: 1}\nsteps:\n- size: 2\n  path: y\n"


def test_good_yaml_becomes_the_structure(tmp_path):
    """Text in a file becomes typed values."""
    path = tmp_path / "a.yaml"
    path.write_text(GOOD)
    expected = Outer("a", {"model": Inner(1)}, [Inner(2, "y")])
    assert expected == strict_yaml.read(path, Outer)


BAD = {
    "unknown key": (GOOD + "nmae: b\n", "a.yaml:7: nmae: unknown key", "known here: name, files"),
    "unknown inner key": (
        "name: a\nfiles:\n  model:\n    size: 1\n    hash: 2\n",
        "a.yaml:5: files.model.hash: unknown key",
        "known here: size, path",
    ),
    "wrong type": ("name: 3\n", "a.yaml:1: name: Expected `str`, got `int`", "quotes"),
    "wrong inner type": ("name: a\nsteps:\n- size: 1\n- size: b\n", "a.yaml:4: steps[1].size", ""),
    "wrong type in the second entry": (
        "name: a\nfiles:\n  model: {size: 1}\n  labels: {size: x}\n",
        "a.yaml:4: files.labels.size: Expected `int`, got `str`",
        "",
    ),
    "key is missing in the second entry": (
        "name: a\nfiles:\n  model: {size: 1}\n  labels: {path: x}\n",
        "a.yaml:4: files.labels: Object missing required field `size`",
        "add it",
    ),
    "a key is missing": ("ratio: 1.0\n", "missing required field `name`", "add it"),
    "repeated key": ("name: a\nname: b\n", "a.yaml:2: is not valid YAML: the key 'name'", "mend"),
    "repeated inner key": ("name: a\nfiles:\n  m: {size: 1, size: 2}\n", "a.yaml:3", "mend"),
    "bad indentation": ("name: a\n  ratio: 1\n", "a.yaml:2: is not valid YAML", "mend"),
    "unclosed": ("name: [a\n", "is not valid YAML", "mend"),
    "tab": ("name: a\nfiles:\n\tm: {size: 1}\n", "a.yaml:3: is not valid YAML", "mend"),
    "two documents": ("name: a\n---\nname: b\n", "is not valid YAML", "mend"),
    "no such value": ("name: a\nhue: blue\n", "a.yaml:2: hue: Invalid enum", "one of: red, green"),
    "no such value in a list": (
        "name: a\nsizes: [small, huge]\n",
        "a.yaml:2: sizes[1]: Invalid enum value 'huge'",
        "one of: large, small",
    ),
    "empty": ("", "a.yaml: is empty", "write the keys"),
    "comment alone": ("# nothing\n", "a.yaml: is empty", "write the keys"),
    "a list": ("- a\n", "a.yaml:1: the whole file: Expected `object`", ""),
    "python object": ("name: !!python/object/apply:os.getcwd []\n", "a.yaml:1: is not", "mend"),
    "key that is a list": ("? [a, b]\n: c\n", "a.yaml:1: is not valid YAML: a key is", "mend"),
    "no such date": ("name: 2024-99-99\n", "a.yaml:1: is not valid YAML: no such value", "mend"),
    "no such number": ("name: a\nratio: !!int x\n", "a.yaml:2: is not valid YAML", "mend"),
    "no such truth": ("name: a\nratio: !!bool x\n", "a.yaml:2: is not valid YAML", "mend"),
    "control characters": ("name: \x07\n", "a.yaml: is not valid YAML", "mend"),
    "nested deeply": ("name: " + "[" * 100_000, "a.yaml: is nested too deeply", "mend"),
}


@pytest.mark.parametrize(("text", "what", "remedy"), BAD.values(), ids=BAD)
def test_bad_yaml_is_refused_with_line_key_and_remedy(text, what, remedy):
    """Each mistake is told with the place and what would be right."""
    with pytest.raises(ConfigError) as caught:
        strict_yaml.parse(text, Outer, name="a.yaml")
    assert what in caught.value.what
    assert remedy in caught.value.remedy


def test_text_that_is_not_utf8_is_refused(tmp_path):
    """A file in another encoding is named, with the class of error that was asked for."""
    path = tmp_path / "a.yaml"
    path.write_bytes("name: Übung\n".encode("latin-1"))
    with pytest.raises(ModelError, match=r"a\.yaml: is not UTF-8 text"):
        strict_yaml.read(path, Outer, error=ModelError)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    """The path and the system's reason are told."""
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read: No such file"):
        strict_yaml.read(tmp_path / "none.yaml", Outer)


def test_a_list_at_the_root_is_told_by_its_items():
    """An item's mistake is told with the item's own line and the keys known there."""
    with pytest.raises(ConfigError) as caught:
        strict_yaml.parse("- size: 1\n- size: 2\n  hue: 3\n", list[Inner], name="a.yaml")
    assert caught.value.what == "a.yaml:3: [1].hue: unknown key"
    assert "size, path" in caught.value.remedy

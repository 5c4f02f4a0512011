"""YAML is read strictly, and every error names file, line, key and remedy."""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta

from edge import strict_yaml
from edge.errors import ConfigError, ModelError
from edge.strict_yaml import Choice, Record, RefusedError


class Hue(StrEnum):
    RED = "red"
    GREEN = "green"


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    size: int
    path: str = "x"


class Way(Choice, frozen=True):
    WHAT = "way"
    KINDS = ("car", "train")

    car: Inner | None = None
    train: Inner | None = None


class Limits(Record, frozen=True):
    days: Annotated[
        float, Meta(gt=0, le=1000, examples=[7.5], extra={"remedy": "for ever, leave the key out"})
    ]
    of: Annotated[list[int], Meta(min_length=1)] | None = None
    on_: bool = True
    code: Annotated[str, Meta(pattern="^[a-z]+$", extra={"form": "small letters"})] = "a"
    way: Way | None = None

    def __post_init__(self) -> None:
        if self.days == 13:
            raise RefusedError("thirteen brings no luck", remedy="take twelve", key="days")


class Outer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    files: dict[str, Inner] = {}
    steps: list[Inner] = []
    ratio: float | None = None
    hue: Hue | None = None
    sizes: list[Literal["small", "large"]] = []
    limits: Limits | None = None


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
        "a.yaml:4: files.labels.size: is missing",
        "add it: a whole number",
    ),
    "a key is missing": ("ratio: 1.0\n", "a.yaml:1: name: is missing", "add it: text"),
    "a key with an example is missing": (
        "name: a\nlimits: {}\n",
        "a.yaml:2: limits.days: is missing",
        "add it, such as `days: 7.5`",
    ),
    "unknown key of two lines": ('name: a\n"x\\ny": 1\n', "x\ny: unknown key", "known here"),
    "a list for text": ("name: [1]\n", "a.yaml:1: name: Expected `str`, got `array`", "give text"),
    "nothing for text": ("name:\n", "a.yaml:1: name: Expected `str`, got `null`", "give text"),
    "text for a number": ("name: a\nratio: many\n", "a.yaml:2: ratio", "give a number"),
    "a number in quotes": ("name: a\nratio: '0.5'\n", "a.yaml:2: ratio", "without quotes"),
    "a power without a point": ("name: a\nratio: 1e3\n", "a.yaml:2: ratio", "powers: 1000"),
    "a list of too few": ("name: a\nlimits: {days: 1, of: []}\n", "a.yaml:2", "of at least 1"),
    "text for truth": ("name: a\nlimits: {days: 1, on_: x}\n", "a.yaml:2", "give true or false"),
    "too large": (
        "name: a\nlimits: {days: 5000}\n",
        "a.yaml:2: limits.days: Expected `float` <= 1000",
        "give a number above 0 and at most 1000; for ever, leave the key out, such as `7.5`",
    ),
    "infinite": ("name: a\nlimits: {days: .inf}\n", "days: `.inf` is no number", "for ever, leave"),
    "not a number": ("name: a\nlimits: {days: .nan}\n", "`.nan` is no number", "above 0"),
    "a number of many digits": (
        f"name: a\nlimits: {{days: {'9' * 400}}}\n",
        "a.yaml:2: limits.days: Number out of range",
        "at most 1000",
    ),
    "a number of too many digits": (f"name: {'9' * 9000}\n", "a.yaml:1: is not valid YAML", "mend"),
    "not of the form": (
        "name: a\nlimits: {days: 1, code: a b}\n",
        "a.yaml:2: limits.code: 'a b' is not made of small letters",
        "use small letters",
    ),
    "a check of its own": (
        "name: a\nlimits: {days: 13}\n",
        "a.yaml:2: limits.days: thirteen brings no luck",
        "take twelve",
    ),
    "none of the kinds": (
        "name: a\nlimits: {days: 1, way: {}}\n",
        "a.yaml:2: limits.way: holds no way",
        "exactly one of car, train",
    ),
    "two kinds": (
        "name: a\nlimits: {days: 1, way: {car: {size: 1}, train: {size: 1}}}\n",
        "a.yaml:2: limits.way: holds more than one way: car and train",
        "exactly one of car, train",
    ),
    "NUL": (
        'name: a\nfiles:\n  m: {size: 1, path: "a\\0"}\n',
        "a.yaml:3: files.m.path: holds",
        "out",
    ),
    "half a character": ('name: "\\ud800"\n', "a.yaml:1: name: holds the character U+D800", "out"),
    "NUL in a key": ('name: a\n"x\\0": 1\n', "a.yaml:2", "take it out"),
    "a key that is a number": (
        "name: a\nfiles:\n  1: {size: 1}\n",
        "a.yaml:3: files: the key 1",
        "",
    ),
    "a key that is a truth": ("name: a\nfiles: {no: {size: 1}}\n", "a.yaml:2: files", "in quotes"),
    "a list said to be keys": ("name: a\nfiles: !!map [a]\n", "a.yaml:2: is not valid", "mend"),
    "text said to be a set": ("name: a\nfiles: !!set x\n", "a.yaml:2: is not valid", "mend"),
    "text said to be pairs": ("name: !!pairs x\n", "a.yaml:1: is not valid YAML", "mend"),
    "no such moment": ("name: !!timestamp x\n", "a.yaml:1: is not valid YAML", "mend"),
    "no number at all": ('name: !!int ""\n', "a.yaml:1: is not valid YAML", "mend"),
    "a list within itself": ("name: &a [*a]\n", "a.yaml: is nested too deeply", "mend"),
    "a few lines that stand for many": (
        "".join(f"k{n}: &k{n} [{', '.join([f'*k{n - 1}' if n else 'x'] * 9)}]\n" for n in range(9)),
        "a.yaml: holds too much",
        "without `&`",
    ),
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


def test_what_is_found_wrong_later_is_told_with_its_line(tmp_path):
    """So is what only the whole file shows; of a key that is not there, the line of its part."""
    path = tmp_path / "a.yaml"
    path.write_text("# first\nsteps:\n- size: 1\n-\n  size: 2\n")
    for key, line in (("steps[1].size", 5), ("steps[1].path", 5), ("steps[7]", 3), ("name", 2)):
        error = strict_yaml.located(path, RefusedError("is wrong", remedy="mend it", key=key))
        assert error.what == f"{path}:{line}: {key}: is wrong"
        assert error.remedy == "mend it"
    path.unlink()
    assert "cannot be read" in strict_yaml.located(path, RefusedError("", remedy="")).what

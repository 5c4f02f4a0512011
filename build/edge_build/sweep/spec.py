"""The sweep: one strict YAML file that says which keys of a recipe take which values."""

import copy
import itertools
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml
from msgspec import Meta

from edge import strict_yaml
from edge.errors import ConfigError
from edge.strict_yaml import Record
from edge.yaml_types import value_at
from edge_build.folds import DEFAULT_PATTERN, HOLD_OUT
from edge_build.recipe import Recipe, read_recipe, refuse_student


class Search(StrEnum):
    """Which of the values are tried together."""

    GRID = "grid"
    """Each value of each key with each of the others."""
    ONE_BY_ONE = "one-by-one"
    """Each value of each key, the other keys as the recipe has them (tables 8 and 12)."""


class SweepSpec(Record, frozen=True):
    """The whole of a sweep; keys of the recipe are dotted, such as `tokens.dims`."""

    recipe: str
    """The recipe's path, from the folder of this file on."""
    vary: Annotated[dict[str, Any], Meta(min_length=1)]
    """The values of each key, a list."""
    folds: str = HOLD_OUT
    """As `evaluate --folds` has it."""
    fold_pattern: str = DEFAULT_PATTERN
    base: dict[str, Any] = msgspec.field(default_factory=dict)
    """What is changed in the recipe before anything is varied."""
    search: Search = Search.GRID
    also: tuple[dict[str, Any], ...] = ()
    """Further combinations of varied keys, on top of the recipe."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One choice of values, and the recipe that it makes."""

    values: tuple[Any, ...]
    """Of the varied keys, in their order."""
    recipe: Recipe
    text: str
    """The recipe as YAML."""

    @property
    def names(self) -> tuple[str, ...]:
        """The values as JSON, by which they can be told apart whatever they are."""
        return tuple(json.dumps(value, sort_keys=True) for value in self.values)


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep with its recipe, and all that is to be tried."""

    spec: SweepSpec
    recipe_path: Path
    base: Setting
    """The recipe before anything is varied."""
    settings: tuple[Setting, ...]
    """In order of their values, each once."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that vary."""
        return tuple(self.spec.vary)


def read_sweep(path: Path, *, recipe: Path | None = None) -> Sweep:
    """Read a sweep and its recipe, and check every setting before hours are spent on one.

    Args:
        path: The sweep.
        recipe: The recipe to take in the place of the sweep's own.

    Raises:
        ConfigError: Naming the file, line, key and what would be right.
    """
    spec = strict_yaml.read(path, SweepSpec)
    place = recipe if recipe is not None else path.parent / spec.recipe
    read = read_recipe(place)
    refuse_student(place, read, command="sweep")
    if read.base is not None:
        raise ConfigError(
            f"{place}: base: {read.base} makes the embeddings, and sweep learns frames and tokens",
            remedy="write a recipe for each head, and name them all to `edge-build evaluate`",
        )
    if not read.deterministic:
        raise ConfigError(
            f"{place}: deterministic: false gives other figures each time",
            remedy="take it out; a sweep uses the cores for several settings at once",
        )
    maker = _Maker(path, spec, yaml.safe_load(place.read_text("utf-8")))
    base = maker.setting({}, "base")
    found = {setting.names: setting for setting in maker.settings(base)}
    ordered = sorted(found.values(), key=lambda setting: [*map(_rank, setting.values)])
    return Sweep(spec, place, base, tuple(ordered))


class _Maker:
    """Makes settings of one recipe, and finds the line of one that cannot be.

    Args:
        path: The sweep.
        spec: What it says.
        data: The recipe, as YAML has it.
    """

    def __init__(self, path: Path, spec: SweepSpec, data: dict[str, Any]) -> None:
        self._path = path
        self._spec = spec
        self._data = data
        self._base: Mapping[str, Any] = {}
        for key in spec.base:
            self.setting({key: spec.base[key]}, "base", key)
        self._base = spec.base

    def settings(self, base: Setting) -> Iterator[Setting]:
        """Make all settings; some may be made twice."""
        vary = self._spec.vary
        for key, values in vary.items():
            if not isinstance(values, list) or not values:
                self._refuse("is no list of values", "give one, such as [32, 64, 128]", key)
            made = [self.setting({key: value}, "vary", key).names for value in values]
            for number, names in enumerate(made):
                if names in made[:number]:
                    self._refuse(f"{values[number]!r} is given twice", "once is enough", key)
        if self._spec.search is Search.GRID:
            for values in itertools.product(*vary.values()):
                yield self.setting(dict(zip(vary, values, strict=True)), "vary", *vary)
        else:
            yield base
            for key, values in vary.items():
                for value in values:
                    yield self.setting({key: value}, "vary", key)
        for changes in self._spec.also:
            for key in changes:
                if key not in vary:
                    self._refuse(f"{key} is not varied", "give it values under vary", "", "also")
            yield self.setting(changes, "also")

    def setting(self, changes: Mapping[str, Any], part: str, *keys: str) -> Setting:
        """Make a setting; `part` and `keys` say where in the sweep its values stand."""
        data = copy.deepcopy(self._data)
        for key, value in {**self._base, **changes}.items():
            self._change(data, key, value, part)
        text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "recipe.yaml"
            path.write_text(text, "utf-8")
            try:
                recipe = read_recipe(path)
            except ConfigError as error:
                what = re.sub(rf"^{re.escape(str(path))}(:\d+)?: ", "", error.what)
                self._refuse(what, error.remedy, keys[0] if keys else "", part)
        plain = msgspec.to_builtins(recipe)
        return Setting(tuple(value_at(plain, key) for key in self._spec.vary), recipe, text)

    def _change(self, data: dict[str, Any], key: str, value: Any, part: str) -> None:
        *parents, last = key.split(".")
        if [*parents, last][0] in _FIXED:
            self._refuse("is no matter of how a model learns", _REMEDY, key, part)
        for parent in parents:
            data = data.setdefault(parent, {})
            if not isinstance(data, dict):
                what = f"{parent} is {json.dumps(data)} in the recipe and holds no keys"
                self._refuse(what, "sweep another recipe, by --recipe", key, part)
        data[last] = value

    def _refuse(self, what: str, remedy: str, key: str, part: str = "vary") -> None:
        line = _line_of(self._path.read_text("utf-8"), part, key)
        where = f"{part}.{key}" if key else part
        raise ConfigError(f"{self._path}:{line}: {where}: {what}", remedy=remedy)


def _line_of(text: str, *names: str) -> int:
    """Find the line of a key within a key; dots within a name are part of it."""
    node, line = yaml.compose(text, Loader=yaml.SafeLoader), 1
    for name in names:
        if not isinstance(node, yaml.MappingNode):
            break
        for key, value in node.value:
            if key.value == name:
                node, line = value, key.start_mark.line + 1
                break
    return line


def _rank(value: Any) -> tuple[int, float, str]:
    """Order numbers by their size, before all else, which goes by its text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 0, float(value), ""
    return 1, 0.0, json.dumps(value, sort_keys=True)


_FIXED = ("name", "version", "licence", "source", "recording", "synth", "deterministic")
_REMEDY = "vary sample_rate, features, tokens, word2vec, table, window, head or seed"

"""YAML into typed, frozen structures, with errors that name the line."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import msgspec
import yaml

from edge.errors import ConfigError, EdgeError
from edge.remedies import permission_remedy
from edge.yaml_types import (
    keys_of,
    parts_of,
    refusal,
    remedy_at,
    remedy_for_missing,
    types_at,
    value_at,
)

T = TypeVar("T")


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of a YAML file: read-only, and strict about its keys."""


class Choice(Record, frozen=True):
    """A part with exactly one of several keys, which says of what kind it is."""

    WHAT: ClassVar[str]
    """What it is, in a word."""
    KINDS: ClassVar[tuple[str, ...]]
    """The keys, one of which it has."""

    def __post_init__(self) -> None:
        """Refuse what has none of the keys, or two."""
        found = self._found()
        if len(found) != 1:
            many = f"more than one {self.WHAT}: {' and '.join(found)}"
            raise RefusedError(
                f"holds {many if found else f'no {self.WHAT}'}",
                remedy=f"give exactly one of {', '.join(self.KINDS)}; several make a list",
            )

    @property
    def kind(self) -> str:
        """The key that it has."""
        return self._found()[0]

    def _found(self) -> list[str]:
        return [kind for kind in self.KINDS if getattr(self, kind) is not None]


class RefusedError(ValueError):
    """What the check of a structure finds wrong; to be raised in its `__post_init__`.

    Args:
        what: What is wrong.
        remedy: What to do about it.
        key: Under which key of the structure, dotted; empty for the structure itself.
    """

    def __init__(self, what: str, *, remedy: str, key: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.key = key


def read(path: Path, kind: type[T], *, error: type[EdgeError] = ConfigError) -> T:
    """Read a YAML file as a `kind` (a msgspec Struct).

    Unknown and repeated keys, wrong types and values out of range are errors.

    Args:
        path: The file.
        kind: What it must hold.
        error: The class to raise.

    Raises:
        EdgeError: `error`, naming the file, line, key and what would be right.
    """
    return parse(_text(path, error=error), kind, name=str(path), error=error)


def parse(text: str, kind: type[T], *, name: str, error: type[EdgeError] = ConfigError) -> T:
    """Read YAML text as a `kind`; `name` stands for the file in messages."""
    node, data = _load(text, name=name, error=error)
    if node is None:
        raise error(f"{name}: is empty", remedy="write the keys it must hold, or restore it")
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as reason:
        refused = _explain(reason, data, kind)
        raise error(_with_line(refused, node, name), remedy=refused.remedy) from None


def located(path: Path, refused: RefusedError) -> ConfigError:
    """Say in which line something is that was found wrong only once the whole file was read."""
    try:
        node, _ = _load(_text(path, error=ConfigError), name=str(path), error=ConfigError)
    except ConfigError as error:
        return error
    assert node is not None
    return ConfigError(_with_line(refused, node, str(path)), remedy=refused.remedy)


def _text(path: Path, *, error: type[EdgeError]) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as reason:
        raise error(f"{path}: is not UTF-8 text: {reason}", remedy="save it as UTF-8") from None
    except OSError as reason:
        raise error(
            f"{path}: cannot be read: {reason.strerror}",
            remedy=permission_remedy(path),
        ) from None


def _with_line(refused: RefusedError, node: yaml.Node, name: str) -> str:
    key = refused.key
    return f"{name}:{_line_of(node, key)}: {key or 'the whole file'}: {refused.what}"


def _explain(reason: msgspec.ValidationError, data: Any, kind: type[Any]) -> RefusedError:
    """Say in our words what msgspec found wrong."""
    message, found, location = str(reason).rpartition(" - at `")
    if not found:
        message, location = location, ""
    location = _name_entries(location.rstrip("`"), data, kind)
    key = location.removeprefix("$").removeprefix(".")
    cause = reason.__cause__
    if isinstance(cause, RefusedError):
        joined = ".".join(filter(None, [key, cause.key]))
        return RefusedError(cause.what, remedy=cause.remedy, key=joined.replace(".[", "["))
    field = re.fullmatch(
        r"Object (contains unknown|missing required) field `(.*)`", message, re.DOTALL
    )
    if field is None:
        value = value_at(data, key)
        types = types_at(kind, key, data)
        return RefusedError(refusal(message, value, types), remedy=remedy_at(value, types), key=key)
    joined = ".".join(filter(None, [key, field[2]]))
    if field[1] == "missing required":
        return RefusedError(
            "is missing",
            remedy=remedy_for_missing(field[2], types_at(kind, joined, data)),
            key=joined,
        )
    known = ", ".join(keys_of(types_at(kind, key, data)))
    spelling = f"take it out or correct its spelling; known here: {known}"
    return RefusedError("unknown key", remedy=spelling, key=joined)


def _load(text: str, *, name: str, error: type[EdgeError]) -> tuple[yaml.Node | None, Any]:
    """Parse YAML into its nodes, which know their lines, and its data."""
    mend = "mend that line; indentation is by spaces, and text with a colon needs quotes"
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None, None
        for number, (place, refused) in enumerate(_unfit(node, "")):
            if refused is not None:
                line = place.start_mark.line + 1
                what = f"{name}:{line}: {refused.key or 'the whole file'}: {refused.what}"
                raise error(what, remedy=refused.remedy)
            if number > _MOST_NODES:
                raise error(f"{name}: holds too much", remedy="write it without `&` and `*`")
        return node, loader.construct_document(node)
    except yaml.MarkedYAMLError as reason:
        mark = reason.problem_mark
        line = mark.line + 1 if mark else 1
        raise error(f"{name}:{line}: is not valid YAML: {reason.problem}", remedy=mend) from None
    except yaml.YAMLError as reason:
        raise error(f"{name}: is not valid YAML: {reason}", remedy="mend or replace it") from None
    except RecursionError:
        raise error(f"{name}: is nested too deeply", remedy="mend or replace it") from None
    finally:
        if loader is not None:
            loader.dispose()


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice; PyYAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        if not isinstance(node, yaml.MappingNode):
            raise _problem("keys and values are asked for here", node)
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _problem("a key is plain text", key_node)
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise _problem(f"the key {key!r} is given twice", key_node)
            seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (yaml.YAMLError, RecursionError):
            raise
        except Exception as reason:
            # PyYAML lets all kinds through where text is said to be a date or number but is none.
            raise _problem(f"no such value: {reason}; text needs quotes", node) from None


def _unfit(node: yaml.Node, key: str) -> Iterator[tuple[yaml.Node, RefusedError | None]]:
    """Go through all nodes; say of each what no key, path, name or argument can be."""
    refused = None
    if isinstance(node, yaml.ScalarNode):
        unfit = _UNFIT.search(node.value)
        if unfit:
            what = f"holds the character U+{ord(unfit[0]):04X}, which is no text"
            refused = RefusedError(what, remedy="take it out", key=key)
    yield node, refused
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _unfit(item, f"{key}[{number}]")
    elif isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            yield from _unfit(key_node, key)
            name = key_node.value
            if not isinstance(key_node, yaml.ScalarNode):
                continue
            if key_node.tag != _TEXT:
                what = f"the key {name} is not plain text"
                yield key_node, RefusedError(what, remedy="put it in quotes", key=key)
            yield from _unfit(value_node, f"{key}.{name}" if key else name)


def _problem(problem: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _name_entries(location: str, data: Any, kind: type[Any]) -> str:
    """Put the entry's key where msgspec says `[...]`: that of the first entry that fails alone."""
    place, found, rest = location.partition("[...]")
    entries = value_at(data, place.removeprefix("$"))
    if not found or not isinstance(entries, dict):
        return location
    whole = dict(entries)
    for name, value in whole.items():
        entries.clear()
        entries[name] = value
        try:
            msgspec.convert(data, kind)
        except msgspec.ValidationError as reason:
            if f"`{location}`" in str(reason):
                return _name_entries(f"{place}.{name}{rest}", data, kind)
    return location


def _line_of(node: yaml.Node, key: str) -> int:
    """Find the line of a dotted key such as `files.model.sha256` or `post[0].smooth`."""
    for part in parts_of(key):
        if isinstance(node, yaml.SequenceNode):
            if part not in {f"[{number}]" for number in range(len(node.value))}:
                break
            node = node.value[int(part[1:-1])]
        elif isinstance(node, yaml.MappingNode):
            for key_node, value_node in node.value:
                if key_node.value == part:
                    node = value_node
                    line: int = key_node.start_mark.line
                    break
            else:
                break
        else:
            break
        if isinstance(node, yaml.ScalarNode):
            return line + 1 if not part.startswith("[") else node.start_mark.line + 1
    mark: int = node.start_mark.line
    return mark + 1


_UNFIT = re.compile("[\0\ud800-\udfff]")
_TEXT = "tag:yaml.org,2002:str"
_MOST_NODES = 1_000_000
"""Aliases let a few lines stand for more than any memory holds."""

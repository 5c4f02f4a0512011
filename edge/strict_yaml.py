"""YAML into typed, frozen structures, with errors that name the line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from edge.errors import ConfigError, EdgeError

T = TypeVar("T")


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of a YAML file: read-only, and strict about its keys."""


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
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as reason:
        raise error(f"{path}: is not UTF-8 text: {reason}", remedy="save it as UTF-8") from None
    except OSError as reason:
        raise error(
            f"{path}: cannot be read: {reason.strerror}",
            remedy="check the path and its permissions",
        ) from None
    return parse(text, kind, name=str(path), error=error)


def parse(text: str, kind: type[T], *, name: str, error: type[EdgeError] = ConfigError) -> T:
    """Read YAML text as a `kind`; `name` stands for the file in messages."""
    node, data = _load(text, name=name, error=error)
    if node is None:
        raise error(f"{name}: is empty", remedy="write the keys it must hold, or restore it")
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as reason:
        message, _, location = str(reason).partition(" - at `")
        location = _name_entries(location.rstrip("`"), data, kind)
        key = location.removeprefix("$").removeprefix(".")
        unknown = message.removeprefix("Object contains unknown field `")
        if unknown != message:
            key = ".".join(filter(None, [key.removesuffix("`"), unknown.rstrip("`")]))
            message = "unknown key"
        raise error(
            f"{name}:{_line_of(node, key)}: {key or 'the whole file'}: {message}",
            remedy=_remedy(message, key, kind),
        ) from None


def _load(text: str, *, name: str, error: type[EdgeError]) -> tuple[yaml.Node | None, Any]:
    """Parse YAML into its nodes, which know their lines, and its data."""
    mend = "mend that line; indentation is by spaces, and text with a colon needs quotes"
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return node, loader.construct_document(node) if node is not None else None
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
        except (ValueError, KeyError) as reason:
            # PyYAML lets these through where text looks like a date or number but is none.
            raise _problem(f"no such value: {reason}; text needs quotes", node) from None


def _problem(problem: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _name_entries(location: str, data: Any, kind: type[Any]) -> str:
    """Put the entry's key where msgspec says `[...]`: that of the first entry that fails alone."""
    place, found, rest = location.partition("[...]")
    entries = data
    for part in place.replace("[", ".[").split(".")[1:]:
        entries = entries[int(part[1:-1]) if part.startswith("[") else part]
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
    for part in filter(None, key.replace("[", ".[").split(".")):
        if isinstance(node, yaml.SequenceNode) and part.startswith("[") and part[1:-1].isdigit():
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


def _remedy(message: str, key: str, kind: type[Any]) -> str:
    if message == "unknown key":
        known = _keys_at(kind, key.split(".")[:-1])
        return f"take it out or correct its spelling; known here: {', '.join(known)}"
    if message.startswith("Invalid enum value"):
        return f"write one of: {', '.join(_values_at(kind, key.split('.')))}"
    if "missing required field" in message:
        return "add it"
    if message.startswith("Expected `str`"):
        return "put it in quotes"
    return "give a value of the kind named"


def _keys_at(kind: Any, parts: Sequence[str]) -> list[str]:
    """List the keys that a structure takes at a dotted place."""
    info = _type_at(kind, parts)
    if not isinstance(info, msgspec.inspect.StructType):
        return []
    return [field.encode_name for field in info.fields]


def _values_at(kind: Any, parts: Sequence[str]) -> list[str]:
    """List the values that can stand at a dotted place, where they are a few."""
    info = _type_at(kind, parts)
    if isinstance(info, msgspec.inspect.EnumType):
        return [str(member.value) for member in info.cls]
    if isinstance(info, msgspec.inspect.LiteralType):
        return [str(value) for value in info.values]
    return []


def _type_at(kind: Any, parts: Sequence[str]) -> msgspec.inspect.Type | None:
    """Find the type of a dotted place; of lists, that of their items."""
    info = _without_none(msgspec.inspect.type_info(kind))
    for part in parts:
        if isinstance(info, msgspec.inspect.DictType):
            info = _without_none(info.value_type)
            continue
        if isinstance(info, _LISTS):
            info = _without_none(info.item_type)
            if part.startswith("["):
                continue
        if not isinstance(info, msgspec.inspect.StructType):
            return None
        match = [f.type for f in info.fields if f.encode_name == part.split("[")[0]]
        if not match:
            return None
        info = _without_none(match[0])
    return _without_none(info.item_type) if isinstance(info, _LISTS) else info


def _without_none(info: msgspec.inspect.Type) -> msgspec.inspect.Type:
    while isinstance(info, msgspec.inspect.UnionType):
        info = next(t for t in info.types if not isinstance(t, msgspec.inspect.NoneType))
    return info


_LISTS = (msgspec.inspect.ListType, msgspec.inspect.VarTupleType)

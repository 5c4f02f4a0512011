"""What the types of a YAML file ask for at a place, in words.

A type may say more than its bounds in `Meta(extra=...)`: `form`, in words, for a pattern, and
`remedy`, for a value out of range. `Meta(examples=[...])` is shown where a key is missing.
"""

import math
from collections.abc import Mapping
from typing import Any

import msgspec
import yaml

Types = list[tuple[msgspec.inspect.Type, Mapping[str, Any]]]
"""What may stand at a place; each with what was said in its `Meta`."""


def value_at(data: Any, key: str) -> Any:
    """Return what stands at a dotted place; None where that cannot be told."""
    for part in parts_of(key):
        try:
            data = data[int(part[1:-1]) if part.startswith("[") else part]
        except (ValueError, LookupError, TypeError):
            return None
    return data


def parts_of(key: str) -> list[str]:
    """Split a dotted place such as `source[0].name` into `source`, `[0]` and `name`."""
    return [*filter(None, key.replace("[", ".[").split("."))]


def refusal(message: str, value: Any, types: Types) -> str:
    """Say why a value is refused: what msgspec says, or what a person understands better."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"`{'.nan' if math.isnan(value) else '.inf'}` is no number"
    forms = [extra["form"] for _, extra in types if "form" in extra]
    if "matching regex" in message and forms:
        return f"{value!r} is not made of {forms[0]}"
    return message


def remedy_at(value: Any, types: Types) -> str:
    """Say what would be right at a place."""
    for info, extra in types:
        if isinstance(info, msgspec.inspect.StrType):
            if "form" in extra and isinstance(value, str):
                return f"use {extra['form']}"
            if value is not None and not isinstance(value, str | list | dict):
                return "put it in quotes"
        if isinstance(info, _NUMBERS) and isinstance(value, str):
            try:
                number = float(value)
            except ValueError:
                continue
            if math.isfinite(number):
                return f"write it without quotes and powers: {_plain(number)}"
    asked = " or ".join(filter(None, [_asked(info) for info, _ in types]))
    own = [extra["remedy"] for _, extra in types if "remedy" in extra]
    return "; ".join([f"give {asked}" if asked else "take it out", *own]) + _example(types)


def remedy_for_missing(key: str, types: Types) -> str:
    """Say how a key that is missing is added."""
    example = _example(types)
    if example:
        return f"add it{example.replace('`', f'`{key}: ', 1)}"
    return f"add it: {' or '.join(filter(None, [_asked(info) for info, _ in types]))}"


def _example(types: Types) -> str:
    for _, extra in types:
        for example in extra.get("examples", ()):
            shown = yaml.safe_dump(example, default_flow_style=True, sort_keys=False, width=1000)
            return f", such as `{shown.removesuffix('...' + chr(10)).strip()}`"
    return ""


def _asked(info: msgspec.inspect.Type) -> str:
    """Say what a type takes, in a few words; nothing for one that takes nothing or all."""
    words = ""
    match info:
        case msgspec.inspect.StrType():
            words = "text that is not empty" if info.min_length else "text"
        case msgspec.inspect.IntType():
            words = f"a whole number{_range(info)}"
        case msgspec.inspect.FloatType():
            words = f"a number{_range(info)}"
        case msgspec.inspect.BoolType():
            words = "true or false"
        case msgspec.inspect.EnumType():
            words = f"one of: {', '.join(str(member.value) for member in info.cls)}"
        case msgspec.inspect.LiteralType():
            words = f"one of: {', '.join(str(value) for value in info.values)}"
        case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType():
            least = f" of at least {info.min_length}" if info.min_length else ""
            most = f" of at most {info.max_length}" if info.max_length else ""
            words = f"a list{least}{most}, in brackets or each after `- ` on its own line"
        case msgspec.inspect.StructType() if info.tag is not None:
            words = f"`{info.tag_field}: {info.tag}` with its keys"
        case msgspec.inspect.StructType():
            words = f"keys with their values, of: {', '.join(keys_of([(info, {})]))}"
        case msgspec.inspect.DictType():
            words = "keys with their values"
    return words


def _range(info: msgspec.inspect.IntType | msgspec.inspect.FloatType) -> str:
    bounds = (("above", info.gt), ("at least", info.ge), ("below", info.lt), ("at most", info.le))
    given = [f"{word} {_plain(bound)}" for word, bound in bounds if bound is not None]
    return f" {' and '.join(given)}" if given else ""


def _plain(number: float) -> str:
    return f"{number:.15f}".rstrip("0").rstrip(".")


def keys_of(types: Types) -> list[str]:
    """List the keys of the structures among some types, each once."""
    structures = [info for info, _ in types if isinstance(info, msgspec.inspect.StructType)]
    tags = [info.tag_field for info in structures if info.tag_field is not None]
    fields = [field.encode_name for info in structures for field in info.fields]
    return [*dict.fromkeys([*tags, *fields])]


def types_at(kind: Any, key: str, data: Any = None) -> Types:
    """Find what may stand at a dotted place, each with what the type says of it.

    Of structures of several kinds, told apart by a key of theirs, that one counts which the data
    are of; all of them where the data do not say.

    Args:
        kind: The type of the whole.
        key: The place.
        data: What was read as the whole.
    """
    found, at = _bare(msgspec.inspect.type_info(kind)), ""
    for part in parts_of(key):
        found = [inner for info, _ in found for inner in _inside(info, part)]
        at = part if not at else f"{at}.{part}"
        found = _of_its_kind(found, value_at(data, at))
    return _merged(found)


def _of_its_kind(types: Types, value: Any) -> Types:
    """Leave out structures of another kind than a value says it is of."""
    said: Types = [
        (info, extra)
        for info, extra in types
        if isinstance(info, msgspec.inspect.StructType)
        and info.tag_field is not None
        and isinstance(value, dict)
        and value.get(info.tag_field) == info.tag
    ]
    return said or types


def _merged(types: Types) -> Types:
    """Make one of several lists of literals, as the kinds of structures are."""
    literals = [info for info, _ in types if isinstance(info, msgspec.inspect.LiteralType)]
    if len(literals) < 2:
        return types
    values = [*dict.fromkeys(value for info in literals for value in info.values)]
    one: Types = [(msgspec.inspect.LiteralType(tuple(values)), {})]
    return one + [each for each in types if not isinstance(each[0], msgspec.inspect.LiteralType)]


def _inside(info: msgspec.inspect.Type, part: str) -> Types:
    match info:
        case msgspec.inspect.DictType():
            return _bare(info.value_type)
        case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType() if part.startswith("["):
            return _bare(info.item_type)
        case msgspec.inspect.StructType() if info.tag is not None and info.tag_field == part:
            return [(msgspec.inspect.LiteralType((info.tag,)), {})]
        case msgspec.inspect.StructType():
            fields = [field for field in info.fields if field.encode_name == part]
            return [inner for field in fields for inner in _bare(field.type)]
        case _:
            return []


def _bare(info: msgspec.inspect.Type, extra: Mapping[str, Any] | None = None) -> Types:
    """List the alternatives of a type, without None."""
    extra = extra or {}
    match info:
        case msgspec.inspect.Metadata():
            more = {**(info.extra_json_schema or {}), **(info.extra or {})}
            return _bare(info.type, {**extra, **more})
        case msgspec.inspect.UnionType():
            return [inner for each in info.types for inner in _bare(each, extra)]
        case msgspec.inspect.NoneType():
            return []
        case _:
            return [(info, extra)]


_NUMBERS = (msgspec.inspect.IntType, msgspec.inspect.FloatType)

"""What the structures of a YAML file say of their keys, as their JSON Schema."""

import ast
import inspect
import textwrap
from typing import Any

import msgspec

from edge.strict_yaml import Choice


def described_schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the JSON Schema of a structure, each key described by the string below it.

    msgspec knows the docstrings of classes, but those of their attributes are only in the source
    (PEP 258): that is read again. Nor does it know of a `Choice` that it has exactly one key.
    """
    schema: dict[str, Any] = msgspec.json.schema(kind)
    for found in _structures(kind):
        definition = schema["$defs"][found.__name__]
        properties = definition["properties"]
        if issubclass(found, Choice):
            definition["oneOf"] = [
                {"required": [kind], "properties": {kind: {"type": "object"}}}
                for kind in found.KINDS
            ]
        for base in reversed(found.__mro__):
            for key, text in _described(base).items():
                if key in properties:
                    properties[key] = {**properties[key], "description": text}
    return schema


def _structures(kind: type[msgspec.Struct]) -> list[type[msgspec.Struct]]:
    """List a structure and all it holds."""
    found: list[type[msgspec.Struct]] = []
    waiting: list[msgspec.inspect.Type] = [msgspec.inspect.type_info(kind)]
    while waiting:
        info = waiting.pop()
        match info:
            case msgspec.inspect.StructType() if info.cls not in found:
                found.append(info.cls)
                waiting += [field.type for field in info.fields]
            case msgspec.inspect.UnionType():
                waiting += info.types
            case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType():
                waiting.append(info.item_type)
            case msgspec.inspect.Metadata():
                waiting.append(info.type)
    return found


def _described(kind: type) -> dict[str, str]:
    """Read the strings below a class's own attributes; none where there is no source."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    except (OSError, TypeError):
        return {}
    assert isinstance(tree, ast.ClassDef)
    texts = {}
    for attribute, below in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(attribute, ast.AnnAssign)
            and isinstance(attribute.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            texts[attribute.target.id] = " ".join(below.value.value.split())
    return texts

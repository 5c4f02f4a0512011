"""Reads the nodes of an ONNX file, and makes inner values its outputs.

An ONNX file is a protobuf message (https://protobuf.dev/programming-guides/encoding). Where a
message occurs twice as one field, the two are merged and their lists joined: so a second, small
`graph` at the file's end, which holds nothing but outputs, adds these to the first. No byte of the
file changes, and no schema classes are needed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

# The numbers of fields in ONNX's schema, which never change.
_MODEL_GRAPH = 7
_MODEL_FUNCTION = 25
_GRAPH_NODE = 1
_GRAPH_TENSOR = 5
_GRAPH_SPARSE = 15
_GRAPH_OUTPUT = 12
_NODE_INPUT = 1
_NODE_OUTPUT = 2
_NODE_OPERATOR = 4
_NODE_ATTRIBUTE = 5
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
_FUNCTION_NODE, _FUNCTION_ATTRIBUTE = 7, 11
_SPARSE_TENSORS = (1, 2)
_TENSOR_ELSEWHERE = 13
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_VALUE_NAME = 1

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
"""How a field's content is written, as the lowest three bits of its tag say."""


@dataclass(frozen=True, slots=True)
class Node:
    """One step of a graph."""

    operator: str
    inputs: tuple[str, ...]
    """Names of values; empty for one that is left out."""
    outputs: tuple[str, ...]


def nodes_of(content: bytes) -> list[Node]:
    """Return the nodes of a file's main graph, in the order in which they can be run.

    Args:
        content: An ONNX file.

    Raises:
        ValueError: Not an ONNX file.
    """
    found = []
    for field, graph in _fields(memoryview(content)):
        if field == _MODEL_GRAPH:
            found += [_node(part) for number, part in _fields(graph) if number == _GRAPH_NODE]
    if not found:
        raise ValueError("no ONNX file: it holds no graph")
    return found


def weight_files_of(content: bytes | memoryview) -> set[str]:
    """Name the files that a graph keeps weights in, relative to its own folder.

    Args:
        content: An ONNX file.

    Raises:
        ValueError: Not an ONNX file.
    """
    found = set()
    for tensor in _tensors(memoryview(content), _IN_MODEL):
        for field, entry in _fields(tensor):
            if field == _TENSOR_ELSEWHERE:
                pair = dict(_fields(entry))
                if bytes(pair.get(_ENTRY_KEY, b"")) == b"location":
                    found.add(_text(pair.get(_ENTRY_VALUE, memoryview(b""))))
    return found


def with_outputs(content: bytes, names: Sequence[str]) -> bytes:
    """Return a model that also gives out inner values, after its other outputs.

    Their types are left for the runtime to infer.

    Args:
        content: An ONNX file.
        names: Values that nodes of its main graph make, and that are no outputs yet.

    Raises:
        ValueError: Not an ONNX file, or a value that no node makes.
    """
    made = {name for node in nodes_of(content) for name in node.outputs}
    for name in names:
        if not name or name not in made:
            raise ValueError(f"no node makes a value called {name!r}")
    outputs = (_field(_GRAPH_OUTPUT, _field(_VALUE_NAME, name.encode())) for name in names)
    return content + _field(_MODEL_GRAPH, b"".join(outputs))


_Inside = Mapping[int, "_Inside | None"]
"""What may hold tensors within a message, by field; None for a tensor itself."""


def _tensors(message: memoryview, inside: _Inside) -> Iterator[memoryview]:
    for field, part in _fields(message):
        if field in inside:
            within = inside[field]
            if within is None:
                yield part
            else:
                yield from _tensors(part, within)


def _node(content: memoryview) -> Node:
    operator, inputs, outputs = "", [], []
    for field, part in _fields(content):
        if field == _NODE_OPERATOR:
            operator = _text(part)
        elif field == _NODE_INPUT:
            inputs.append(_text(part))
        elif field == _NODE_OUTPUT:
            outputs.append(_text(part))
    return Node(operator, tuple(inputs), tuple(outputs))


def _text(part: memoryview) -> str:
    # UnicodeDecodeError is a ValueError.
    return bytes(part).decode("utf-8")


def _fields(content: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield number and content of each field that has a length; pass over the others."""
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        kind = tag & 7
        if kind == _VARINT:
            _, at = _varint(content, at)
            continue
        if kind == _LENGTH:
            size, at = _varint(content, at)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            size = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"no ONNX file: a field of kind {kind}")
        if at + size > len(content):
            raise ValueError("a damaged ONNX file: a field reaches beyond its end")
        if kind == _LENGTH:
            yield tag >> 3, content[at : at + size]
        at += size


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    """Return the number that begins at `at`, seven bits a byte, lowest first; and its end."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(content):
            break
        byte = content[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise ValueError("a damaged ONNX file: a number without an end")


def _field(number: int, content: bytes) -> bytes:
    return _as_varint(number << 3 | _LENGTH) + _as_varint(len(content)) + content


def _as_varint(number: int) -> bytes:
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


_IN_SPARSE: _Inside = dict.fromkeys(_SPARSE_TENSORS)
_IN_ATTRIBUTE: dict[int, _Inside | None] = dict.fromkeys(_ATTRIBUTE_TENSORS)
_IN_ATTRIBUTE |= dict.fromkeys(_ATTRIBUTE_SPARSE, _IN_SPARSE)
_IN_NODE: _Inside = {_NODE_ATTRIBUTE: _IN_ATTRIBUTE}
_IN_GRAPH: _Inside = {_GRAPH_NODE: _IN_NODE, _GRAPH_TENSOR: None, _GRAPH_SPARSE: _IN_SPARSE}
_IN_ATTRIBUTE |= dict.fromkeys(_ATTRIBUTE_GRAPHS, _IN_GRAPH)
_IN_FUNCTION: _Inside = {_FUNCTION_NODE: _IN_NODE, _FUNCTION_ATTRIBUTE: _IN_ATTRIBUTE}
_IN_MODEL: _Inside = {_MODEL_GRAPH: _IN_GRAPH, _MODEL_FUNCTION: _IN_FUNCTION}

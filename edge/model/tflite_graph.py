"""Makes inner tensors of a TFLite file outputs of it.

A TFLite file is a FlatBuffer (https://flatbuffers.dev/internals): a table's field holds how far
ahead its value lies. So a longer list of outputs can stand at the file's end, and only
the field that leads to it changes: no schema classes, no second copy of the weights in memory.
"""

import struct
from collections.abc import Sequence

# The places of fields in TFLite's schema, which never change.
_MODEL_SUBGRAPHS = 2
_SUBGRAPH_OUTPUTS = 2


def with_outputs(content: bytes, tensors: Sequence[int]) -> bytes:
    """Return a model whose first graph also gives out some tensors, after its other outputs.

    Args:
        content: A TFLite file.
        tensors: Their numbers.

    Raises:
        ValueError: Not a TFLite file.
    """
    if content[4:8] != b"TFL3":
        raise ValueError("no TFLite file")
    patched = bytearray(content)
    try:
        model = _follow(content, 0)
        graphs = _follow(content, _field(content, model, _MODEL_SUBGRAPHS))
        graph = _follow(content, graphs + 4)
        field = _field(content, graph, _SUBGRAPH_OUTPUTS)
        outputs = _follow(content, field)
        (count,) = struct.unpack_from("<I", content, outputs)
        numbers = struct.unpack_from(f"<{count}i", content, outputs + 4)
        patched += bytes(-len(patched) % 4)
        struct.pack_into("<I", patched, field, len(patched) - field)
    except struct.error as reason:
        raise ValueError(f"a damaged TFLite file: {reason}") from None
    longer = (*numbers, *tensors)
    patched += struct.pack(f"<I{len(longer)}i", len(longer), *longer)
    return bytes(patched)


def _follow(content: bytes, at: int) -> int:
    """Return where the value lies that the offset at `at` leads to."""
    (ahead,) = struct.unpack_from("<I", content, at)
    return at + int(ahead)


def _field(content: bytes, table: int, number: int) -> int:
    """Return where a table keeps a field."""
    (behind,) = struct.unpack_from("<i", content, table)
    places = table - behind
    (size,) = struct.unpack_from("<H", content, places)
    offset = 0
    if 4 + 2 * number < size:
        (offset,) = struct.unpack_from("<H", content, places + 4 + 2 * number)
    if not offset:
        raise ValueError(f"a TFLite file without field {number} of a table")
    return table + int(offset)

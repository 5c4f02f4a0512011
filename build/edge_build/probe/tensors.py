"""The tensors of a model as the probe sees them, whatever runtime its graph runs in."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.contracts import FloatArray
from edge.windows.tensor_pool import TensorPool, pool_tensor

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Tensor:
    """What a node of a model makes of a clip."""

    name: str
    """Empty where the file gives none."""
    operator: str
    """What makes it, by the file format's name."""
    shape: tuple[int, ...]
    place: float
    """From 0, the graph's first node, to 1, its last."""
    pools: tuple[TensorPool | None, ...]
    """The ways in which it becomes one vector; None where it is one row."""
    obstacle: str = ""
    """Why a manifest cannot take its embedding from it; empty where it can."""


class Tensors(Protocol):
    """A model file that was opened so that all its tensors can be read."""

    found: Sequence[Tensor]
    """Those that depend on the clip, in the graph's order."""

    def run(self, clip: FloatArray) -> list[FloatArray]:
        """Return the value of each tensor for what `ClipInput` makes of one clip."""
        ...


@dataclass(frozen=True, slots=True)
class View:
    """A tensor, as one vector a clip."""

    number: int
    """Of the tensor, among those that were found."""
    tensor: Tensor
    pool: TensorPool | None
    width: int

    @property
    def usable(self) -> str:
        """What stands in the table under `usable as embedding`."""
        if self.tensor.obstacle:
            return f"no: {self.tensor.obstacle}"
        return "yes" if self.pool is None else f"yes, pool: {self.pool}"


def views_of(tensors: Sequence[Tensor]) -> list[View]:
    """List each tensor in each way that gives a vector of at most 16 384 values."""
    views = []
    for number, tensor in enumerate(tensors):
        for pool in tensor.pools:
            width = len(pool_tensor(np.zeros(tensor.shape, dtype=np.float32), pool))
            if 0 < width <= MOST_WIDTH:
                views.append(View(number, tensor, pool, width))
    return views


def heard(
    nodes: Iterable[tuple[Sequence[Key], Sequence[Key]]], source: Key
) -> list[tuple[int, Key]]:
    """List what depends on the sound: the others, such as unpacked weights, are always the same.

    Args:
        nodes: Inputs and outputs of each node, in the order in which they run.
        source: The graph's input.

    Returns:
        Number of the node and key of each value.
    """
    reached = {source}
    values = []
    for number, (inputs, outputs) in enumerate(nodes):
        if reached.isdisjoint(inputs):
            continue
        for output in outputs:
            reached.add(output)
            values.append((number, output))
    return values


def name_obstacle(name: str, times: int) -> str:
    """Say why a tensor cannot be named in a manifest; empty where it can."""
    if not name:
        return "it has no name"
    return f"{times} tensors have this name" if times > 1 else ""


def as_float32(values: NDArray[np.generic]) -> FloatArray:
    """Return numbers of another precision as float32."""
    return values.astype(np.float32, copy=False)


MOST_WIDTH = 16_384
"""Values of a vector; what has more, such as the waveform, is no embedding."""
MOST_VALUES = 1 << 24
"""Values of a tensor; larger ones are not read."""

"""Numbers that a TFLite file keeps as small integers, each a multiple of a scale from a zero."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.contracts import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Quantisation:
    """What a tensor's integers stand for: (integer - zero) · scale.

    Source: TensorFlow Lite 8-bit quantization specification.
    """

    kind: np.dtype[Any]
    """Of the integers."""
    scales: NDArray[np.float64]
    """In a shape that broadcasts with the tensor."""
    zeros: NDArray[np.float64]
    """In the shape of `scales`."""

    def decode(self, values: NDArray[Any]) -> FloatArray:
        """Return what a tensor's integers stand for, in its shape."""
        return ((values - self.zeros) * self.scales).astype(np.float32)

    def encode(self, values: FloatArray) -> NDArray[Any]:
        """Return the integers nearest to what they are to stand for."""
        limits = np.iinfo(self.kind)
        nearest = np.rint(values / self.scales) + self.zeros
        return np.clip(nearest, limits.min, limits.max).astype(self.kind)


def quantisation_of(detail: dict[str, Any]) -> Quantisation | None:
    """Return how a tensor is quantised; None where its numbers are what they are.

    Args:
        detail: What an interpreter's `get_tensor_details` says of it.
    """
    said = detail["quantization_parameters"]
    kind = np.dtype(detail["dtype"])
    if kind.kind not in "iu" or not len(said["scales"]):
        return None
    along = [1] * len(detail["shape"])
    if len(said["scales"]) > 1:
        along[int(said["quantized_dimension"])] = -1
    scales, zeros = (
        np.asarray(said[key], dtype=np.float64).reshape(along) for key in ("scales", "zero_points")
    )
    return Quantisation(kind, scales, zeros)

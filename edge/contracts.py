"""The types that pass through edge and the seams between its parts.

Read this file and you know the house: a `Source` yields `AudioBlock`s; a `Model` opens a
`Backend` for each stream, which turns blocks into `Outcome`s, one for every window; a
`PostProcessor` refines them; what reaches its threshold is a `Detection`, which a `Sink` sends on.
Every other module implements one of these.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

FRAME_SECONDS = 5.0
"""Length of the frame that gets a row in a submission, in seconds (BirdCLEF's rule)."""

MIN_TAIL_SECONDS = 1.0
"""The last, partial frame is zero-padded and scored if it holds this much audio, in seconds."""


class WindowKind(StrEnum):
    """What a model is asked to score."""

    FRAME = "frame"
    """5-second frames, the same for every model."""
    NATIVE = "native"
    """The model's own clips, at its own step."""


class WindowState(StrEnum):
    """The one state every received window ends in."""

    PREDICTED = "predicted"
    SKIPPED = "skipped"
    FAILED = "failed"
    GAP = "gap"


@dataclass(frozen=True, slots=True, eq=False)
class AudioBlock:
    """A run of consecutive samples of one stream."""

    stream: str
    """Name of the stream: a file's path or a live source's name."""
    start_sample: int
    """Number of the first sample, counted from the stream's start at `sample_rate_hz`."""
    sample_rate_hz: int
    samples: FloatArray
    """[shape=(n,)] mono, full scale = ±1. The receiver must not keep or change the buffer."""
    started_at: datetime | None = None
    """UTC time of the stream's sample 0, where it is known."""

    @property
    def end_sample(self) -> int:
        """Number of the sample that follows this block."""
        return self.start_sample + len(self.samples)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of one stream that gets one outcome."""

    stream: str
    start_s: float
    """Seconds from the stream's sample 0."""
    end_s: float
    """Seconds from the stream's sample 0; the nominal end, also of a zero-padded tail."""


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What a model heard in one window."""

    window: Window
    model: str
    """`name@version` of the model that said it."""
    scores: FloatArray
    """[shape=(n_labels,)] probabilities in [0, 1], in the order of the model's labels."""
    embedding: FloatArray | None = None
    """[shape=(embedding_size,)] what the head saw, where the stream was opened to keep it."""
    state: WindowState = field(default=WindowState.PREDICTED, init=False)


@dataclass(frozen=True, slots=True)
class Unscored:
    """A window that got no prediction, and why."""

    window: Window
    state: WindowState
    """SKIPPED, FAILED or GAP."""
    reason: str


Outcome = Prediction | Unscored


@dataclass(frozen=True, slots=True)
class Detection:
    """A label that was heard in a window, with all that places it."""

    number: int
    """Counts up through the store's life; what a sink has sent is known by it."""
    source: str
    """The source it came through, as the configuration names it."""
    stream: str
    """A file's path, or the live source's name."""
    start_s: float
    """Start of the window, in seconds from the stream's sample 0."""
    end_s: float
    at: datetime
    """UTC time of the window's start."""
    time_source: str
    """Where the time is from: guano, icmt, name, mtime or clock."""
    label: str
    confidence: float
    """In [0, 1]."""
    model: str
    """`name@version` of the model that said it."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a loaded model says of itself."""

    name: str
    version: str
    labels: tuple[str, ...]
    sample_rate_hz: int
    clip_seconds: float
    step_seconds: float
    embedding_size: int | None
    """Width of `Prediction.embedding`; None where the model has none to show."""

    @property
    def id(self) -> str:
        """`name@version`, stamped on every prediction."""
        return f"{self.name}@{self.version}"


class Source(AbstractContextManager["Source"], Protocol):
    """Where sound comes from. Opened by `with`, read by iterating, closed by leaving it."""

    def __iter__(self) -> Iterator[AudioBlock]: ...


class LiveSource(Source, Protocol):
    """Sound that comes by itself and does not wait: numbered from 0 at each opening.

    It raises `AudioError` when it cannot go on; whoever reads it opens it again.
    """

    sample_rate_hz: int
    """Of its blocks; known once it is entered."""
    ends: bool
    """Whether the end of its sound is the end of its work, as with a pipe that is closed."""

    def stop(self) -> None:
        """Let a waiting iteration end soon; called from another thread, more than once."""
        ...


class Sink(AbstractContextManager["Sink"], Protocol):
    """Where detections go. Opened by `with`; one that is slow or away holds up nothing else."""

    def write(self, detections: Sequence[Detection]) -> None:
        """Hand on detections, in order; return when they are safe with the receiver.

        Raises:
            OSError: Not now; they will be offered again.
        """
        ...


class Backend(Protocol):
    """One stream's state over a loaded model.

    Blocks come at the model's sample rate and follow one another without a gap; at a gap or the
    stream's end the caller takes what `finish` yields and calls `reset`.
    """

    def push(self, block: AudioBlock) -> Sequence[Outcome]:
        """Take samples; return the windows that became complete, in order."""
        ...

    def finish(self) -> Sequence[Outcome]:
        """End the segment: pad and score the tail, or say why it is skipped."""
        ...

    def reset(self) -> None:
        """Forget the segment; the next block starts another."""
        ...

    def close(self) -> None:
        """Let go of the stream's buffers; the model stays loaded."""
        ...


class Model(Protocol):
    """A loaded, verified model folder that any number of streams share."""

    @property
    def info(self) -> ModelInfo:
        """Name, labels and sizes."""
        ...

    def open(
        self, *, windows: WindowKind = WindowKind.FRAME, keep_embeddings: bool = False
    ) -> Backend:
        """Begin a stream."""
        ...

    def close(self) -> None:
        """Free what the model holds."""
        ...


class PostProcessor(Protocol):
    """Refines one window's outcome from its neighbours; the same in a stream and in a file."""

    @property
    def behind(self) -> int:
        """How many earlier windows it looks at."""
        ...

    @property
    def ahead(self) -> int:
        """How many later windows it waits for: its latency, in windows."""
        ...

    def __call__(self, neighbours: Sequence[Outcome], at: int) -> Outcome:
        """Return what becomes of `neighbours[at]`.

        Args:
            neighbours: The window among those before and after it in its segment, unrefined by
                this processor; fewer at the segment's ends.
            at: Position of the window, at most `behind`.
        """
        ...

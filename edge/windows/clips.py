"""Running a model of fixed clips over a stream, and gathering its clips into 5-second frames."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from edge.contracts import (
    FRAME_SECONDS,
    MIN_TAIL_SECONDS,
    AudioBlock,
    FloatArray,
    Outcome,
    Prediction,
    Unscored,
    Window,
    WindowKind,
    WindowState,
)
from edge.windows.tail import count_frames, skipped_tail_reason


class Aggregate(StrEnum):
    """How the clips of a frame become the frame's scores."""

    MEAN_PROBABILITY = "mean_probability"
    MAX_PROBABILITY = "max_probability"
    MEAN_EMBEDDING = "mean_embedding"
    """The head on the mean of the clips' embeddings."""


@dataclass(frozen=True, slots=True, eq=False)
class ClipScores:
    """What the model gave for one clip."""

    scores: FloatArray | None
    """[shape=(n_labels,)] probabilities; None where a head makes them from the embedding."""
    embedding: FloatArray | None
    """[shape=(embedding_size,)]"""


@dataclass(frozen=True, slots=True)
class ClipGrid:
    """Clips of one length at one step, in samples; clip k starts at k·step.

    Raises:
        ValueError: A grid that would leave some frame without a clip.
    """

    clip: int
    step: int
    sample_rate_hz: int

    def __post_init__(self) -> None:
        if not 0 < self.step <= self.clip:
            raise ValueError(
                f"a step of {self.step} samples leaves holes between clips of {self.clip}"
            )
        if self.step > self.frame or self.clip > 2 * self.frame:
            raise ValueError(
                f"clips of {self.clip} samples every {self.step} leave some frame without a clip"
            )

    @property
    def frame(self) -> int:
        """Samples a frame."""
        return round(FRAME_SECONDS * self.sample_rate_hz)

    @property
    def least(self) -> int:
        """Least samples of audio in a last clip that is worth padding: half a clip."""
        return math.ceil(self.clip / 2)

    def frame_of(self, k: int) -> int:
        """Number of the frame that holds the centre of clip k; the earlier one on a border."""
        return -(-(2 * k * self.step + self.clip) // (2 * self.frame)) - 1


class ClipStream:
    """One stream of a clip model; a `Backend`.

    A clip belongs to the frame that holds its centre, so each counts once and overlaps its frame
    by at least half. A frame at the end of a segment that is left without a clip gets one of its
    own, from the frame's start.

    Args:
        model: `name@version`, for the predictions.
        grid: Where the clips lie.
        score: Runs the model on one clip [shape=(grid.clip,)].
        head: Makes scores from an embedding; needed for `MEAN_EMBEDDING`.
        aggregate: How clips become a frame.
        windows: Frames, or the clips themselves.
        keep_embeddings: Whether predictions carry the (mean) embedding.
    """

    def __init__(
        self,
        *,
        model: str,
        grid: ClipGrid,
        score: Callable[[FloatArray], ClipScores],
        aggregate: Aggregate,
        head: Callable[[FloatArray], FloatArray] | None = None,
        windows: WindowKind = WindowKind.FRAME,
        keep_embeddings: bool = False,
    ) -> None:
        self._model = model
        self._grid = grid
        self._score = score
        self._head = head
        self._aggregate = aggregate
        self._native = windows is WindowKind.NATIVE
        self._keep_embeddings = keep_embeddings
        self._stream = ""
        self.reset()

    def push(self, block: AudioBlock) -> Sequence[Outcome]:
        """Score the clips that became complete; return the windows these completed."""
        self._stream = block.stream
        self._pieces.append(block.samples.copy())
        self._end += len(block.samples)
        outcomes: list[Outcome] = []
        while self._end >= self._next * self._grid.step + self._grid.clip:
            outcomes += self._take(self._next * self._grid.step)
        return outcomes

    def finish(self) -> Sequence[Outcome]:
        """Score the clips and frames that the end cuts short, or say why not."""
        grid = self._grid
        outcomes: list[Outcome] = []
        while self._end - self._next * grid.step >= grid.least:
            outcomes += self._take(self._next * grid.step)
        if self._native:
            return outcomes + self._skipped_clip()
        count = count_frames(self._end, sample_rate_hz=grid.sample_rate_hz)
        while self._frame < count.frames:
            if not self._clips:
                self._clips.append(self._score(self._cut(self._frame * grid.frame)))
            outcomes.append(self._close_frame())
        if count.skipped:
            reason = skipped_tail_reason(
                count.skipped, sample_rate_hz=grid.sample_rate_hz, least_s=MIN_TAIL_SECONDS
            )
            outcomes.append(
                Unscored(
                    self._window(count.frames * grid.frame, grid.frame), WindowState.SKIPPED, reason
                )
            )
        return outcomes

    def reset(self) -> None:
        """Forget the segment."""
        self._held = np.empty(0, dtype=np.float32)
        self._held_from = 0
        self._pieces: list[FloatArray] = []
        self._end = 0
        self._next = 0
        self._frame = 0
        self._clips: list[ClipScores] = []

    def close(self) -> None:
        """Let go of the buffers."""
        self.reset()

    def _take(self, start: int) -> list[Outcome]:
        """Score clip `next`, which starts at `start`; return what it completed."""
        clip = self._score(self._cut(start))
        outcomes: list[Outcome] = []
        if self._native:
            outcomes.append(self._predict(self._window(start, self._grid.clip), [clip]))
        elif self._grid.frame_of(self._next) == self._frame:
            self._clips.append(clip)
            if self._grid.frame_of(self._next + 1) > self._frame:
                outcomes.append(self._close_frame())
        self._next += 1
        return outcomes

    def _close_frame(self) -> Outcome:
        window = self._window(self._frame * self._grid.frame, self._grid.frame)
        prediction = self._predict(window, self._clips)
        self._frame += 1
        self._clips = []
        return prediction

    def _predict(self, window: Window, clips: list[ClipScores]) -> Prediction:
        embeddings = [clip.embedding for clip in clips if clip.embedding is not None]
        embedding = _mean(embeddings) if embeddings else None
        if self._aggregate is Aggregate.MEAN_EMBEDDING:
            if self._head is None or embedding is None:
                raise ValueError("mean_embedding needs a head and an embedding")
            scores = self._head(embedding)
        else:
            rows = [clip.scores for clip in clips if clip.scores is not None]
            maximum = self._aggregate is Aggregate.MAX_PROBABILITY
            scores = np.maximum.reduce(rows) if maximum else _mean(rows)
        return Prediction(window, self._model, scores, embedding if self._keep_embeddings else None)

    def _skipped_clip(self) -> list[Outcome]:
        """Say what becomes of audio at the end that no clip holds."""
        covered = (self._next - 1) * self._grid.step + self._grid.clip if self._next else 0
        if self._end <= covered:
            return []
        reason = skipped_tail_reason(
            self._end - covered,
            sample_rate_hz=self._grid.sample_rate_hz,
            least_s=self._grid.least / self._grid.sample_rate_hz,
        )
        window = self._window(self._next * self._grid.step, self._grid.clip)
        return [Unscored(window, WindowState.SKIPPED, reason)]

    def _cut(self, start: int) -> FloatArray:
        """Cut a clip [shape=(grid.clip,)], zero-padded past the end."""
        self._gather()
        clip = self._held[start - self._held_from :][: self._grid.clip]
        return np.pad(clip, (0, self._grid.clip - len(clip)))

    def _gather(self) -> None:
        """Join what came to what is held, without what no clip can ask for any more.

        Done when a clip is cut, not at each push: many small blocks cost no more than a large one.
        """
        keep = self._next * self._grid.step
        if not self._native:
            keep = min(keep, self._frame * self._grid.frame)
        if self._pieces:
            joined = np.concatenate([self._held, *self._pieces])
            self._held = joined[keep - self._held_from :].copy()
            self._held_from = keep
            self._pieces = []

    def _window(self, start: int, length: int) -> Window:
        rate = self._grid.sample_rate_hz
        return Window(self._stream, start / rate, (start + length) / rate)


def _mean(rows: list[FloatArray]) -> FloatArray:
    """Mean in a fixed order; one row stays as it is, to the bit."""
    if len(rows) == 1:
        return rows[0]
    return np.asarray(np.add.reduce(rows, dtype=np.float32) / np.float32(len(rows)))

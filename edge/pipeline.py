"""The loop that every program runs: blocks in, outcomes out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.contracts import (
    AudioBlock,
    Backend,
    FloatArray,
    Model,
    Outcome,
    PostProcessor,
    Unscored,
    Window,
    WindowKind,
    WindowState,
)
from edge.dsp.resample import StreamResampler
from edge.dsp.validity import MOST_MAGNITUDE, find_unusable


def score(
    blocks: Iterable[AudioBlock],
    model: Model,
    *,
    windows: WindowKind = WindowKind.FRAME,
    post: Sequence[PostProcessor] = (),
    keep_embeddings: bool = False,
) -> Iterator[Outcome]:
    """Score a stream from its first block to its last.

    Yields:
        One outcome for each window, in order.
    """
    stream = StreamScorer(model, windows=windows, post=post, keep_embeddings=keep_embeddings)
    for block in blocks:
        yield from stream.push(block)
    yield from stream.finish()


class StreamScorer:
    """One stream through one model: resamples, sees gaps and bad samples, refines.

    A break in the sample count or a change of rate ends the segment: windows never straddle it.
    Samples that are NaN, infinite or absurdly large are replaced by silence for the windows around
    them, and the windows that hold one fail.

    Args:
        model: The loaded model.
        windows: 5-second frames or the model's own clips.
        post: Post-processors, in order.
        keep_embeddings: Whether predictions carry embeddings.
    """

    def __init__(
        self,
        model: Model,
        *,
        windows: WindowKind = WindowKind.FRAME,
        post: Sequence[PostProcessor] = (),
        keep_embeddings: bool = False,
    ) -> None:
        self._rate_hz = model.info.sample_rate_hz
        self._backend: Backend = model.open(windows=windows, keep_embeddings=keep_embeddings)
        self._stages = [_Stage(processor) for processor in post]
        self._block: AudioBlock | None = None
        self._segment_start = 0
        self._resampler: StreamResampler | None = None
        self._pushed = 0
        self._bad: list[_BadRun] = []

    def push(self, block: AudioBlock) -> Sequence[Outcome]:
        """Take a block; return the outcomes that became final."""
        outcomes: list[Outcome] = []
        last = self._block
        if last is not None and (
            block.start_sample != last.end_sample or block.sample_rate_hz != last.sample_rate_hz
        ):
            outcomes += self.finish()
        if self._resampler is None:
            self._segment_start = block.start_sample
            self._resampler = StreamResampler(from_hz=block.sample_rate_hz, to_hz=self._rate_hz)
        self._block = block
        samples = self._resampler.push(self._without_bad(block))
        return outcomes + self._refine(self._pass_on(samples, block.stream))

    def finish(self) -> Sequence[Outcome]:
        """End the segment; return all that is left of it."""
        if self._resampler is None or self._block is None:
            return []
        outcomes = self._pass_on(self._resampler.finish(), self._block.stream)
        outcomes += self._judge(self._backend.finish())
        outcomes = self._refine(outcomes)
        for number, stage in enumerate(self._stages):
            rest = stage.finish()
            for later in self._stages[number + 1 :]:
                rest = later.push(rest)
            outcomes += rest
        self._backend.reset()
        self._block = None
        self._resampler = None
        self._pushed = 0
        self._bad = []
        return outcomes

    def _without_bad(self, block: AudioBlock) -> FloatArray:
        unusable = find_unusable(block.samples)
        if unusable is None:
            return block.samples
        finite = np.isfinite(block.samples)
        self._note_bad(block, unusable & ~finite, _NOT_FINITE)
        self._note_bad(block, unusable & finite, _TOO_LARGE)
        return np.where(unusable, np.float32(0.0), block.samples)

    def _note_bad(self, block: AudioBlock, where: NDArray[np.bool_], reason: str) -> None:
        bad = np.flatnonzero(where) + block.start_sample - self._segment_start
        if not len(bad):
            return
        # Runs closer to one another than any window is long count as one.
        edges = np.flatnonzero(np.diff(bad) > block.sample_rate_hz * _LEAST_WINDOW_S)
        for first, last in zip(
            np.concatenate([bad[:1], bad[edges + 1]]),
            np.concatenate([bad[edges], bad[-1:]]),
            strict=True,
        ):
            start_s, end_s = first / block.sample_rate_hz, (last + 1) / block.sample_rate_hz
            self._bad.append(_BadRun(start_s, end_s, reason))

    def _pass_on(self, samples: FloatArray, stream: str) -> list[Outcome]:
        block = AudioBlock(stream, self._pushed, self._rate_hz, samples)
        self._pushed += len(samples)
        return self._judge(self._backend.push(block))

    def _judge(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Fail windows with bad samples, and place all of them in the stream's time."""
        if self._bad and outcomes:
            outcomes = [self._failed_if_bad(outcome) for outcome in outcomes]
            passed_s = outcomes[-1].window.start_s
            self._bad = [run for run in self._bad if run.end_s > passed_s]
        if self._segment_start == 0 or self._block is None:
            return list(outcomes)
        shift_s = self._segment_start / self._block.sample_rate_hz
        return [replace(outcome, window=_shifted(outcome.window, shift_s)) for outcome in outcomes]

    def _failed_if_bad(self, outcome: Outcome) -> Outcome:
        window = outcome.window
        reasons = {
            run.reason: None
            for run in self._bad
            if run.start_s < window.end_s and run.end_s > window.start_s
        }
        if reasons:
            return Unscored(window, WindowState.FAILED, f"holds samples {', and '.join(reasons)}")
        return outcome

    def _refine(self, outcomes: list[Outcome]) -> list[Outcome]:
        for stage in self._stages:
            outcomes = stage.push(outcomes)
        return outcomes


class _BadRun(NamedTuple):
    """Where samples are unusable, in seconds from the segment's start."""

    start_s: float
    end_s: float
    reason: str


class _Stage:
    """Gives a post-processor its neighbours, and waits for those it looks ahead to."""

    def __init__(self, processor: PostProcessor) -> None:
        self._processor = processor
        self._reset()

    def push(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        self._held += outcomes
        return self._advance(len(self._held) - self._processor.ahead)

    def finish(self) -> list[Outcome]:
        done = self._advance(len(self._held))
        self._reset()
        return done

    def _advance(self, until: int) -> list[Outcome]:
        done = []
        while self._at < until:
            first = max(0, self._at - self._processor.behind)
            neighbours = self._held[first : self._at + self._processor.ahead + 1]
            done.append(self._processor(neighbours, self._at - first))
            self._at += 1
        spare = max(0, self._at - self._processor.behind)
        del self._held[:spare]
        self._at -= spare
        return done

    def _reset(self) -> None:
        self._held: list[Outcome] = []
        self._at = 0


def _shifted(window: Window, by_s: float) -> Window:
    return Window(window.stream, window.start_s + by_s, window.end_s + by_s)


_LEAST_WINDOW_S = 0.01
_NOT_FINITE = "that are NaN or infinite"
_TOO_LARGE = f"that are absurdly large (above {MOST_MAGNITUDE:.0e}, full scale being 1)"

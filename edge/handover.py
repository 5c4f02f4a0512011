"""From one model to the next within a stream: no sample lost, no window twice."""

from collections.abc import Sequence
from dataclasses import replace

from edge.contracts import FRAME_SECONDS, AudioBlock, Model, Outcome, PostProcessor
from edge.pipeline import StreamScorer


class Relay:
    """One stream through a model that may be replaced while the stream goes on.

    The new model begins at the next border of windows. The old one hears on until it has said all
    about the windows before it: resampling, clips that reach over the border and post-processors
    that look ahead need some sound from beyond.

    Args:
        model: The loaded model to begin with.
        post: Its post-processors, in order.
    """

    def __init__(self, model: Model, *, post: Sequence[PostProcessor] = ()) -> None:
        self._scorer = StreamScorer(model, post=post)
        self._model, self._post = model, post
        self._next: tuple[Model, Sequence[PostProcessor]] | None = None
        self._leaving: StreamScorer | None = None
        self._leaving_model: Model | None = None
        self._border = 0
        self._held: list[Outcome] = []
        self._segment_start: int | None = None
        self._position = 0
        self._rate_hz = 0

    @property
    def models(self) -> tuple[Model, ...]:
        """The models in use: who loaded them must keep these open."""
        waiting = (self._next[0],) if self._next else ()
        leaving = (self._leaving_model,) if self._leaving_model else ()
        return (*leaving, self._model, *waiting)

    @property
    def position(self) -> int:
        """The sample that follows the last one pushed."""
        return self._position

    def switch(self, model: Model, *, post: Sequence[PostProcessor] = ()) -> None:
        """Let another model begin at the next border; the last one asked for wins."""
        self._next = (model, post)
        if self._segment_start is None:
            self._begin()

    def push(self, block: AudioBlock) -> list[Outcome]:
        """Take a block; return the outcomes that became final, in order."""
        outcomes: list[Outcome] = []
        going_on = self._segment_start is not None
        if going_on and (
            block.start_sample != self._position or block.sample_rate_hz != self._rate_hz
        ):
            outcomes += self.finish()
            going_on = False
        if not going_on:
            self._segment_start = block.start_sample
            self._rate_hz = block.sample_rate_hz
            self._position = block.start_sample
        while len(block.samples):
            if self._next is not None and self._leaving is None:
                border = self._next_border()
                if border == self._position:
                    self._begin()
                elif border < block.end_sample:
                    part, block = _split(block, border)
                    outcomes += self._pass_on(part)
                    continue
            outcomes += self._pass_on(block)
            break
        return outcomes

    def finish(self) -> list[Outcome]:
        """End the segment; return all that is left of it."""
        outcomes = self._until_border(self._leaving.finish()) if self._leaving else []
        outcomes += [*self._held, *self._scorer.finish()]
        self._leave()
        self._segment_start = None
        if self._next is not None:
            self._begin()
        return outcomes

    def restart(self, sample: int) -> None:
        """Forget the segment, at which a model broke; another one begins at this sample."""
        self._leave()
        self._segment_start = None
        self._position = sample
        if self._next is not None:
            self._begin()
        else:
            self._scorer = StreamScorer(self._model, post=self._post)

    def _pass_on(self, block: AudioBlock) -> list[Outcome]:
        self._position = block.end_sample
        new = list(self._scorer.push(block))
        if self._leaving is None:
            return new
        self._held += new
        said = self._leaving.push(block)
        outcomes = self._until_border(said)
        if len(outcomes) < len(said) or (outcomes and self._sample(outcomes[-1]) >= self._border):
            outcomes += self._held
            self._leave()
        return outcomes

    def _begin(self) -> None:
        """Start the next model here, where a window begins."""
        assert self._next is not None
        if self._segment_start is not None and self._position > self._segment_start:
            self._leaving, self._leaving_model = self._scorer, self._model
            self._border = self._position
        self._model, self._post = self._next
        self._next = None
        self._scorer = StreamScorer(self._model, post=self._post)

    def _leave(self) -> None:
        self._leaving = self._leaving_model = None
        self._held = []

    def _next_border(self) -> int:
        assert self._segment_start is not None
        window = round(FRAME_SECONDS * self._rate_hz)
        passed = self._position - self._segment_start
        return self._segment_start + -(-passed // window) * window

    def _sample(self, outcome: Outcome) -> int:
        """Return the sample after an outcome's window."""
        return round(outcome.window.end_s * self._rate_hz)

    def _until_border(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        return [outcome for outcome in outcomes if self._sample(outcome) <= self._border]


def _split(block: AudioBlock, at: int) -> tuple[AudioBlock, AudioBlock]:
    cut = at - block.start_sample
    return (
        replace(block, samples=block.samples[:cut]),
        replace(block, start_sample=at, samples=block.samples[cut:]),
    )

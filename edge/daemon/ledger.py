"""From a stream's outcomes to what is kept of them: ranges of windows, and detections."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.contracts import Outcome, Prediction, WindowState
from edge.store.entries import WindowRange


@dataclass(frozen=True, slots=True)
class Sighting:
    """A label that was heard, before its place in time is known."""

    start_s: float
    """Seconds from the stream's sample 0."""
    end_s: float
    label: str
    confidence: float
    model: str


class Ledger:
    """Accounts for every sample of one stream: each lies in exactly one range.

    What a post-processor leaves above 0 is a detection.

    Args:
        start_sample: Where the account begins.
    """

    def __init__(self, *, start_sample: int = 0) -> None:
        self._at = start_sample
        self._ranges: list[WindowRange] = []
        self._heard: list[Sighting] = []
        self._early: deque[Outcome] = deque()

    @property
    def accounted(self) -> int:
        """The sample up to which all is accounted for."""
        return self._at

    def add(
        self,
        outcomes: Sequence[Outcome],
        labels: Mapping[str, Sequence[str]],
        *,
        sample_rate_hz: int,
        received_to: int,
        ends: bool = False,
    ) -> None:
        """Account for windows, in order.

        A clip model may be done with a window before all of it came in: such an outcome waits.

        Args:
            outcomes: They follow one another and what was accounted for before.
            labels: Of each model, by its `name@version`.
            sample_rate_hz: The stream's own.
            received_to: The sample that follows the last one received.
            ends: Whether the segment ends there: a padded tail does, too.
        """
        self._early += outcomes
        while self._early:
            end = round(self._early[0].window.end_s * sample_rate_hz)
            if end > received_to:
                if not ends:
                    break
                end = received_to
            outcome = self._early.popleft()
            reason, model = "", ""
            if isinstance(outcome, Prediction):
                model = outcome.model
                self._hear(outcome, labels[model])
            else:
                reason = outcome.reason
            received = end - self._at
            self._append(WindowRange(self._at, end, received, 1, outcome.state, reason, model))

    def add_gap(self, end_sample: int, *, received: int, windows: int, reason: str) -> None:
        """Account for a stretch that no model saw.

        Args:
            end_sample: The sample that follows it.
            received: How many of its samples came in and were dropped.
            windows: How many windows it counts for.
            reason: Why.
        """
        self._append(WindowRange(self._at, end_sample, received, windows, WindowState.GAP, reason))

    def fail(self, end_sample: int, *, windows: int, reason: str) -> None:
        """Account for a stretch at which the model broke, and forget what it said ahead of it.

        Args:
            end_sample: The sample that follows it; all of it came in.
            windows: How many windows it counts for.
            reason: Why.
        """
        self._early.clear()
        received = end_sample - self._at
        failed = WindowState.FAILED
        self._append(WindowRange(self._at, end_sample, received, windows, failed, reason))

    def take(self) -> tuple[list[WindowRange], list[Sighting]]:
        """Hand over what was gathered since the last call."""
        ranges, heard = self._ranges, self._heard
        self._ranges, self._heard = [], []
        return ranges, heard

    def _append(self, part: WindowRange) -> None:
        self._at = part.end_sample
        last = self._ranges[-1] if self._ranges else None
        if last and _fate(last) == _fate(part):
            self._ranges[-1] = replace(
                last,
                end_sample=part.end_sample,
                received=last.received + part.received,
                windows=last.windows + part.windows,
            )
        else:
            self._ranges.append(part)

    def _hear(self, prediction: Prediction, labels: Sequence[str]) -> None:
        window = prediction.window
        heard = np.flatnonzero(prediction.scores > 0.0)
        for number in heard[np.argsort(-prediction.scores[heard], kind="stable")]:
            self._heard.append(
                Sighting(
                    window.start_s,
                    window.end_s,
                    labels[number],
                    float(prediction.scores[number]),
                    prediction.model,
                )
            )


def _fate(part: WindowRange) -> tuple[WindowState, str, str]:
    return part.state, part.reason, part.model

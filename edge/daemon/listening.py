"""A live source: what comes in through the model, window by window into the store."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from edge.contracts import FRAME_SECONDS, AudioBlock, Model, PostProcessor
from edge.daemon.faults import Faults
from edge.daemon.ledger import Ledger, Sighting
from edge.handover import Relay
from edge.live.anchor import Anchoring
from edge.live.intake import Intake
from edge.live.ring import Gap
from edge.store.entries import Anchored, Entry, Heard, StreamOpened, WindowsDone
from edge.store.store import Store


class Listening:
    """The stream of one live source.

    Args:
        intake: Hears it; entered by its owner, left by `close`.
        store: Gives the stream its number.
        faults: Where trouble is told.
        labels: Of each model in use, by its `name@version`; kept up to date by the owner.
        open_relay: Opens a stream through the model of the moment.
        monotonic_s: The clock that is never set.
    """

    def __init__(
        self,
        intake: Intake,
        *,
        store: Store,
        faults: Faults,
        labels: Mapping[str, Sequence[str]],
        open_relay: Callable[[], Relay],
        monotonic_s: Callable[[], float],
    ) -> None:
        self.name = intake.name
        self._intake = intake
        self._store = store
        self._faults = faults
        self._labels = labels
        self._relay = open_relay()
        self._ledger = Ledger()
        self._monotonic_s = monotonic_s
        self._stream = 0
        self._rate_hz = 0
        self._anchorings: list[Anchoring] = []
        self._accounted_s = monotonic_s()
        self._taken_to = 0

    @property
    def models(self) -> tuple[Model, ...]:
        """The models in use."""
        return self._relay.models

    @property
    def finished(self) -> bool:
        """Whether the source has ended and all of it was scored."""
        return self._intake.finished and self._taken_to == self._ledger.accounted

    def switch(self, model: Model, post: Sequence[PostProcessor]) -> None:
        """Let another model begin at the next window's border."""
        self._relay.switch(model, post=post)

    def step(self) -> list[Entry] | None:
        """Score what came, a window's length at most; return what is to be kept, or None."""
        for fault in self._intake.take_faults():
            self._faults.repeat(fault)
        most = round(FRAME_SECONDS * self._rate_hz) if self._rate_hz else None
        items = self._intake.take(most)
        entries: list[Entry] = []
        for item in items:
            entries += self._take(item)
        if not items and self._intake.finished and self._taken_to > self._ledger.accounted:
            self._end_segment()
        entries += self._done()
        return entries if items or entries else None

    def deaf(self) -> str | None:
        """Say why no windows are finished; None while they are."""
        ailment = self._intake.health()
        if ailment is not None:
            return f"{ailment.what}, since {ailment.since:%H:%M:%S} UTC"
        quiet_s = self._monotonic_s() - self._accounted_s
        if self._rate_hz and quiet_s > _PATIENCE_S and not self._intake.finished:
            return f"no window was finished for {quiet_s:.0f} s"
        return None

    def close(self) -> list[Entry]:
        """Hear no more; score what has come, the tail too; return what is to be kept."""
        self._intake.stop()
        self._intake.__exit__(None, None, None)
        entries: list[Entry] = []
        for item in self._intake.take():
            entries += self._take(item)
        if self._stream:
            self._end_segment()
        return entries + self._done()

    def _take(self, item: AudioBlock | Gap | Anchoring) -> list[Entry]:
        if isinstance(item, Anchoring):
            return [self._anchor(item)]
        self._taken_to = item.end_sample
        if isinstance(item, Gap):
            self._end_segment()
            self._ledger.add_gap(
                item.end_sample,
                received=item.received,
                windows=item.windows or 1,
                reason=item.reason,
            )
        else:
            self._ledger.add(
                self._relay.push(item),
                self._labels,
                sample_rate_hz=self._rate_hz,
                received_to=item.end_sample,
            )
        return []

    def _end_segment(self) -> None:
        """Score the tail of what follows no more."""
        self._ledger.add(
            self._relay.finish(),
            self._labels,
            sample_rate_hz=self._rate_hz,
            received_to=self._relay.position,
        )

    def _anchor(self, anchoring: Anchoring) -> Entry:
        """Note where the stream's time comes from; the first time, open the stream."""
        self._anchorings.append(anchoring)
        if self._stream:
            self._faults.passed(self.name, f"its time was set again: {anchoring.reason}")
            return Anchored(self._stream, anchoring.sample, anchoring.at, anchoring.reason)
        self._stream = self._store.next_stream()
        self._rate_hz = anchoring.sample_rate_hz
        return StreamOpened(
            self._stream, self.name, self._rate_hz, anchoring.time_of(0), _TIME_SOURCE
        )

    def _done(self) -> list[Entry]:
        ranges, heard = self._ledger.take()
        if not ranges:
            return []
        self._accounted_s = self._monotonic_s()
        received = self._intake.received_samples
        found = tuple(
            Heard(h.start_s, h.end_s, self._time(h), h.label, h.confidence, h.model) for h in heard
        )
        self._forget_anchorings()
        return [WindowsDone(self._stream, received, tuple(ranges), found)]

    def _time(self, sighting: Sighting) -> datetime:
        sample = round(sighting.start_s * self._rate_hz)
        known = [a for a in self._anchorings if a.sample <= sample]
        return (known[-1] if known else self._anchorings[0]).time_of(sample).astimezone(UTC)

    def _forget_anchorings(self) -> None:
        """Keep the last one that windows to come may need, and those after it."""
        while len(self._anchorings) > 1 and self._anchorings[1].sample <= self._ledger.accounted:
            del self._anchorings[0]


_TIME_SOURCE = "clock"
_PATIENCE_S = 30.0
"""Longer than a window, and what a slow board takes for one."""

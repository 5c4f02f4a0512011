"""A live source: what comes in through the model, window by window into the store."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import structlog

from edge.contracts import FRAME_SECONDS, AudioBlock, Model, Outcome, PostProcessor
from edge.daemon.faults import Faults
from edge.daemon.hearing import hear, windows_in
from edge.daemon.ledger import Ledger, Sighting
from edge.daemon.portions import Portions
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
        self._broke = False
        """Whether the model broke at the last it was given."""
        self._ledger = Ledger()
        self._monotonic_s = monotonic_s
        self._stream = 0
        self._rate_hz = 0
        self._anchorings: list[Anchoring] = []
        self._items: deque[AudioBlock | Gap | Anchoring] = deque()
        """Fetched from the intake and not looked at yet."""
        self._told: list[Entry] = []
        """Openings and anchorings to be kept, also where the rest of a step fails."""
        self._accounted_s = monotonic_s()
        self._taken_to = 0
        self._portions = Portions(window=1)

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
        """Score what came, a second of it at most; return what is to be kept, or None."""
        for fault in self._intake.take_faults():
            self._faults.repeat(fault)
        # No more at once: whoever says stop waits for it, and a slow model takes its time.
        most = self._rate_hz or None
        items = self._intake.take(most) if self._intake.is_due else []
        self._take(items)
        if not items and self._intake.finished and self._taken_to > self._ledger.accounted:
            self._end_segment()
        done = self._done()
        if items:
            self._intake.want(self._portions.next(self._taken_to, finished=bool(done)))
        told, self._told = self._told, []
        return told + done if items or told or done else None

    def deaf(self) -> str | None:
        """Say why no windows are scored; None while they are."""
        now_s = self._monotonic_s()
        ailment = self._intake.health()
        if ailment is not None:
            # Once it is heard again, the next window takes its time.
            self._accounted_s = now_s
            return ailment.what
        late = now_s - self._accounted_s > _PATIENCE_S
        if self._rate_hz and late and not self._intake.finished:
            return f"sound comes, but no window was scored for {_PATIENCE_S:.0f} s"
        return None

    def stop(self) -> None:
        """Hear no more, without waiting for it."""
        self._intake.stop()

    def close(self, *, within_s: float) -> list[Entry]:
        """Hear no more; score what has come, the tail too; return what is to be kept."""
        self._intake.stop()
        self._intake.__exit__(None, None, None)
        until_s = self._monotonic_s() + within_s
        while self._monotonic_s() < until_s:
            items = self._intake.take(self._rate_hz // 4 or None)
            if not items:
                if self._stream:
                    self._end_segment()
                break
            self._take(items)
        else:
            self._leave_unscored()
        done = self._done()
        told, self._told = self._told, []
        return told + done

    def _leave_unscored(self) -> None:
        """Account for what has come, the window that was begun included, without the model."""
        self._ledger.add(
            (), self._labels, sample_rate_hz=self._rate_hz, received_to=self._taken_to, ends=True
        )
        received = self._taken_to - self._ledger.accounted
        for item in (*self._items, *self._intake.take()):
            if isinstance(item, Anchoring):
                self._anchor(item)
                continue
            received += item.received if isinstance(item, Gap) else len(item.samples)
            self._taken_to = item.end_sample
        if self._taken_to > self._ledger.accounted:
            self._ledger.add_gap(
                self._taken_to,
                received=received,
                windows=windows_in(received, self._rate_hz),
                reason=_CLOSED,
            )

    def _take(self, items: Sequence[AudioBlock | Gap | Anchoring]) -> None:
        """Score items; where a mistake of ours ends that, the others stay to be accounted for."""
        self._items += items
        while self._items:
            self._score(self._items.popleft())

    def _score(self, item: AudioBlock | Gap | Anchoring) -> None:
        if isinstance(item, Anchoring):
            self._anchor(item)
            return
        self._taken_to = item.end_sample
        if isinstance(item, Gap):
            self._end_segment()
            self._portions.begin(item.end_sample)
            self._ledger.add_gap(
                item.end_sample,
                received=item.received,
                windows=item.windows or 1,
                reason=item.reason,
            )
        else:
            self._add(lambda: self._relay.push(item), received_to=item.end_sample)

    def _end_segment(self) -> None:
        """Score the tail of what follows no more."""
        self._add(self._relay.finish, received_to=self._relay.position, ends=True)

    def _add(
        self, say: Callable[[], Sequence[Outcome]], *, received_to: int, ends: bool = False
    ) -> None:
        broken = hear(
            say,
            self._relay,
            self._ledger,
            self._labels,
            sample_rate_hz=self._rate_hz,
            received_to=received_to,
            ends=ends,
        )
        self._broke = bool(broken)
        if broken:
            self._faults.passed(f"{self.name}: model", f"the model broke: {broken}", _STURDIER)
            self._portions.begin(received_to)

    def _anchor(self, anchoring: Anchoring) -> None:
        """Note where the stream's time comes from; the first time, open the stream."""
        self._anchorings.append(anchoring)
        if self._stream:
            what = f"its time was set again: {anchoring.reason}"
            if anchoring.stepped:
                self._faults.passed(f"{self.name}: time", what, "see that the clock is kept right")
            else:
                # No fault: every sound card drifts, and this is how the time stays right.
                structlog.get_logger().info(what, source=self.name)
            self._told.append(
                Anchored(self._stream, anchoring.sample, anchoring.at, anchoring.reason)
            )
            return
        self._stream = self._store.next_stream()
        self._rate_hz = anchoring.sample_rate_hz
        self._portions = Portions(window=round(FRAME_SECONDS * self._rate_hz))
        self._told.append(
            StreamOpened(self._stream, self.name, self._rate_hz, anchoring.time_of(0), _TIME_SOURCE)
        )

    def _done(self) -> list[Entry]:
        ranges, heard = self._ledger.take()
        if not ranges:
            return []
        if not self._broke:
            self._accounted_s = self._monotonic_s()
        self._compare_rates()
        received = self._intake.received_samples
        found = tuple(
            Heard(h.start_s, h.end_s, self._time(h), h.label, h.confidence, h.model) for h in heard
        )
        self._forget_anchorings()
        drift_ppm = self._intake.drift_ppm
        drift_ppm = None if drift_ppm is None else round(drift_ppm)
        return [WindowsDone(self._stream, received, tuple(ranges), found, drift_ppm)]

    def _compare_rates(self) -> None:
        """Tell where the configured rate is wrong: every pitch and length would be."""
        where, comes_hz = f"{self.name}: sample rate", self._intake.other_rate_hz
        if comes_hz is None:
            self._faults.ended(where)
        elif not self._faults.is_open(where):
            self._faults.seen(
                where,
                f"it should come at {self._rate_hz} Hz, but comes at about {comes_hz}",
                "give the rate and the number of channels at which it is recorded",
            )

    def _time(self, sighting: Sighting) -> datetime:
        sample = round(sighting.start_s * self._rate_hz)
        known = [a for a in self._anchorings if a.sample <= sample]
        return (known[-1] if known else self._anchorings[0]).time_of(sample).astimezone(UTC)

    def _forget_anchorings(self) -> None:
        """Keep the last one that windows to come may need, and those after it."""
        while len(self._anchorings) > 1 and self._anchorings[1].sample <= self._ledger.accounted:
            del self._anchorings[0]


_TIME_SOURCE = "clock"
_CLOSED = "dropped: the source was closed before the model came to it"
_STURDIER = "try the model on the sound of that time; another one may be sturdier"
_PATIENCE_S = 30.0
"""Longer than a window, and what a slow board takes for one."""

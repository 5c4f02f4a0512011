"""One live source on a thread of its own: opened, read, and opened again when it fails."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Annotated

import structlog
from msgspec import Meta

from edge.contracts import AudioBlock, LiveSource
from edge.errors import AudioError
from edge.live.anchor import Anchor, Anchoring
from edge.live.pace import Pace
from edge.live.ring import LEAST_SECONDS, Gap, SampleRing
from edge.live.vitals import Vitals
from edge.store.entries import FaultEnded, FaultSeen
from edge.strict_yaml import Record

_Wait = Annotated[float, Meta(gt=0, le=86_400)]


class ListeningSpec(Record, frozen=True):
    """How much patience there is with a live source; seconds."""

    buffer_s: Annotated[float, Meta(ge=LEAST_SECONDS, le=3600)] = 60.0
    """How much sound may wait for a slow model before the oldest is dropped."""
    nothing_s: _Wait = 10.0
    """How long nothing may come."""
    lifeless_s: _Wait = 60.0
    """How long only zeros, a flat line or NaN may come."""
    first_wait_s: _Wait = 1.0
    """How long a source that failed is left alone; doubled each time it fails again."""
    longest_wait_s: _Wait = 60.0
    """The longest it is left alone."""
    healthy_s: _Wait = 60.0
    """How long it must be heard until its failures are forgiven."""


@dataclass(frozen=True, slots=True)
class Ailment:
    """Why a source is not heard."""

    what: str
    since: datetime
    """UTC."""
    reopening: bool
    """Whether it failed and is being opened again; else it is open and deaf."""


class Intake:
    """Hears one live source, and goes on with it whatever happens.

    Samples are numbered from the first sound on; where the source was away, the numbers jump by
    the time that went by on the monotonic clock. Entered, it listens on a thread of its own; left,
    the thread has ended. What was heard until then can still be taken.

    Sound that comes faster than it lasts, such as a recording piped in, is held up when too much
    of it waits; sound that happens is dropped then, by whole windows.

    Args:
        name: The stream's name, and where its faults are.
        source: What to listen to.
        now: The wall clock, UTC.
        monotonic_s: The clock that is never set, in seconds.
        wake: Called, on the intake's thread, when there is something to take or to tell.
        spec: How much patience it has; None for the usual.
    """

    def __init__(
        self,
        name: str,
        source: LiveSource,
        *,
        now: Callable[[], datetime],
        monotonic_s: Callable[[], float],
        wake: Callable[[], None],
        spec: ListeningSpec | None = None,
    ) -> None:
        self.name = name
        self._source = source
        self._now = now
        self._monotonic_s = monotonic_s
        self._wake = wake
        self._spec = spec = spec or ListeningSpec()
        self._stopping = threading.Event()
        self._taken = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"intake {name}", daemon=True)
        self._ring: SampleRing | None = None
        self._anchor: Anchor | None = None
        self._anchorings: deque[Anchoring] = deque(maxlen=_MOST_ANCHORINGS)
        self._faults: deque[FaultSeen | FaultEnded] = deque(maxlen=_MOST_FAULTS)
        self._vitals = Vitals()
        self._pace = Pace(over_s=spec.buffer_s)
        self._lock = threading.Lock()
        self._arrived_s = monotonic_s()
        self._opening: _Opening | None = None
        self._away = ""
        """Why it is away; empty from the first sound on."""
        self._at_fault = False
        self._wait_s = spec.first_wait_s
        self._held_up = False
        self._ended = False
        self._broken: BaseException | None = None
        self._wanted_sample = 0

    def __enter__(self) -> "Intake":
        self._arrived_s = self._monotonic_s()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._thread.join(_LONGEST_GOODBYE_S)
        if self._thread.is_alive():
            structlog.get_logger().error("a source cannot be closed", stream=self.name)

    def stop(self) -> None:
        """Let the thread end soon, without waiting for it; call for all before leaving one."""
        self._stopping.set()
        self._taken.set()
        self._source.stop()

    @property
    def sample_rate_hz(self) -> int:
        """Of the stream; 0 before the first sound."""
        return self._ring.sample_rate_hz if self._ring else 0

    @property
    def received_samples(self) -> int:
        """How many samples came in."""
        return self._ring.received_samples if self._ring else 0

    @property
    def drift_ppm(self) -> float | None:
        """How much faster than it claims the sound comes, in parts per million, once known."""
        with self._lock:
            return self._anchor.drift_ppm if self._anchor else None

    @property
    def other_rate_hz(self) -> int | None:
        """At which rate the sound comes, where that is far from what it claims; else None."""
        with self._lock:
            return self._anchor.other_rate_hz if self._anchor else None

    @property
    def finished(self) -> bool:
        """Whether the source has ended for good and all that came of it was taken."""
        return self._ended and (self._ring is None or self._ring.is_empty)

    @property
    def is_due(self) -> bool:
        """Whether as much came as was wanted, or no more is to come."""
        come = self._ring is not None and self._ring.end_sample >= self._wanted_sample
        return come or self._ended or self._broken is not None

    def want(self, sample: int) -> None:
        """Ask to be woken when the stream has come so far, and not for each block before."""
        self._wanted_sample = sample

    def take(self, most_samples: int | None = None) -> list[AudioBlock | Gap | Anchoring]:
        """Return what came, in order, without waiting.

        An anchoring comes before the block or gap that its sample lies in; one, that of sample 0,
        before everything else.

        Args:
            most_samples: The rest is left for the next time; None for all there is.

        Raises:
            BaseException: What broke the thread, a mistake in the program.
        """
        if self._ring is None or not (items := self._ring.take(most_samples)):
            if self._broken is not None:
                raise self._broken
            return []
        found: list[AudioBlock | Gap | Anchoring] = []
        for item in items:
            while self._anchorings and self._anchorings[0].sample < item.end_sample:
                found.append(self._anchorings.popleft())
            found.append(item)
        self._taken.set()
        return found

    def take_faults(self) -> list[FaultSeen | FaultEnded]:
        """Return what went wrong, and what is over, since the last call; without waiting."""
        found = []
        while self._faults:
            found.append(self._faults.popleft())
        return found

    def health(self) -> Ailment | None:
        """Say why nothing is heard; None if something is, or if nothing more is to come."""
        now_s = self._monotonic_s()
        with self._lock:
            if self._ended or self._held_up or self._stopping.is_set():
                return None
            silent_s = now_s - self._arrived_s
            if silent_s >= self._spec.nothing_s:
                what = self._away or "it delivers nothing"
                return Ailment(what, self._ago(silent_s), reopening=bool(self._away))
            found = self._vitals.lifeless()
            if found is not None and now_s - found[1] >= self._spec.lifeless_s:
                return Ailment(
                    f"it delivers {found[0]}", self._ago(now_s - found[1]), reopening=False
                )
        return None

    def _ago(self, seconds: float) -> datetime:
        return self._now() - timedelta(seconds=seconds)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set() and not self._ended:
                error = self._listen()
                if error is not None and not self._stopping.is_set():
                    self._fail(error)
                    self._stopping.wait(self._wait_s)
                    self._wait_s = min(2 * self._wait_s, self._spec.longest_wait_s)
        except BaseException as error:
            # A thread must not die in silence: its owner gets this from `take`.
            self._broken = error
        self._wake()

    def _listen(self) -> AudioError | None:
        """Open the source and hear it to its end; return why it ended, if it should not have."""
        try:
            with self._source:
                self._opening = None
                for block in self._source:
                    self._hear(block)
            self._ended = self._source.ends and not self._stopping.is_set()
        except AudioError as error:
            return error
        except OSError as reason:
            return AudioError(f"{self.name}: {reason}", remedy="look at the device and the system")
        if self._ended:
            return None
        return AudioError(
            f"{self.name}: its sound ended", remedy="see whether what writes it still runs"
        )

    def _hear(self, block: AudioBlock) -> None:
        now, now_s = self._now(), self._monotonic_s()
        rate = block.sample_rate_hz
        seconds = len(block.samples) / rate
        if self._ring is None:
            self._anchor = Anchor(sample_rate_hz=rate)
            self._ring = SampleRing(self.name, sample_rate_hz=rate, capacity_s=self._spec.buffer_s)
        ring = self._ring
        if rate != ring.sample_rate_hz:
            raise AudioError(
                f"{self.name}: its sample rate was {ring.sample_rate_hz} Hz and is now {rate} Hz",
                remedy="restart edge if that is to stay",
            )
        if self._opening is None:
            self._opening = _Opening(self._begin(block, now_s, ring), now_s)
        start_sample = self._opening.shift + block.start_sample
        if start_sample > ring.end_sample:
            ring.skip(start_sample - ring.end_sample)
        self._pace.note(seconds, at_s=now_s)
        piped = self._pace.faster_than_life(now_s=now_s)
        with self._lock:
            self._arrived_s = now_s
            self._away = ""
            self._vitals.note(block.samples, at_s=now_s)
            if not piped:
                self._anchor_to(block, start_sample, now, now_s)
        if piped and not self._has_room(ring, len(block.samples)):
            return
        ring.push(block.samples)
        self._forgive(now_s)
        if self.is_due:
            self._wake()

    def _begin(self, block: AudioBlock, now_s: float, ring: SampleRing) -> int:
        """Note how long the source was away; return what its sample numbers are shifted by."""
        if ring.end_sample:
            seconds = len(block.samples) / ring.sample_rate_hz
            away_s = now_s - seconds - self._arrived_s
            ring.skip(max(1, round(away_s * ring.sample_rate_hz)))
            self._vitals.reset()
        return ring.end_sample - block.start_sample

    def _anchor_to(self, block: AudioBlock, start_sample: int, now: datetime, now_s: float) -> None:
        assert self._anchor is not None
        end_sample = start_sample + len(block.samples)
        anchoring = self._anchor.observe(start_sample, end_sample, now=now, monotonic_s=now_s)
        if anchoring is not None:
            self._anchorings.append(anchoring)

    def _has_room(self, ring: SampleRing, samples: int) -> bool:
        """Wait until there is room, and what writes the sound with us; false if stopped first."""
        if ring.has_room(samples):
            return True
        from_s = self._monotonic_s()
        self._held_up = True
        while not ring.has_room(samples) and not self._stopping.is_set():
            self._taken.wait(_LOOK_AGAIN_S)
            self._taken.clear()
        with self._lock:
            self._held_up = False
            self._arrived_s = self._monotonic_s()
            self._pace.held_up(self._arrived_s - from_s)
        return not self._stopping.is_set()

    def _fail(self, error: AudioError) -> None:
        what, _, said = error.what.partition("\n")
        remedy = f"{error.remedy}\n{said}" if said else error.remedy
        self._at_fault = True
        with self._lock:
            self._away = what
        self._faults.append(FaultSeen(self.name, what, remedy, self._now()))
        self._wake()

    def _forgive(self, now_s: float) -> None:
        """Forget failures once it was heard for long."""
        assert self._opening is not None
        if self._vitals.lifeless() is not None:
            self._opening.healthy_from_s = now_s
        if now_s - self._opening.healthy_from_s < self._spec.healthy_s:
            return
        self._wait_s = self._spec.first_wait_s
        if self._at_fault:
            self._at_fault = False
            self._faults.append(FaultEnded(self.name, self._now()))


@dataclass(slots=True)
class _Opening:
    """What is known of the source's present opening."""

    shift: int
    """The stream's sample number of its sample 0."""
    healthy_from_s: float


_MOST_ANCHORINGS = 1000
_MOST_FAULTS = 1000
_LOOK_AGAIN_S = 0.5
_LONGEST_GOODBYE_S = 5.0

"""Every sample that was received is in one range or on its way: pure bookkeeping."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from edge.contracts import FRAME_SECONDS, WindowState
from edge.store.entries import (
    Anchored,
    Entry,
    FaultEnded,
    FaultSeen,
    FileDone,
    FileState,
    Heard,
    ModelChanged,
    StreamOpened,
    WindowRange,
    WindowsDone,
)
from edge.store.schema import to_us

SCORED = (FileState.DONE, FileState.UNHEARD)
"""The states of files whose every window has its outcome."""


def merged(ranges: Iterable[WindowRange]) -> list[WindowRange]:
    """Unite neighbours that share state, reason and model."""
    united: list[WindowRange] = []
    for new in ranges:
        if united and _fate(united[-1]) == _fate(new):
            last = united[-1]
            united[-1] = replace(
                last,
                end_sample=new.end_sample,
                received=last.received + new.received,
                windows=last.windows + new.windows,
            )
        else:
            united.append(new)
    return united


def lost_range(start_sample: int, samples: int, sample_rate_hz: int, reason: str) -> WindowRange:
    """Give the range of samples that were received and never scored, as whole and part windows."""
    window = FRAME_SECONDS * sample_rate_hz
    count = int(-(-samples // window))
    return WindowRange(
        start_sample, start_sample + samples, samples, count, WindowState.GAP, reason
    )


@dataclass(slots=True)
class LiveStream:
    """How far a live stream has come."""

    opened: StreamOpened
    end_sample: int = 0
    """Up to which windows have their outcome."""
    received: int = 0
    accounted: int = 0
    """Of the samples received."""


class Ledger:
    """The live streams of this run, and the rules that their entries keep."""

    def __init__(self) -> None:
        self.streams: dict[int, LiveStream] = {}
        self.given: set[int] = set()
        """Numbers given to streams that are not open yet."""

    def check(self, entries: Sequence[Entry]) -> "Ledger":
        """Take the entries into account.

        Returns:
            The ledger as it is after them; this one stays as it was.

        Raises:
            ValueError: Ranges overlap or leave a hole, more is accounted for than was received, a
                stream or number is unknown or used already, or a value cannot be.
        """
        after = Ledger()
        after.streams = dict(self.streams)
        after.given = set(self.given)
        for entry in entries:
            match entry:
                case StreamOpened():
                    after._open(entry)
                case WindowsDone():
                    after._go_on(entry)
                case FileDone():
                    _check_file(entry)
                case Anchored():
                    after._live(entry.stream)
                    to_us(entry.at)
                case FaultSeen() | FaultEnded() | ModelChanged():
                    to_us(entry.at)
        return after

    def _open(self, entry: StreamOpened) -> None:
        if entry.stream not in self.given:
            raise ValueError(f"stream {entry.stream}: was opened before, or never given")
        if entry.sample_rate_hz <= 0:
            raise ValueError(f"stream {entry.stream}: its rate is {entry.sample_rate_hz} Hz")
        to_us(entry.started_at)
        # A source that opens again is done with what it had open, once all of that is accounted.
        self.streams = {
            number: live
            for number, live in self.streams.items()
            if live.opened.source != entry.source or live.received > live.accounted
        }
        self.streams[entry.stream] = LiveStream(entry)
        self.given.remove(entry.stream)

    def _go_on(self, entry: WindowsDone) -> None:
        live = self._live(entry.stream)
        name = f"stream {entry.stream}"
        end = check_ranges(entry.ranges, start_sample=live.end_sample, name=name)
        accounted = live.accounted + sum(done.received for done in entry.ranges)
        if not max(live.received, accounted) <= entry.received_samples:
            raise ValueError(
                f"{name}: {entry.received_samples} samples received, after {live.received}, "
                f"of which {accounted} are accounted for"
            )
        _check_heard(entry.heard, name)
        self.streams[entry.stream] = replace(
            live, end_sample=end, received=entry.received_samples, accounted=accounted
        )

    def _live(self, stream: int) -> LiveStream:
        if stream not in self.streams:
            raise ValueError(f"stream {stream}: is not open")
        return self.streams[stream]


def check_ranges(ranges: Sequence[WindowRange], *, start_sample: int, name: str) -> int:
    """See that ranges follow one another from a sample on; return where they end.

    Raises:
        ValueError: They overlap, leave a hole, or hold more samples than fit into them.
    """
    for done in ranges:
        if done.start_sample != start_sample:
            kind = "overlap" if done.start_sample < start_sample else "leave a hole"
            raise ValueError(
                f"{name}: windows {kind}: they begin at sample {done.start_sample} "
                f"where {start_sample} is due"
            )
        if done.windows < 0 or not 0 <= done.received <= done.end_sample - done.start_sample:
            raise ValueError(f"{name}: no such range: {done}")
        if done.end_sample == done.start_sample:
            raise ValueError(f"{name}: an empty range at sample {done.start_sample}")
        start_sample = done.end_sample
    return start_sample


def _check_file(entry: FileDone) -> None:
    check_ranges(entry.ranges, start_sample=0, name=entry.path)
    accounted = sum(done.received for done in entry.ranges)
    if accounted != entry.samples and (entry.ranges or entry.state in SCORED):
        raise ValueError(
            f"{entry.path}: {entry.samples} samples received, {accounted} are accounted for"
        )
    if entry.fingerprint and len(bytes.fromhex(entry.fingerprint)) != _FINGERPRINT_BYTES:
        raise ValueError(f"{entry.path}: no fingerprint: {entry.fingerprint}")
    if entry.sha256 and len(bytes.fromhex(entry.sha256)) != _SHA256_BYTES:
        raise ValueError(f"{entry.path}: no SHA-256: {entry.sha256}")
    if entry.started_at is not None:
        to_us(entry.started_at)
    _check_heard(entry.heard, entry.path)


def _check_heard(heard: Sequence[Heard], name: str) -> None:
    for one in heard:
        to_us(one.at)
        if not 0 <= one.confidence <= 1 or not 0 <= one.start_s <= one.end_s < float("inf"):
            raise ValueError(f"{name}: no such detection: {one}")


def _fate(one: WindowRange) -> tuple[WindowState, str, str]:
    return one.state, one.reason, one.model


_FINGERPRINT_BYTES = 8
_SHA256_BYTES = 32

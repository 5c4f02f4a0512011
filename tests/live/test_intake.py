"""One live source on its thread, whatever happens to it."""

import contextlib
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge.contracts import AudioBlock, LiveSource
from edge.dsp.pcm import PcmFormat
from edge.errors import AudioError, ConfigError
from edge.live.anchor import Anchoring
from edge.live.intake import Intake, ListeningSpec
from edge.live.ring import Gap
from edge.sources.command import Command, CommandSpec
from edge.sources.fifo import Fifo, FifoSpec
from edge.sources.stdin import Stdin, StdinSpec
from edge.store.entries import FaultEnded, FaultSeen
from edge.strict_yaml import parse

RATE_HZ = 1000
HASTY = ListeningSpec(
    buffer_s=15, nothing_s=0.4, lifeless_s=0.4, first_wait_s=0.05, longest_wait_s=0.2, healthy_s=0.2
)


class Listener:
    """An intake with all that was taken from it."""

    def __init__(
        self,
        source: LiveSource,
        spec: ListeningSpec = HASTY,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.awake = threading.Event()
        self.intake = Intake(
            "mic", source, now=now, monotonic_s=monotonic_s, wake=self.awake.set, spec=spec
        )
        self.items: list[AudioBlock | Gap | Anchoring] = []
        self.faults: list[FaultSeen | FaultEnded] = []

    def until(self, done: Callable[[], bool], *, take: bool = True) -> None:
        """Take what comes until something is so; fail if it does not become so."""
        deadline_s = time.monotonic() + 60
        while not done():
            assert time.monotonic() < deadline_s
            self.awake.wait(0.05)
            self.awake.clear()
            if take:
                self.items += self.intake.take()
            self.faults += self.intake.take_faults()
        self.items += self.intake.take()
        self.faults += self.intake.take_faults()

    @property
    def blocks(self) -> list[AudioBlock]:
        return [item for item in self.items if isinstance(item, AudioBlock)]

    @property
    def gaps(self) -> list[Gap]:
        return [item for item in self.items if isinstance(item, Gap)]

    @property
    def samples(self) -> np.ndarray:
        return np.concatenate([np.empty(0, np.float32), *(b.samples for b in self.blocks)])

    def check_account(self) -> None:
        """Every sample received was taken or dropped, each number is there once and in order."""
        position = 0
        for item in self.items:
            if not isinstance(item, Anchoring):
                assert position == item.start_sample
                position = item.end_sample
        dropped = sum(gap.received for gap in self.gaps)
        assert self.intake.received_samples == len(self.samples) + dropped


class Played:
    """A live source that yields what it is given, one list of blocks an opening."""

    def __init__(self, *openings: Iterable[AudioBlock | Exception], ends: bool = True) -> None:
        self.sample_rate_hz = RATE_HZ
        self.ends = False
        self._ends = ends
        self._openings = [*openings]
        self._stopped = threading.Event()

    def __enter__(self) -> "Played":
        return self

    def __exit__(self, *_: object) -> None:
        self.ends = self._ends and not self._openings

    def __iter__(self) -> Iterator[AudioBlock]:
        for item in self._openings.pop(0) if self._openings else []:
            if isinstance(item, Exception):
                raise item
            yield item
        if not self._openings and not self._ends:
            self._stopped.wait()

    def stop(self) -> None:
        self._stopped.set()


def noise(n: int, *, start: int = 0, rate_hz: int = RATE_HZ) -> AudioBlock:
    samples = np.random.default_rng(start).uniform(-1, 1, n).astype(np.float32)
    return AudioBlock("played", start, rate_hz, samples)


def child(code: str) -> Command:
    spec = CommandSpec(
        argv=[sys.executable, "-c", code], sample_rate=RATE_HZ, format=PcmFormat.F32LE
    )
    return Command("mic", spec)


@contextmanager
def all_joined() -> Iterator[None]:
    """Fail if a thread is left behind."""
    before = set(threading.enumerate())
    yield
    assert [thread for thread in threading.enumerate() if thread not in before] == []


def test_a_recording_piped_in_waits_for_a_slow_reader():
    """Ten minutes that come at once all arrive, although only 15 s may wait."""
    samples = noise(600 * RATE_HZ).samples
    out, into = os.pipe()

    def write() -> None:
        with open(into, "wb") as pipe:
            pipe.write(samples.tobytes())

    writer = threading.Thread(target=write)
    writer.start()
    spec = StdinSpec(sample_rate=RATE_HZ, format=PcmFormat.F32LE)
    listener = Listener(Stdin("mic", spec, descriptor=out))
    with all_joined(), listener.intake:
        time.sleep(0.5)
        assert listener.intake.health() is None
        while not listener.intake.finished:
            listener.items += listener.intake.take(2500)
            time.sleep(0.001)
        assert listener.intake.health() is None
        writer.join()
    os.close(out)
    assert np.array_equal(samples, listener.samples)
    assert listener.gaps == []
    assert isinstance(listener.items[0], Anchoring)
    assert listener.faults + listener.intake.take_faults() == []
    listener.check_account()


def test_sound_that_happens_is_dropped_by_whole_windows_when_nobody_takes_it():
    """Of a minute that nobody takes, with 15 s of room, the last three windows are there."""
    clock_s = [0.0]
    samples = noise(60 * RATE_HZ).samples

    def happen() -> Iterator[AudioBlock]:
        for start in range(0, len(samples), 250):
            clock_s[0] += 0.25
            yield AudioBlock("played", start, RATE_HZ, samples[start : start + 250])

    listener = Listener(Played(happen()), monotonic_s=lambda: clock_s[0])
    with all_joined(), listener.intake:
        listener.until(lambda: listener.intake.received_samples == len(samples), take=False)
    (gap,) = listener.gaps
    assert (gap.start_sample, gap.received, gap.windows) == (0, 45_000, 9)
    assert np.array_equal(samples[45_000:], listener.samples)
    listener.check_account()


def test_a_child_that_dies_is_run_again_and_its_absence_is_a_gap():
    """Numbers go on after the time it was away; the fault is there until it is heard for long."""
    code = (
        "import os, sys, time\n"
        "for _ in range(8): os.write(1, os.urandom(50) * 4); time.sleep(0.05)\n"
        "sys.exit('battery empty')"
    )
    listener = Listener(child(code))
    with all_joined(), listener.intake:
        listener.until(lambda: len(listener.gaps) >= 2 and FaultEnded in map(type, listener.faults))
    first, second = listener.gaps[:2]
    assert (first.start_sample, second.start_sample - first.end_sample) == (400, 400)
    seen = [fault for fault in listener.faults if isinstance(fault, FaultSeen)]
    assert {"mic"} == {fault.where for fault in seen}
    assert all(fault.what.endswith("ended with status 1") for fault in seen)
    assert all("battery empty" in fault.remedy for fault in seen)
    for gap in listener.gaps:
        assert gap.received == 0
    listener.check_account()


def test_a_source_that_keeps_failing_is_left_alone_ever_longer():
    """The waits double up to the longest; its health tells why nothing comes."""
    listener = Listener(child("import sys; sys.exit(7)"))
    with all_joined(), listener.intake:
        listener.until(lambda: len(listener.faults) >= 5)
        listener.until(lambda: listener.intake.health() is not None)
        ailment = listener.intake.health()
    times = [fault.at for fault in listener.faults]
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    for least_s, wait in zip([0.05, 0.1, 0.2, 0.2], waits, strict=False):
        assert wait >= timedelta(seconds=least_s)
    assert ailment is not None
    assert ailment.reopening
    assert ailment.what.endswith("ended with status 7")
    assert ailment.since <= times[1]
    assert listener.items == []


def test_writers_of_a_pipe_come_and_go(tmp_path):
    """Each writer's sound is there whole, with a gap between them and the fault told."""
    os.mkfifo(tmp_path / "mic")
    spec = FifoSpec(path=str(tmp_path / "mic"), sample_rate=RATE_HZ, format=PcmFormat.F32LE)
    parts = [noise(700, start=seed).samples for seed in range(3)]
    listener = Listener(Fifo("mic", spec))
    with all_joined(), listener.intake:
        for number, part in enumerate(parts):
            (tmp_path / "mic").write_bytes(part.tobytes())
            listener.until(lambda due=number: len(listener.faults) > due)
    assert np.array_equal(np.concatenate(parts), listener.samples)
    assert len(listener.gaps) == 2
    assert listener.faults[0].what == "mic: its sound ended"
    listener.check_account()


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("time.sleep(60)", "it delivers nothing"),
        ("loop(np.zeros(50))", "it delivers only zeros"),
        ("loop(np.full(50, 0.5))", "it delivers a flat line at 0.5"),
        ("loop(np.full(50, np.nan))", "it delivers only NaN or infinite samples"),
        ("loop(np.random.normal(0, 1e-6, 50))", None),
    ],
)
def test_alive_means_hearing(code, what):
    """What delivers no sound is told with since when; quiet noise is sound."""
    loop = (
        "import os, time\nimport numpy as np\n"
        "def loop(values):\n"
        "    while True: os.write(1, values.astype('<f4').tobytes()); time.sleep(0.05)\n"
    )
    listener = Listener(child(loop + code))
    begun = datetime.now(UTC)
    if what is None:
        listener = Listener(child(loop + code), msgspec.structs.replace(HASTY, nothing_s=60))
    with all_joined(), listener.intake:
        if what is None:
            listener.until(lambda: listener.intake.received_samples > 2000)
            assert listener.intake.health() is None
            return
        found = []

        def ailing() -> bool:
            ailment = listener.intake.health()
            # A child takes its time to start, and until then delivers nothing.
            if ailment is not None and ailment.what == what:
                found.append(ailment)
            return bool(found)

        listener.until(ailing)
    assert found[0].since >= begun - timedelta(seconds=0.1)
    assert not found[0].reopening


def test_lost_sound_within_an_opening_is_a_gap():
    """Where a source's own numbers jump, so do the stream's."""
    listener = Listener(Played([noise(100), noise(50, start=400), noise(5, start=450)]))
    with listener.intake:
        listener.until(lambda: listener.intake.finished)
    assert [Gap(100, 400, 0, 0)] == listener.gaps
    assert listener.blocks[-1].end_sample == 455
    listener.check_account()


def test_the_time_a_source_was_away_is_a_gap():
    """It lasts from the last sound of one opening to the first of the next, by the clock."""
    clock_s = [0.0]

    def happen(*arrivals_s: float) -> Iterator[AudioBlock | Exception]:
        for start, at_s in zip(itertools.count(0, 250), arrivals_s, strict=False):
            clock_s[0] = at_s
            yield noise(250, start=start)
        yield AudioError("unplugged")

    openings = [happen(0.25, 0.5), happen(), happen(7.0, 7.25), happen(7.3)]
    listener = Listener(Played(*openings, [], ends=True), monotonic_s=lambda: clock_s[0])
    with listener.intake:
        listener.until(lambda: listener.intake.finished)
    # What came too soon after a break is still no part of what was before it.
    assert listener.gaps == [Gap(500, 6750, 0, 0), Gap(7250, 7251, 0, 0)]
    seen = [fault for fault in listener.faults if isinstance(fault, FaultSeen)]
    assert [fault.what for fault in seen] == ["unplugged"] * 4
    listener.check_account()


def test_another_sample_rate_is_refused():
    """A stream has one rate; what comes at another is a fault and no sound."""
    listener = Listener(Played([noise(100)], [noise(100, rate_hz=2000)], [noise(100)], ends=False))
    with listener.intake:
        listener.until(lambda: listener.intake.received_samples == 200)
        assert listener.intake.sample_rate_hz == RATE_HZ
    whats = [fault.what for fault in listener.faults if isinstance(fault, FaultSeen)]
    assert whats == ["mic: its sound ended", "mic: its sample rate was 1000 Hz and is now 2000 Hz"]
    listener.check_account()


def test_a_step_of_the_clock_comes_with_the_sound_it_belongs_to():
    """The anchoring is taken before the first block that it dates."""
    offset = [timedelta(0)]

    def blocks() -> Iterator[AudioBlock]:
        for number in range(10):
            if number == 6:
                offset[0] = timedelta(days=-365)
            yield noise(100, start=100 * number)

    listener = Listener(Played(blocks()), now=lambda: datetime.now(UTC) + offset[0])
    with listener.intake:
        while not listener.intake.finished:
            listener.items += listener.intake.take(100)
    order = [type(item) for item in listener.items]
    assert [Anchoring, *[AudioBlock] * 7, Anchoring, *[AudioBlock] * 3] == order
    first, second = (item for item in listener.items if isinstance(item, Anchoring))
    assert (first.sample, second.sample) == (0, 700)
    assert timedelta(days=364) < first.at - second.at < timedelta(days=366)


def test_the_owner_sleeps_until_what_it_wants_has_come():
    """Blocks before the sample that was asked for wake nobody; the end of the source does."""
    more = threading.Event()
    last = threading.Event()

    def blocks() -> Iterator[AudioBlock]:
        for number in range(10):
            yield noise(100, start=100 * number)
        more.wait()
        yield noise(100, start=1000)
        last.wait()

    listener = Listener(Played(blocks()))
    listener.intake.want(1100)
    with all_joined(), listener.intake:
        while listener.intake.received_samples < 1000:
            time.sleep(0.001)
        assert not listener.intake.is_due
        assert not listener.awake.is_set()
        more.set()
        assert listener.awake.wait(60)
        assert listener.intake.is_due
        listener.awake.clear()
        listener.intake.want(5000)
        assert not listener.intake.is_due
        last.set()
        assert listener.awake.wait(60)
        assert listener.intake.is_due
    listener.items += listener.intake.take()
    assert len(listener.samples) == 1100
    listener.check_account()


def test_a_mistake_in_the_program_comes_to_the_owner():
    """A thread never dies in silence, and what it heard before is handed over first."""
    listener = Listener(Played([noise(10), ZeroDivisionError("oh")]))
    with listener.intake, pytest.raises(ZeroDivisionError):
        listener.until(lambda: False)
    assert len(listener.samples) == 10
    listener.check_account()


def test_trouble_with_the_system_is_a_fault():
    """A device that fails with an error of the system is opened again."""
    listener = Listener(Played([OSError(5, "Input/output error")], [noise(10)]))
    with listener.intake:
        listener.until(lambda: listener.intake.finished)
    assert listener.faults[0].what == "mic: [Errno 5] Input/output error"
    assert len(listener.samples) == 10


@pytest.mark.parametrize(
    "code",
    [
        "import time; time.sleep(600)",
        "import sys; sys.exit(1)",
        "import os\nwhile True: os.write(1, bytes(100_000))",
    ],
    ids=["waiting for sound", "waiting to open again", "held up"],
)
def test_it_ends_at_once_whatever_it_waits_for(code):
    """Stopped, the thread ends and its child with it."""
    spec = ListeningSpec(buffer_s=15, first_wait_s=60)
    before = children()
    with all_joined():
        listener = Listener(child(code), spec)
        with listener.intake:
            time.sleep(0.7)
        assert listener.intake.health() is None
        assert not listener.intake.finished
    assert children() <= before


def children() -> set[str]:
    """The numbers of the processes that this one has started and that were not waited for."""
    found: set[str] = set()
    for task in Path("/proc/self/task").iterdir():
        # A thread may end meanwhile.
        with contextlib.suppress(OSError):
            found |= {*(task / "children").read_text().split()}
    return found


def test_the_patience_has_bounds():
    """A room too small for whole windows and waits of nothing are refused with the line."""
    assert ListeningSpec() == parse("{}", ListeningSpec, name="a")
    for wrong in ("buffer_s: 14", "nothing_s: 0", "first_wait_s: -1", "nothing: 5"):
        with pytest.raises(ConfigError, match="a:1: "):
            parse(wrong, ListeningSpec, name="a")

"""The time of a live stream, with simulated clocks."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.live.anchor import MOST_ERROR_S, Anchor, Anchoring

RATE_HZ = 32_000
START = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


class World:
    """True time, a sound card with a clock of its own, and a wall clock that may be set."""

    def __init__(self, *, ppm: float = 0.0, delay_s: float = 0.0) -> None:
        self.anchor = Anchor(sample_rate_hz=RATE_HZ)
        self.rate_hz = RATE_HZ * (1 + ppm * 1e-6)
        self.delay_s = delay_s
        self.offset = timedelta(0)
        self.samples = 0
        self.anchorings: list[Anchoring] = []

    @property
    def true_s(self) -> float:
        """When the last sample was recorded."""
        return self.samples / self.rate_hz

    def hear(self, seconds: float, *, late_s: float = 0.0) -> None:
        start, self.samples = self.samples, self.samples + round(seconds * RATE_HZ)
        arrived_s = self.true_s + self.delay_s + late_s
        anchoring = self.anchor.observe(
            start,
            self.samples,
            now=START + timedelta(seconds=arrived_s) + self.offset,
            monotonic_s=1000.0 + arrived_s,
        )
        if anchoring is not None:
            self.anchorings.append(anchoring)

    def error_s(self) -> float:
        """Return by how much the stream's time is ahead of the wall clock."""
        assert self.anchor.anchoring is not None
        at = self.anchor.anchoring.time_of(self.samples)
        return (at - (START + timedelta(seconds=self.true_s) + self.offset)).total_seconds()


def test_the_first_sound_ends_when_it_arrives():
    """Sample 0 lies one block before the first arrival, and is anchored once."""
    world = World()
    for _ in range(1000):
        world.hear(0.25)
    assert world.anchorings == [Anchoring(0, START, RATE_HZ, "its first sound")]
    assert world.anchor.anchoring.time_of(RATE_HZ * 60) == START + timedelta(minutes=1)


@settings(max_examples=8, deadline=None)
@given(st.sampled_from([-100.0, -20.0, 0.0, 35.0, 100.0]), st.integers(0, 1000))
def test_a_day_with_a_drifting_sound_card_stays_right(ppm, seed):
    """Despite jitter the time is never off by much more than allowed, and the drift is known."""
    world = World(ppm=ppm)
    jitter = np.random.default_rng(seed).exponential(0.05, 24 * 3600)
    jitter[::997] += 3.0
    for late_s in jitter:
        world.hear(1.0, late_s=late_s)
        assert abs(world.error_s()) < MOST_ERROR_S + jitter[0] + 0.1
    assert world.anchor.drift_ppm == pytest.approx(ppm, abs=1.0)
    # 100 ppm are 8.64 s a day.
    assert abs(len(world.anchorings) - 1 - int(abs(ppm) * 0.0864)) <= 1
    for before, after in zip(world.anchorings, world.anchorings[1:], strict=False):
        assert before.sample < after.sample
        assert "sample count" in after.reason


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.floats(1.1, 1e9),
            st.floats(-1e8, -1.1),
        ),
        max_size=5,
    ),
    st.integers(0, 1000),
)
def test_each_step_of_the_wall_clock_is_one_record(steps, seed):
    """The clock may be set forward or back, by seconds or years; the time follows it at once."""
    world = World()
    rng = np.random.default_rng(seed)
    for step in [0.0, *steps]:
        world.offset += timedelta(seconds=step)
        for _ in range(int(rng.integers(1, 200))):
            world.hear(0.25, late_s=rng.uniform(0, 0.05))
        assert abs(world.error_s()) < 0.3
    assert len(steps) + 1 == len(world.anchorings)
    for step, anchoring in zip(steps, world.anchorings[1:], strict=True):
        assert ("forward" if step > 0 else "back") in anchoring.reason


def test_a_board_without_a_clock_gets_its_time():
    """The first step of NTP, decades forward, moves what is heard from then on."""
    world = World()
    world.offset = datetime(1970, 1, 1, 0, 0, 20, tzinfo=UTC) - START
    for _ in range(100):
        world.hear(0.25)
    world.offset = timedelta(0)
    world.hear(0.25)
    assert [a.at.year for a in world.anchorings] == [1970, 2026]
    assert world.anchorings[1].sample == world.samples
    assert world.anchorings[1].at == START + timedelta(seconds=25.25)


def test_small_steps_of_the_clock_add_up():
    """Many steps too small to matter are noticed once together they do."""
    world = World()
    for _ in range(9):
        world.hear(1.0)
        world.offset += timedelta(seconds=0.15)
    assert [a.reason for a in world.anchorings] == [
        "its first sound",
        "the wall clock was set forward by 0:00:01",
    ]


def test_sound_that_had_waited_is_dated_back():
    """When the first block comes with a backlog behind it, the time is put right by a record."""
    world = World()
    world.hear(0.25, late_s=8.0)
    for number in range(500):
        world.hear(0.25, late_s=max(0.0, 7.75 - 0.25 * number))
    assert abs(world.error_s()) < 0.01
    expected = ["its first sound", "the sample count was ahead of the clock by 8.0 s"]
    assert expected == [anchoring.reason for anchoring in world.anchorings]


def test_a_stall_is_no_drift():
    """Blocks that come late and then all at once leave the time and the drift as they are."""
    world = World(ppm=10)
    for second in range(7200):
        world.hear(1.0, late_s=20.0 if second % 600 > 580 else 0.0)
    assert len(world.anchorings) == 1
    assert world.anchor.drift_ppm == pytest.approx(10, abs=1.0)


@pytest.mark.parametrize("true_hz", [16_000, 29_400, 34_830, 64_000])
def test_sound_of_another_rate_is_noticed(true_hz):
    """Where far more or fewer samples come than claimed, their rate is known within two minutes."""
    world = World(ppm=1e6 * (true_hz / RATE_HZ - 1))
    jitter = np.random.default_rng(true_hz).exponential(0.02, 10_000)
    while world.true_s < 120.0:
        assert world.anchor.other_rate_hz is None or world.true_s > 60.0
        world.hear(0.25, late_s=jitter[world.samples % 9973])
    assert world.anchor.other_rate_hz == pytest.approx(true_hz, rel=0.01)


@pytest.mark.parametrize("ppm", [-2000.0, 0.0, 2000.0])
def test_a_bad_sound_card_is_not_taken_for_another_rate(ppm):
    """Nor are jitter, a backlog, a stall or a gap."""
    world = World(ppm=ppm)
    rng = np.random.default_rng(7)
    for second in range(3600):
        late_s = rng.exponential(0.05)
        world.hear(1.0, late_s=20.0 + late_s if second % 600 > 580 or second < 10 else late_s)
        assert world.anchor.other_rate_hz is None
        if second % 1000 == 0:
            world.samples += 40 * RATE_HZ
            world.delay_s += 0.2


def test_drift_is_not_told_before_it_can_be_known():
    """No number rather than a wrong one; a break begins another measurement, the last one stays."""
    world = World(ppm=50)
    for _ in range(500):
        world.hear(1.0)
    assert world.anchor.drift_ppm is None
    for _ in range(500):
        world.hear(1.0)
    before = world.anchor.drift_ppm
    assert before == pytest.approx(50, abs=1.0)
    world.samples += 40 * RATE_HZ
    world.delay_s += 0.2
    world.hear(1.0)
    assert before == world.anchor.drift_ppm

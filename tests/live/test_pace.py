"""Sound that happens and sound that is played to us."""

import numpy as np

from edge.live.pace import Pace


def test_a_microphone_is_never_taken_for_a_recording():
    """Sound that happens stays so, with jitter, a fast crystal and bursts after stalls."""
    pace = Pace(over_s=30)
    late_s = np.random.default_rng(5).exponential(0.1, 40_000)
    late_s[::501] += 8.0
    arrived_s = 0.0
    for number, late in enumerate(late_s):
        arrived_s = max(arrived_s, number * 0.2499 + late)
        pace.note(0.25, at_s=arrived_s)
        assert not pace.faster_than_life(now_s=arrived_s)


def test_a_recording_that_is_piped_in_is_found_out():
    """Once there is enough of it, sound at ten times the speed of life is told as such."""
    pace = Pace(over_s=30)
    told = []
    for number in range(1000):
        pace.note(0.25, at_s=number * 0.025)
        told.append(pace.faster_than_life(now_s=number * 0.025))
    assert not any(told[:100])
    assert all(told[130:])


def test_time_in_which_nothing_was_taken_does_not_count():
    """A recording that waits for a slow reader stays a recording."""
    pace = Pace(over_s=30)
    now_s = 0.0
    for number in range(1000):
        now_s += 0.001
        pace.note(0.25, at_s=now_s)
        if number > 200:
            now_s += 1.0
            pace.held_up(1.0)
            assert pace.faster_than_life(now_s=now_s)

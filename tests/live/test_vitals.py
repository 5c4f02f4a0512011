"""What is sound and what a dead microphone delivers."""

import numpy as np
import pytest

from edge.live.vitals import Vitals

QUIET = np.random.default_rng(1).integers(-1, 2, 4000).astype(np.float32) / 32768
DEAD = {
    "only zeros": np.zeros(100, dtype=np.float32),
    "a flat line at -0.25": np.full(100, -0.25, dtype=np.float32),
    "only NaN or infinite samples": np.array([np.nan, np.inf] * 50, dtype=np.float32),
}


def test_the_quietest_noise_is_sound():
    """One step of sixteen bits up or down is life."""
    vitals = Vitals()
    vitals.note(QUIET, at_s=0.0)
    assert vitals.lifeless() is None


@pytest.mark.parametrize("what", DEAD)
def test_what_does_not_change_is_no_sound(what):
    """Zeros, a flat line and NaN are told by name, from their first block on."""
    vitals = Vitals()
    vitals.note(QUIET, at_s=0.0)
    for at_s in (3.0, 4.0, 5.0):
        vitals.note(DEAD[what], at_s=at_s)
    assert vitals.lifeless() == (what, 3.0)
    vitals.note(QUIET, at_s=6.0)
    assert vitals.lifeless() is None


def test_a_flat_line_that_jumps_begins_anew():
    """Another value is a change."""
    vitals = Vitals()
    vitals.note(DEAD["a flat line at -0.25"], at_s=0.0)
    vitals.note(DEAD["only zeros"], at_s=1.0)
    assert vitals.lifeless() == ("only zeros", 1.0)
    vitals.reset()
    assert vitals.lifeless() is None


def test_single_bad_samples_hide_neither_sound_nor_silence():
    """NaN among sound is sound, NaN among zeros is zeros."""
    vitals = Vitals()
    vitals.note(np.append(QUIET, np.float32(np.nan)), at_s=0.0)
    assert vitals.lifeless() is None
    vitals.note(np.array([0, np.nan, 0], dtype=np.float32), at_s=1.0)
    assert vitals.lifeless() == ("only zeros", 1.0)

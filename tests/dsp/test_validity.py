"""Which samples no analysis can use."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.dsp.validity import MOST_MAGNITUDE, find_unusable

LARGEST = np.finfo(np.float32).max


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30, -1e11, LARGEST, -LARGEST])
@pytest.mark.parametrize("others", [0.0, 1.0, 2.0**31])
def test_unusable_samples_are_found_without_a_warning(bad, others):
    """NaN, infinite and absurdly large samples are told from those around them."""
    samples = np.full(1000, others, dtype=np.float32)
    samples[[3, 999]] = bad
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = find_unusable(samples)
    assert np.flatnonzero(found).tolist() == [3, 999]


@pytest.mark.parametrize("loudest", [0.0, 1.0, 32_768.0, 2.0**31, MOST_MAGNITUDE])
def test_unscaled_integers_are_usable(loudest):
    """Floats that hold integers of up to 32 bits are sound, however many there are."""
    samples = np.full(480_000, -loudest, dtype=np.float32)
    assert find_unusable(samples) is None
    assert find_unusable(samples[::2]) is None
    assert find_unusable(samples[:0]) is None


def test_power_of_the_largest_usable_window_fits_float32():
    """What passes may be windowed, transformed and squared without overflow."""
    samples = np.full(8192, MOST_MAGNITUDE, dtype=np.float32)
    assert find_unusable(samples) is None
    assert np.isfinite(np.float32(np.abs(np.fft.rfft(samples)).max() ** 2))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.floats(width=32), max_size=50))
def test_mask_is_what_the_definition_says(values):
    """For any floats: true where not within the limit, None where there is no such."""
    samples = np.array(values, dtype=np.float32)
    expected = [not abs(value) <= MOST_MAGNITUDE for value in samples.tolist()]
    found = find_unusable(samples)
    assert (expected if any(expected) else None) == (None if found is None else found.tolist())

"""The streaming resampler."""

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.dsp.resample import StreamResampler


def resample(chunks, from_hz, to_hz):
    resampler = StreamResampler(from_hz=from_hz, to_hz=to_hz)
    return np.concatenate([*(resampler.push(chunk) for chunk in chunks), resampler.finish()])


@pytest.mark.parametrize(
    "from_hz", [8_000, 16_000, 22_000, 22_050, 44_100, 48_000, 192_000, 256_000]
)
@pytest.mark.parametrize("to_hz", [16_000, 32_000, 48_000])
def test_output_has_exactly_the_length_due(from_hz, to_hz):
    """A file's windows are those of its length, not of the filter's delay."""
    for n in (0, 1, from_hz // 10, from_hz + 1):
        samples = np.random.default_rng(n).standard_normal(n).astype(np.float32)
        assert len(resample([samples], from_hz, to_hz)) == int(n * to_hz / from_hz + 0.5)


@settings(deadline=None)
@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=12), st.sampled_from([22_000, 44_100]))
def test_output_is_bit_equal_for_any_chunking(sizes, from_hz):
    """How the samples arrive does not change one bit."""
    samples = np.random.default_rng(1).standard_normal(sum(sizes)).astype(np.float32)
    whole = resample([samples], from_hz, 32_000)
    parts = resample(np.split(samples, np.cumsum(sizes)), from_hz, 32_000)
    assert np.array_equal(whole, parts)


def test_it_is_soxrs_high_quality():
    """The stream equals soxr's own one-call resampling."""
    samples = np.random.default_rng(2).standard_normal(44_100).astype(np.float32)
    expected = soxr.resample(samples, 44_100, 32_000, quality="HQ")
    assert np.abs(resample([samples], 44_100, 32_000) - expected).max() < 1e-6


def test_equal_rates_pass_samples_through():
    """Nothing is filtered that needs no filter."""
    samples = np.random.default_rng(3).standard_normal(1_000).astype(np.float32)
    assert np.array_equal(resample([samples], 32_000, 32_000), samples)

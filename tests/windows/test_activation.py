"""Raw scores become probabilities, whatever their size."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit, softmax

from edge.windows.activation import Activation, activate

RAW = arrays(np.float32, st.integers(1, 20), elements=st.floats(-(2.0**100), 2.0**100, width=32))


@given(RAW)
def test_sigmoid_equals_scipy_and_never_overflows(raw):
    """No warning for large scores of either sign, float32 out, the reference within 1e-6."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = activate(raw, Activation.SIGMOID)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expit(raw.astype(np.float64)), atol=1e-6)


@given(RAW)
def test_softmax_equals_scipy_and_never_overflows(raw):
    """The same for classes that exclude one another."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = activate(raw, Activation.SOFTMAX)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, softmax(raw.astype(np.float64)), atol=1e-6)


def test_probabilities_stay_and_rounding_is_put_back():
    """`none` keeps [0, 1] and what is a rounding error outside."""
    raw = np.array([-1e-6, 0.25, 1.00001], dtype=np.float32)
    assert activate(raw, Activation.NONE).tolist() == [0.0, 0.25, 1.0]


@pytest.mark.parametrize("raw", [[-2.0, 0.5], [0.5, 1.5], [np.nan, 0.5]])
def test_what_is_no_probability_is_refused(raw):
    """A model that gives raw scores where `none` is said is not believed."""
    with pytest.raises(ValueError, match="no probabilities"):
        activate(np.array(raw, dtype=np.float32), Activation.NONE)

"""SciPy's FFT and sparse product, alone."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.fft
import scipy.sparse

from edge.dsp import scipy_core
from edge.dsp.scipy_core import SparseMatrix, rfft

RNG = np.random.default_rng(6)


@pytest.fixture(params=["alone", "public"])
def way(request, monkeypatch):
    """Loaded alone, and where that cannot be done."""
    if request.param == "public":
        monkeypatch.setattr(scipy_core, "_load", lambda *names: None)
    for chosen in (scipy_core._transform, scipy_core._product):
        chosen.cache_clear()
    yield request.param
    for chosen in (scipy_core._transform, scipy_core._product):
        chosen.cache_clear()


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(8192, 1), (8192, 40), (512, 7)])
def test_the_transform_is_scipys(way, kind, shape, order):
    """The same bits, of the same type, bin by bin, whatever the order they came in."""
    columns = np.asarray(RNG.standard_normal(shape).astype(kind), order=order)
    expected = scipy.fft.rfft(columns, axis=0)
    actual = rfft(columns)
    assert actual.dtype == expected.dtype
    assert actual.flags.c_contiguous
    assert np.array_equal(expected, actual)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_product_is_scipys(way, kind):
    """The same bits, empty rows included."""
    whole = RNG.standard_normal((50, 90)) * (RNG.random((50, 90)) < 0.05)
    whole[::7] = 0.0
    expected_matrix = scipy.sparse.csr_matrix(whole.astype(kind))
    matrix = SparseMatrix(
        expected_matrix.data,
        expected_matrix.indices,
        np.diff(expected_matrix.indptr),
        width=90,
    )
    dense = RNG.standard_normal((90, 40)).astype(kind)
    assert np.array_equal(expected_matrix @ dense, matrix @ dense)
    other = np.float64 if kind is np.float32 else np.float32
    changed = matrix.astype(other)
    assert np.array_equal(
        expected_matrix.astype(other) @ dense.astype(other), changed @ dense.astype(other)
    )


@pytest.mark.parametrize("dense", [np.zeros((3, 2)), np.zeros((2, 2), np.float32)])
def test_a_factor_that_does_not_fit(dense):
    """Another height or type is no product of something else."""
    matrix = SparseMatrix(np.ones(2), np.array([0, 1]), np.array([1, 1]), width=2)
    with pytest.raises(ValueError, match="no factor"):
        matrix @ dense


def test_nothing_of_scipy_is_imported():
    """Or there would be no reason for all this; a SciPy that has moved its parts shows here."""
    code = (
        "import sys, numpy as np; from edge.dsp.mel import mel_filterbank; "
        "from edge.dsp.scipy_core import rfft; rfft(np.ones((8, 1), np.float32)); "
        "f = mel_filterbank(sample_rate_hz=8000, fft_size=64, bands=8, high_hz=4000.0); "
        "f @ np.ones((33, 1)); print([m for m in sys.modules if m.startswith('scipy')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

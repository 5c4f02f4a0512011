"""Tokens do not depend on how the samples arrive or who computes them."""

import os
import subprocess
import sys

import numpy as np
import print_digest
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import awkward_signals

from edge.dsp.framing import Framer

SIGNAL = np.concatenate(list(awkward_signals().values()))


@pytest.fixture(scope="module")
def whole(tokenizer):
    """The tokens of all awkward signals in one push."""
    return tokenizer.open().push(SIGNAL)


def test_tokens_are_those_of_float64(tokenizer):
    """The quick path gives, frame by frame, what float64 alone gives."""
    frames = Framer(frame_size=8_000, hop=4_000).push(SIGNAL)
    expected = tokenizer.codebook.nearest_exactly(tokenizer.extractor.exact(frames))
    assert np.array_equal(tokenizer.tokens(frames), expected)


def test_call_shape_does_not_show(tokenizer):
    """One frame a call, seven, or all at once: the same tokens."""
    frames = Framer(frame_size=8_000, hop=4_000).push(SIGNAL)
    expected = tokenizer.tokens(frames).tolist()
    for size in (1, 7, 64):
        parts = [tokenizer.tokens(frames[i : i + size]) for i in range(0, len(frames), size)]
        assert np.concatenate(parts).tolist() == expected


@settings(max_examples=150, deadline=None)
@given(cuts=st.lists(st.integers(0, len(SIGNAL)), max_size=40))
def test_chunking_does_not_show(tokenizer, whole, cuts):
    """Any cuts, empty chunks too, give the tokens of the whole, bit for bit."""
    stream = tokenizer.open()
    parts = [stream.push(part) for part in np.split(SIGNAL, sorted(cuts))]
    assert np.array_equal(np.concatenate(parts), whole)


def test_reset_starts_a_new_stream(tokenizer):
    """After a reset the first frame sees zeros, not the old stream."""
    stream = tokenizer.open()
    first = stream.push(SIGNAL[:50_000])
    stream.push(SIGNAL[50_000:61_234])
    stream.reset()
    assert np.array_equal(stream.push(SIGNAL[:50_000]), first)


@pytest.mark.parametrize("kernels", [None, "Prescott", "Haswell"])
def test_blas_threads_and_kernels_do_not_show(tmp_path, kernels):
    """One BLAS thread, two, and another processor's kernels give the same tokens."""
    rng = np.random.default_rng(7)
    saved = tmp_path / "codebook.npz"
    np.savez(
        saved,
        projection=np.linalg.qr(rng.standard_normal((768, 64)))[0].T.astype(np.float32),
        bias=np.zeros(64, np.float32),
        centroids=rng.standard_normal((4_000, 64)).astype(np.float32),
    )
    digests = {print_digest.digest(saved)}
    for threads in ("1", "2"):
        environment = os.environ | {
            "OPENBLAS_NUM_THREADS": threads,
            "OMP_NUM_THREADS": threads,
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        if kernels:
            environment["OPENBLAS_CORETYPE"] = kernels
        command = [sys.executable, print_digest.__file__, str(saved)]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        digests.add(run.stdout.strip())
    assert len(digests) == 1

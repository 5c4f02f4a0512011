import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.model.head import OnnxHead
from edge_build.custom.calibration import (
    Calibration,
    cross_calibrated,
    fit_calibration,
    reliability,
    sigmoid,
)
from edge_build.custom.examples import Examples
from edge_build.custom.fit import SHAPES, fit_head, repeats_of
from edge_build.custom.graph import write_onnx
from edge_build.custom.thresholds import pick_threshold
from edge_build.custom.windows import cut_windows, energies, loudest_windows

RATE_HZ = 100
HOP = 50


def _clip(seed, half_seconds):
    generator = np.random.default_rng(seed)
    loudness = np.repeat(generator.uniform(0, 1, half_seconds), HOP)
    return (generator.normal(0, 1, len(loudness)) * loudness + 0.5).astype(np.float32)


def _blocks(samples, seed):
    generator = np.random.default_rng(seed)
    cuts = np.sort(generator.integers(0, len(samples) + 1, 5))
    return np.split(samples, cuts)


@given(seed=st.integers(0, 2**31), half_seconds=st.integers(10, 80))
def test_energies_and_windows_do_not_depend_on_blocks(seed, half_seconds):
    """However a clip is cut into blocks, the energies are its half seconds' variances."""
    samples = _clip(seed, half_seconds)
    expected = samples.astype(np.float64).reshape(-1, HOP).var(axis=1)
    np.testing.assert_allclose(
        energies(_blocks(samples, seed), sample_rate_hz=RATE_HZ), expected, rtol=1e-9
    )
    starts = loudest_windows(expected)
    cut = list(cut_windows(_blocks(samples, seed + 1), starts, sample_rate_hz=RATE_HZ, after_s=3.0))
    wanted = [samples[start * HOP : start * HOP + 8 * RATE_HZ] for start in starts]
    assert sorted(map(bytes, wanted)) == sorted(map(bytes, cut))
    assert [bytes(part) for part in wanted] == [bytes(part) for part in cut]


@given(seed=st.integers(0, 2**31), half_seconds=st.integers(10, 80))
def test_the_loudest_window_is_there_and_none_overlap(seed, half_seconds):
    """Chosen windows are apart, few, at most 10 dB below the loudest, which is one of them."""
    energy = np.random.default_rng(seed).uniform(0, 1, half_seconds) ** 4
    starts = loudest_windows(energy)
    sums = [energy[i : i + 10].sum() for i in range(half_seconds - 9)]
    assert int(np.argmax(sums)) in starts
    assert 1 <= len(starts) <= 6
    assert all(b - a >= 10 for a, b in itertools.pairwise(starts))
    assert all(sums[start] >= 0.1 * max(sums) * (1 - 1e-9) for start in starts)


def test_silence_has_no_window():
    """A clip that is constant holds nothing to learn from."""
    samples = np.full(12 * RATE_HZ, 0.3, dtype=np.float32)
    assert loudest_windows(energies([samples], sample_rate_hz=RATE_HZ)) == []


def _drawn(seed, n, slopes, offsets):
    """Logits, and truths that are as frequent as sigmoid(slope · logit + offset) says."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(-1, 2, (n, len(slopes)))
    truth = generator.uniform(size=logits.shape) < sigmoid(np.array(slopes) * logits + offsets)
    return logits, truth


def test_calibration_finds_the_line():
    """With enough windows, slope and offset are those that the truth was drawn with."""
    logits, truth = _drawn(3, 20_000, [0.5, 2.0], [1.0, -1.0])
    found = fit_calibration(logits, truth)
    np.testing.assert_allclose([0.5, 2.0], found.slopes, rtol=0.1)
    np.testing.assert_allclose([1.0, -1.0], found.offsets, atol=0.1)


def test_few_windows_keep_the_common_line():
    """A label with two windows stays near what the others agree on; one without any is on it."""
    logits, truth = _drawn(4, 5_000, [0.5] * 4, [0.5] * 4)
    logits[2:, 2] = np.nan
    truth[:2, 2] = [True, False]
    logits[:, 3] = np.nan
    found = fit_calibration(logits, truth)
    np.testing.assert_allclose(found.slopes[:2].mean(), found.slopes[2:], rtol=0.3)
    np.testing.assert_allclose(found.offsets[:2].mean(), found.offsets[2:], atol=0.5)


def test_calibration_makes_probabilities_hold():
    """Overconfident logits err much before, and little after, on folds that were not fitted to."""
    generator = np.random.default_rng(6)
    logits, truth = _drawn(5, 3_000, [0.25, 0.3], [0.0, 0.2])
    fold_of = generator.integers(0, 4, len(logits))
    before = reliability(sigmoid(logits), truth).error
    after = reliability(cross_calibrated(logits, truth, fold_of), truth).error
    assert after < 0.03 < 0.1 < before


def test_reliability_is_what_is_counted():
    """Bins, shares and the error are those worked out by hand; NaN is passed over."""
    found = reliability(
        np.array([0.05, 0.15, 0.15, 1.0, np.nan]), np.array([False, True, False, True, True])
    )
    assert found.counts.tolist() == [1, 2, 0, 0, 0, 0, 0, 0, 0, 1]
    assert pytest.approx(0.5) == found.observed[1]
    assert pytest.approx((0.05 + 2 * 0.35 + 0.0) / 4) == found.error


def test_nothing_known_is_no_error():
    """Without a single logit the line is the identity, and the error is not a number."""
    logits = np.full((4, 2), np.nan)
    found = fit_calibration(logits, np.zeros((4, 2), dtype=bool))
    assert found.slopes.tolist() == [1.0, 1.0]
    assert found.offsets.tolist() == [0.0, 0.0]
    assert np.isnan(reliability(logits, np.zeros((4, 2), dtype=bool)).error)


@settings(max_examples=200)
@given(
    seed=st.integers(0, 2**31),
    n=st.integers(1, 60),
    precision=st.sampled_from([0.5, 0.75, 0.9, 1.0]),
    digits=st.integers(1, 6),
)
def test_thresholds_keep_the_wanted_precision(seed, n, precision, digits):
    """At the level, at least the wanted share is right; a lower level that is so is not passed by.

    Where the level is not the label's own, a note says why.
    """
    generator = np.random.default_rng(seed)
    scores = np.round(generator.uniform(size=n), digits)
    truth = generator.uniform(size=n) < scores
    found = pick_threshold(scores, truth, precision=precision, recordings=3)
    above = scores >= found.level
    assert int(truth.sum()) == found.windows
    if above.any():
        assert pytest.approx(truth[above].mean()) == found.precision
    if truth.sum() < 5:
        assert re.fullmatch(r"\d windows of 3 recordings are too few", found.note)
    elif found.note:
        assert not above.any() or truth[above].all()
    else:
        assert not above.any() or truth[above].mean() >= precision
        lower = [s for s in scores if 0.1 <= s < found.level]
        assert all(truth[scores >= s].mean() < precision for s in lower)


def test_few_recordings_take_the_precision_for_a_level():
    """What was heard of two recordings says little, however many windows there are."""
    scores, truth = np.linspace(0, 1, 50), np.arange(50) >= 25
    found = pick_threshold(scores, truth, precision=0.8, recordings=2)
    assert found.level == 0.8
    assert found.note == "25 windows of 2 recordings are too few"


def _examples(seed, *, counts=(12, 12), size=6, background=8):
    generator = np.random.default_rng(seed)
    truth = np.zeros((sum(counts) + background, len(counts)), dtype=bool)
    for label, count in enumerate(counts):
        truth[sum(counts[:label]) : sum(counts[:label]) + count, label] = True
    embeddings = generator.normal(0, 1, (len(truth), size)) + 2.0 * (
        truth @ generator.normal(0, 1, (len(counts), size))
    )
    return Examples(
        embeddings.astype(np.float32),
        truth,
        np.arange(len(truth)),
        tuple(map(str, range(len(truth)))),
        tuple(f"label-{i}" for i in range(len(counts))),
    )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("counts", [(12, 12, 9), (12,)], ids=["three labels", "one label"])
def test_the_exported_head_says_the_same(shape, counts, tmp_path):
    """Through ONNX, standardisation and calibration folded in, it gives NumPy's probabilities."""
    examples = _examples(1, counts=counts)
    head = fit_head(examples, shape, 20, seed=1)
    line = Calibration(np.linspace(0.5, 2.0, len(counts)), np.linspace(-1.0, 1.0, len(counts)))
    write_onnx(head, line, tmp_path / "head.onnx")
    exported = OnnxHead(tmp_path / "head.onnx")
    expected = line.probabilities(head.logits(examples.embeddings))
    found = np.stack([exported(row) for row in examples.embeddings])
    np.testing.assert_allclose(expected, found, atol=1e-5)


def test_rare_labels_count_more_often():
    """A label with a hundredth of the windows counts ten times, background once."""
    repeats = repeats_of(_examples(2, counts=(400, 100, 4)))
    assert repeats[0] == 1
    assert repeats[400] == 2
    assert repeats[500] == 10
    assert repeats[-1] == 1

"""Heads of several labels at once: what they minimise, and that labels do not bear on another."""

from itertools import islice

import numpy as np
import pytest

from edge_build.custom.calibration import sigmoid
from edge_build.custom.examples import Examples
from edge_build.custom.fit import SHAPES, Fitted, _epochs, fit_head, repeats_of
from edge_build.custom.judge import judge

CENTRES = np.random.default_rng(1).normal(0, 2, (3, 12))


def drawn(seed, windows):
    """Windows of recordings of four, each with none, one or several of three labels."""
    generator = np.random.default_rng(seed)
    truth = generator.uniform(size=(windows, 3)) < 0.4
    embeddings = truth @ CENTRES + generator.normal(0, 0.3, (windows, 12))
    return Examples(
        embeddings.astype(np.float32),
        truth,
        np.arange(windows) // 4,
        tuple(f"r{number // 4}" for number in range(windows)),
        ("a", "b", "c"),
        marked=True,
    )


@pytest.mark.parametrize("shape", SHAPES[1:], ids=str)
def test_each_label_is_there_or_not_whatever_the_others(shape):
    """Of windows with none, one, two or all labels, the head names exactly those."""
    head = fit_head(drawn(2, 240), shape, 60, seed=1)
    new = drawn(3, 100)
    said = head.logits(new.embeddings) > 0
    assert {0, 1, 2, 3} == set(new.truth.sum(axis=1).tolist())
    assert (said == new.truth).mean() > 0.98
    assert (said == new.truth)[new.truth.all(axis=1)].all()


def test_the_linear_head_is_at_the_least_binary_cross_entropy():
    """There the gradient of its sum over windows, with the penalty on weights, is nothing."""
    examples = drawn(4, 120)
    head = fit_head(examples, SHAPES[1], 0, seed=1)
    points = (examples.embeddings.astype(np.float64) - head.mean) / head.scale
    slack = repeats_of(examples)[:, np.newaxis] * (
        sigmoid(head.logits(examples.embeddings)) - examples.truth
    )
    gradient = points.T @ slack + head.weights[0] / SHAPES[1].strength
    np.testing.assert_allclose(np.zeros((12, 3)), gradient, atol=0.05)
    np.testing.assert_allclose(np.zeros(3), slack.sum(axis=0), atol=0.05)


def test_the_hidden_head_descends_binary_cross_entropy():
    """The loss that an epoch of one batch reports is that of the weights before it."""
    examples = drawn(5, 16)
    rows = np.repeat(np.arange(16), repeats_of(examples))
    assert len(rows) <= 32
    mean, scale = examples.embeddings.mean(axis=0), examples.embeddings.std(axis=0)
    points = ((examples.embeddings - mean) / scale)[rows]
    truth = examples.truth[rows]
    models = _epochs(examples, 8, seed=1)
    first = next(models)
    weights, biases = (
        [np.copy(part) for part in parts] for parts in (first.coefs_, first.intercepts_)
    )
    (second,) = islice(models, 1)
    logits = np.maximum(points @ weights[0] + biases[0], 0) @ weights[1] + biases[1]
    entropy = np.logaddexp(0.0, np.where(truth, -logits, logits)).sum(axis=1).mean()
    penalty = sum(float(np.sum(part**2)) for part in weights) / (2 * len(rows))
    assert pytest.approx(entropy + penalty, rel=1e-4) == second.loss_


def test_figures_of_recordings_are_of_windows():
    """No answer is drawn together over a recording; the area is the mean of the labels' own."""
    examples = drawn(6, 40)
    logits = np.where(examples.truth, 2.0, -2.0) + np.random.default_rng(7).normal(0, 0.1, (40, 3))
    logits[:4, 0] = np.nan
    fitted = Fitted(
        fit_head(examples, SHAPES[0], 0, seed=1),
        logits,
        examples.clips % 5,
        SHAPES[0],
        0,
        True,
    )
    judged = judge(examples, fitted, precision=0.9)
    assert judged.by_clip is None
    assert judged.roc_auc == 1.0
    assert judged.macro_f1 == judged.f1 == 1.0
    assert judged.after.counts.sum() == 40 * 3 - 4
    worst = Fitted(fitted.head, -logits, fitted.fold_of, fitted.shape, 0, True)
    assert judge(examples, worst, precision=0.9).roc_auc < 0.5

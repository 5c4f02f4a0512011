"""A head of independent outputs, and what it says of recordings it has not heard."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.contracts import FloatArray
from edge.errors import InputError
from edge_build.custom.attention import AttentionHead, Weights, attention_epochs
from edge_build.custom.calibration import Reals
from edge_build.custom.examples import Examples
from edge_build.head import split_by_recording

MOST_EPOCHS = 150
MOST_REPEATS = 10
"""How often an epoch shows a window of the rarest label, at most, to one of the commonest."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of head."""

    hidden: int = 0
    """Size of the hidden layer; 0 for none."""
    strength: float = 0.0
    """Without a hidden layer: scikit-learn's C, the inverse of the penalty on weights."""
    tokens: tuple[int, ...] = ()
    """Widths of the pieces of an embedding that one transformer block takes; empty for none."""

    def __str__(self) -> str:
        """Name it, as in a model card."""
        if self.tokens:
            alike = len(set(self.tokens)) == 1
            sizes = f"{self.tokens[0]}" if alike else " + ".join(map(str, self.tokens))
            return (
                f"one transformer block over a class token and {len(self.tokens)} tokens of "
                f"{sizes} values"
            )
        return f"a hidden layer of {self.hidden}" if self.hidden else f"linear, C {self.strength:g}"


SHAPES = (Shape(strength=0.01), Shape(strength=0.1), Shape(hidden=128))
"""Heads that are tried, the simplest first."""


@dataclass(frozen=True, slots=True, eq=False)
class SigmoidHead:
    """Standardise, linear, perhaps ReLU and linear again: a logit for each label."""

    mean: FloatArray
    """[shape=(size,)], subtracted from an embedding."""
    scale: FloatArray
    """[shape=(size,)], divided by."""
    weights: tuple[FloatArray, ...]
    """[shape=(size, n_labels)], or two with the hidden layer between them."""
    biases: tuple[FloatArray, ...]

    @property
    def parameters(self) -> int:
        """Numbers that were learnt."""
        return sum(part.size for part in (*self.weights, *self.biases))

    def logits(self, embeddings: FloatArray) -> Reals:
        """Return float64 logits [shape=(n, n_labels)] of embeddings [shape=(n, size)]."""
        found: Reals = (embeddings.astype(np.float64) - self.mean) / self.scale
        for number, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            found = np.asarray((np.maximum(found, 0.0) if number else found) @ weights + bias)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A head of all windows, and the logits of heads that had not heard a window's recording."""

    head: SigmoidHead | AttentionHead
    unheard: Reals
    """[shape=(n, n_labels)]; NaN where a label's only recording cannot be left out."""
    fold_of: NDArray[np.intp]
    """The fold that left a window out, -1 for none [shape=(n,)]."""
    shape: Shape
    epochs: int
    """0 for a head without a hidden layer, which is fitted to the end."""
    chosen: bool
    """Whether there were recordings to validate on; otherwise the simplest head is taken."""


def fit(
    examples: Examples,
    fold_of: NDArray[np.intp],
    *,
    seed: int,
    shapes: Sequence[Shape] = SHAPES,
) -> Fitted:
    """Choose shape and length of training by validation, fold by fold, then fit on all windows.

    Without a fold, some of the other recordings are validated on: they choose the shape and when
    to stop. Then the head is fitted again on all the other recordings, and says its logits of the
    fold, which has chosen nothing.

    Args:
        examples: Of `n` windows.
        fold_of: The fold of each, -1 for windows that are only learnt from [shape=(n,)].
        seed: Of splits, first weights and order.
        shapes: Heads that are tried, the simplest first.
    """
    unheard = np.full(examples.truth.shape, np.nan)
    folds = sorted(set(fold_of.tolist()) - {-1})
    trials: list[dict[Shape, Trial]] = []
    for fold in tqdm(folds, desc="heads", unit="fold", file=sys.stderr):
        rest = examples.part(np.flatnonzero(fold_of != fold))
        test = np.flatnonzero(fold_of == fold)
        trials.append(_try_shapes(rest, shapes, seed=seed))
        shape = _best(shapes, trials[-1:])
        head = fit_head(rest, shape, trials[-1][shape].epochs, seed=seed)
        unheard[test] = head.logits(examples.embeddings[test])
        # What these windows hold of a label that the rest has not, nobody could have known.
        unheard[np.ix_(test, np.flatnonzero(~rest.truth.any(axis=0)))] = np.nan
    trials = trials or [_try_shapes(examples, shapes, seed=seed)]
    shape = _best(shapes, trials)
    epochs = round(float(np.median([trial[shape].epochs for trial in trials])))
    head = fit_head(examples, shape, epochs, seed=seed)
    chosen = all(np.isfinite(trial[shape].loss) for trial in trials)
    return Fitted(head, unheard, fold_of, shape, epochs, chosen)


class Trial(NamedTuple):
    """How a shape did on the validation part."""

    epochs: int
    loss: float


def fit_head(
    examples: Examples, shape: Shape, epochs: int, *, seed: int
) -> SigmoidHead | AttentionHead:
    """Train a head.

    Args:
        examples: What to learn.
        shape: Of the head.
        epochs: How long, where it has a hidden layer or a block.
        seed: Of the first weights and the order.
    """
    mean, scale = _standard(examples.embeddings)
    if shape.tokens:
        *_, weights = islice(_attention_epochs(examples, shape.tokens, seed=seed), epochs)
        return AttentionHead(mean, scale, shape.tokens, weights)
    if not shape.hidden:
        return _linear_head(examples, shape.strength)
    *_, model = islice(_epochs(examples, shape.hidden, seed=seed), epochs)
    return SigmoidHead(
        mean,
        scale,
        tuple(part.astype(np.float32) for part in model.coefs_),
        tuple(part.astype(np.float32) for part in model.intercepts_),
    )


def _linear_head(examples: Examples, strength: float) -> SigmoidHead:
    """Fit a logistic regression for each label."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 (heavy, build only)

    mean, scale = _standard(examples.embeddings)
    points = ((examples.embeddings - mean) / scale).astype(np.float64)
    repeats = repeats_of(examples)
    weights = np.zeros((points.shape[1], len(examples.labels)), dtype=np.float32)
    bias = np.zeros(len(examples.labels), dtype=np.float32)
    for label, truth in enumerate(examples.truth.T):
        if truth.all() or not truth.any():
            share = (truth.sum() + 0.5) / (len(truth) + 1.0)
            bias[label] = np.log(share / (1.0 - share))
            continue
        model = LogisticRegression(C=strength, max_iter=_MOST_ROUNDS)
        model.fit(points, truth, sample_weight=repeats)
        weights[:, label], bias[label] = model.coef_[0], model.intercept_[0]
    return SigmoidHead(mean, scale, (weights,), (bias,))


def repeats_of(examples: Examples) -> NDArray[np.intp]:
    """Say how often an epoch shows each window: the rarer its rarest label, the more often."""
    counts = np.append(examples.truth.sum(axis=0), 0)
    commonest = int(counts.max())
    classes = examples.classes
    wanted = commonest / np.maximum(1, counts[classes])
    # Windows without a label are no class that is to be balanced.
    wanted[classes == len(examples.labels)] = 1.0
    return np.asarray(np.clip(np.round(np.sqrt(wanted)), 1, MOST_REPEATS), dtype=np.intp)


def _best(shapes: Sequence[Shape], trials: Sequence[dict[Shape, Trial]]) -> Shape:
    """Choose the shape of the least mean loss among those that every trial knows."""
    known = [shape for shape in shapes if all(shape in trial for trial in trials)]
    return min(known, key=lambda shape: float(np.mean([trial[shape].loss for trial in trials])))


def _try_shapes(examples: Examples, shapes: Sequence[Shape], *, seed: int) -> dict[Shape, Trial]:
    """Find how each shape does on some of the recordings."""
    try:
        train, held = split_by_recording(
            examples.strata, examples.recordings, share=_VALIDATION_SHARE, seed=seed
        )
    except InputError:
        # Each label is one recording: nothing can choose, or stop a training.
        return {shapes[0]: Trial(_BLIND_EPOCHS if shapes[0].tokens else 0, float("inf"))}
    teaching, judging = examples.part(train), examples.part(held)
    return {shape: _try(shape, teaching, judging, seed=seed) for shape in shapes}


def _try(shape: Shape, teaching: Examples, judging: Examples, *, seed: int) -> Trial:
    if not shape.hidden and not shape.tokens:
        logits = fit_head(teaching, shape, 0, seed=seed).logits(judging.embeddings)
        return Trial(0, _cross_entropy(logits, judging.truth))
    best = Trial(1, float("inf"))
    answers = islice(_answers(shape, teaching, judging, seed=seed), MOST_EPOCHS)
    for epoch, logits in enumerate(answers, start=1):
        loss = _cross_entropy(logits, judging.truth)
        if loss < best.loss:
            best = Trial(epoch, loss)
        elif epoch - best.epochs >= _PATIENCE:
            break
    return best


def _answers(shape: Shape, teaching: Examples, judging: Examples, *, seed: int) -> Iterator[Reals]:
    """Yield the logits of other windows after each epoch of training, without end."""
    mean, scale = _standard(teaching.embeddings)
    if shape.tokens:
        for weights in _attention_epochs(teaching, shape.tokens, seed=seed):
            head = AttentionHead(mean, scale, shape.tokens, weights)
            yield head.logits(judging.embeddings)
    points = (judging.embeddings - mean) / scale
    for model in _epochs(teaching, shape.hidden, seed=seed):
        said = model.predict_proba(points)
        # scikit-learn gives two columns for one label.
        said = np.clip(said[:, -judging.truth.shape[1] :].astype(np.float64), 1e-9, 1.0 - 1e-9)
        yield np.log(said) - np.log1p(-said)


def _attention_epochs(examples: Examples, tokens: Sequence[int], *, seed: int) -> Iterator[Weights]:
    mean, scale = _standard(examples.embeddings)
    rows = np.repeat(np.arange(len(examples.truth)), repeats_of(examples))
    points = ((examples.embeddings - mean) / scale)[rows]
    yield from attention_epochs(points, examples.truth[rows], tokens, seed=seed)


def _epochs(examples: Examples, hidden: int, *, seed: int) -> Iterator[Any]:
    """Yield the model after each epoch of training, without end."""
    from sklearn.neural_network import MLPClassifier  # noqa: PLC0415 (heavy, build only)

    mean, scale = _standard(examples.embeddings)
    rows = np.repeat(np.arange(len(examples.truth)), repeats_of(examples))
    points = ((examples.embeddings - mean) / scale)[rows]
    truth = examples.truth[rows].astype(np.intp)
    # scikit-learn takes one label for two classes, and gives one logit for it too.
    targets = truth[:, 0] if truth.shape[1] == 1 else truth
    model = MLPClassifier(
        hidden_layer_sizes=(hidden,),
        activation="relu",
        solver="adam",
        alpha=_ALPHA,
        learning_rate_init=_RATE,
        batch_size=min(_BATCH, len(rows)),
        random_state=seed,
    )
    classes = np.arange(max(2, truth.shape[1]))
    while True:
        model.partial_fit(points, targets, classes=classes)
        yield model


def _cross_entropy(logits: Reals, truth: NDArray[np.bool_]) -> float:
    """Mean binary cross-entropy, in nats."""
    return float(np.mean(np.logaddexp(0.0, np.where(truth, -logits, logits))))


def _standard(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and deviation of each dimension [shape=(size,)]."""
    mean = points.mean(axis=0, dtype=np.float64)
    scale = points.std(axis=0, dtype=np.float64)
    scale[scale < _LEAST_SCALE * max(float(scale.max()), 1e-30)] = 1.0
    return mean.astype(np.float32), scale.astype(np.float32)


_VALIDATION_SHARE = 0.2
_PATIENCE = 10
_BLIND_EPOCHS = 20
"""Of a block, where no recording can tell when to stop."""
_MOST_ROUNDS = 300
_RATE = 1e-3
_BATCH = 32
_ALPHA = 1.0
_LEAST_SCALE = 1e-4

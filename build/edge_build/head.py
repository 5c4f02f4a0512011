"""The paper's head: one hidden layer, trained by scikit-learn until validation stops gaining."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.contracts import FloatArray
from edge.errors import InputError
from edge_build.recipe_parts import HeadRecipe

IntArray = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A trained head: standardise, linear, ReLU, linear, softmax."""

    mean: FloatArray
    """[shape=(size,)], subtracted from an embedding."""
    scale: FloatArray
    """[shape=(size,)], divided by."""
    weights: tuple[FloatArray, FloatArray]
    """[shape=(size, hidden)] and [shape=(hidden, n_labels)]; one last column for two labels."""
    biases: tuple[FloatArray, FloatArray]
    epochs: int
    """Epochs of training up to the weights that were kept."""
    validation_loss: float
    """Cross-entropy there, in nats."""

    def probabilities(self, embeddings: FloatArray) -> FloatArray:
        """Score embeddings [shape=(n, size)]: float32 [shape=(n, n_labels)]."""
        hidden = (embeddings - self.mean) / self.scale @ self.weights[0] + self.biases[0]
        return _softmax(np.maximum(hidden, 0.0) @ self.weights[1] + self.biases[1])


def fit_head(
    embeddings: FloatArray,
    labels: IntArray,
    recordings: Sequence[str],
    spec: HeadRecipe,
    *,
    seed: int,
    quiet: bool = False,
) -> Head:
    """Train a head on embeddings and keep the weights of the least validation loss.

    Args:
        embeddings: float32 [shape=(n, size)].
        labels: Class numbers [shape=(n,)], each of 0 ... n_labels - 1 present.
        recordings: Which recording each is of; one is never split.
        spec: Layer, rate, batch, epochs, patience, validation share.
        seed: Of the split, the first weights and the order of the batches.
        quiet: Whether to hide the progress bar.

    Raises:
        InputError: Every class is one recording, so none can be validated.
    """
    from sklearn.neural_network import MLPClassifier  # noqa: PLC0415 (heavy, build only)

    train, held = split_by_recording(labels, recordings, share=spec.validation_share, seed=seed)
    mean, scale = _standard(embeddings[train], on=spec.standardise)
    points = (embeddings - mean) / scale
    classes = np.unique(labels)
    model = MLPClassifier(
        hidden_layer_sizes=(spec.hidden,),
        activation="relu",
        solver="adam",
        learning_rate_init=spec.learning_rate,
        batch_size=min(spec.batch, len(train)),
        random_state=seed,
    )
    best: Head | None = None
    bar = tqdm(total=spec.max_epochs, desc="head", unit="epoch", disable=quiet)
    for epoch in range(1, spec.max_epochs + 1):
        model.partial_fit(points[train], labels[train], classes=classes)
        loss = _cross_entropy(model.predict_proba(points[held]), labels[held])
        bar.update()
        bar.set_postfix(validation_loss=f"{loss:.3f}")
        if best is None or loss < best.validation_loss:
            coefs, intercepts = model.coefs_, model.intercepts_
            best = Head(
                mean,
                scale,
                (coefs[0].copy(), coefs[1].copy()),
                (intercepts[0].copy(), intercepts[1].copy()),
                epoch,
                loss,
            )
        elif epoch - best.epochs >= spec.patience:
            break
    bar.close()
    assert best is not None
    return best


def fit_heads(
    embeddings: FloatArray,
    labels: IntArray,
    recordings: Sequence[str],
    spec: HeadRecipe,
    *,
    seed: int,
    quiet: bool = False,
) -> Head:
    """Train the recipe's number of heads, and make one of them that averages their logits.

    Each is validated on other recordings, so that hardly any is lost to all of them. Arguments and
    errors are those of `fit_head`.
    """
    heads = [
        fit_head(embeddings, labels, recordings, spec, seed=seed + member, quiet=quiet)
        for member in range(spec.members)
    ]
    return heads[0] if len(heads) == 1 else average(heads)


def average(heads: Sequence[Head]) -> Head:
    """Put heads side by side: one with as many times the hidden units, the mean of their logits."""
    size = len(heads[0].mean)
    first = [head.weights[0] / head.scale[:, np.newaxis] for head in heads]
    bias = [
        head.biases[0] - head.mean @ weights for head, weights in zip(heads, first, strict=True)
    ]
    last: FloatArray = np.concatenate([head.weights[1] for head in heads])
    last_bias: FloatArray = np.stack([head.biases[1] for head in heads]).mean(axis=0)
    return Head(
        np.zeros(size, dtype=np.float32),
        np.ones(size, dtype=np.float32),
        (np.concatenate(first, axis=1), last / np.float32(len(heads))),
        (np.concatenate(bias), last_bias),
        max(head.epochs for head in heads),
        float(np.mean([head.validation_loss for head in heads])),
    )


def split_by_recording(
    labels: IntArray, recordings: Sequence[str], *, share: float, seed: int
) -> tuple[IntArray, IntArray]:
    """Split examples into training and validation, by class, whole recordings at a time.

    Each class gives recordings, in a seeded order, until `share` of its examples is held out; one
    recording of each class always stays in training.

    Args:
        labels: Class numbers [shape=(n,)].
        recordings: Which recording each example is of.
        share: Wanted share of validation.
        seed: Of the order.

    Returns:
        Numbers of the training examples and of the validation examples, ascending.

    Raises:
        InputError: Nothing could be held out.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for number, recording in enumerate(recordings):
        members[recording].append(number)
    # A recording that holds several classes counts for the one of its first example.
    of_class: dict[int, list[str]] = defaultdict(list)
    for recording, numbers in members.items():
        of_class[int(labels[numbers[0]])].append(recording)
    generator = np.random.Generator(np.random.PCG64([seed, 3]))
    held: list[int] = []
    for label in sorted(of_class):
        order = [of_class[label][i] for i in generator.permutation(len(of_class[label]))]
        wanted = share * sum(len(members[recording]) for recording in order)
        count = 0
        for recording in order[:-1]:
            if count >= wanted:
                break
            held += members[recording]
            count += len(members[recording])
    if not held:
        raise InputError(
            "each class is one recording: none is left to validate the head on",
            remedy="add recordings, or mend `recording` in the recipe if it joins too many",
        )
    mask = np.zeros(len(labels), dtype=np.bool_)
    mask[held] = True
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def _standard(points: FloatArray, *, on: bool) -> tuple[FloatArray, FloatArray]:
    size = points.shape[1]
    if not on:
        return np.zeros(size, dtype=np.float32), np.ones(size, dtype=np.float32)
    mean = points.mean(axis=0, dtype=np.float64)
    scale = points.std(axis=0, dtype=np.float64)
    scale[scale < _LEAST_SCALE * max(float(scale.max()), 1e-30)] = 1.0
    return mean.astype(np.float32), scale.astype(np.float32)


def _cross_entropy(probabilities: FloatArray, labels: IntArray) -> float:
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.mean(np.log(np.maximum(chosen, 1e-12))))


def _softmax(logits: FloatArray) -> FloatArray:
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


_LEAST_SCALE = 1e-4

"""A head of one transformer block: pieces of an embedding as tokens, and a learned class token."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.contracts import FloatArray
from edge_build.custom.calibration import Reals
from edge_build.torch_session import load_torch

WIDTH = 128
"""Of a token within the block."""
HEADS = 4
INNER = 4 * WIDTH
"""Of the block's two layers, the first's size."""
EPSILON = 1e-5
"""Added to variances."""

Weights = Mapping[str, FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class AttentionHead:
    """Standardise, cut into tokens, one block, and a linear layer on the class token."""

    mean: FloatArray
    """[shape=(size,)], subtracted from an embedding."""
    scale: FloatArray
    """[shape=(size,)], divided by."""
    tokens: tuple[int, ...]
    """Width of each token's piece of the embedding, in order."""
    weights: Weights
    """By the names of `first_weights`."""

    @property
    def parameters(self) -> int:
        """Numbers that were learnt."""
        return sum(part.size for part in self.weights.values())

    def logits(self, embeddings: FloatArray) -> Reals:
        """Return float64 logits [shape=(n, n_labels)] of embeddings [shape=(n, size)]."""
        torch = load_torch()
        points = (embeddings.astype(np.float64) - self.mean) / self.scale
        weights = {
            name: torch.tensor(part, dtype=torch.float64) for name, part in self.weights.items()
        }
        found: Reals = logits_of(weights, torch.tensor(points), self.tokens).numpy()
        return found


def pieces_of(size: int) -> tuple[int, ...]:
    """Cut an embedding into tokens of WIDTH values, the last one perhaps shorter."""
    return tuple(min(WIDTH, size - start) for start in range(0, size, WIDTH))


def first_weights(tokens: Sequence[int], labels: int, *, seed: int) -> dict[str, FloatArray]:
    """Draw the weights that training starts from.

    Args:
        tokens: Width of each token's piece.
        labels: Outputs.
        seed: Of the draw.
    """
    rng = np.random.Generator(np.random.PCG64([seed, 6]))
    shapes = {f"project_{i}": (width, WIDTH) for i, width in enumerate(tokens)}
    shapes |= {name: (WIDTH, WIDTH) for name in ("query", "key", "value", "mix")}
    shapes |= {"up": (WIDTH, INNER), "down": (INNER, WIDTH), "last": (WIDTH, labels)}
    weights = {
        name: rng.normal(0.0, np.sqrt(1.0 / shape[0]), shape) for name, shape in shapes.items()
    }
    weights |= {f"token_bias_{i}": rng.normal(0.0, 0.02, WIDTH) for i in range(len(tokens))}
    weights["class"] = rng.normal(0.0, 0.02, WIDTH)
    for name in ("norm_1", "norm_2", "norm_3"):
        weights |= {f"{name}_scale": np.ones(WIDTH), f"{name}_shift": np.zeros(WIDTH)}
    biases = {"value": WIDTH, "mix": WIDTH, "up": INNER, "down": WIDTH, "last": labels}
    weights |= {f"{name}_bias": np.zeros(size) for name, size in biases.items()}
    return {name: part.astype(np.float32) for name, part in weights.items()}


def logits_of(
    weights: Mapping[str, Any], points: Any, tokens: Sequence[int], *, dropout: float = 0.0
) -> Any:
    """Compute logits, in torch.

    Normalisation comes before attention and layers, whose results are added (Xiong et al. 2020).
    Nothing but the class token leaves the block, so nothing else is asked what it attends to.

    Args:
        weights: As tensors.
        points: Standardised embeddings [shape=(n, size)].
        tokens: Width of each token's piece.
        dropout: Share of values that is left out of tokens and layers; 0 but in training.
    """
    functional = load_torch().nn.functional
    rows = [
        part @ weights[f"project_{i}"] + weights[f"token_bias_{i}"]
        for i, part in enumerate(points.split(tuple(tokens), dim=1))
    ]
    n = len(points)
    series = weights["class"].expand(n, 1, WIDTH)
    found = load_torch().stack(rows, dim=1)
    series = load_torch().cat([series, functional.dropout(found, dropout)], dim=1)
    normal = _normal(weights, "norm_1", series)
    query = (normal[:, 0] @ weights["query"]).reshape(n, HEADS, 1, -1)
    key = (normal @ weights["key"]).reshape(n, -1, HEADS, WIDTH // HEADS).transpose(1, 2)
    value = normal @ weights["value"] + weights["value_bias"]
    value = value.reshape(n, -1, HEADS, WIDTH // HEADS).transpose(1, 2)
    shares = (query @ key.transpose(2, 3) / (WIDTH // HEADS) ** 0.5).softmax(dim=-1)
    heard = (shares @ value).reshape(n, WIDTH) @ weights["mix"] + weights["mix_bias"]
    state = series[:, 0] + functional.dropout(heard, dropout)
    inner = (_normal(weights, "norm_2", state) @ weights["up"] + weights["up_bias"]).relu()
    inner = functional.dropout(inner, dropout) @ weights["down"] + weights["down_bias"]
    last = _normal(weights, "norm_3", state + inner)
    return last @ weights["last"] + weights["last_bias"]


def attention_epochs(
    points: FloatArray, truth: NDArray[np.bool_], tokens: Sequence[int], *, seed: int
) -> Iterator[Weights]:
    """Train by binary cross-entropy; yield the weights after each epoch, without end.

    Args:
        points: Standardised embeddings [shape=(n, size)], a row as often as an epoch shows it.
        truth: Which labels each holds [shape=(n, n_labels)].
        tokens: Width of each token's piece.
        seed: Of first weights, order and dropout.
    """
    torch = load_torch()
    torch.manual_seed(seed)
    rng = np.random.Generator(np.random.PCG64([seed, 7]))
    weights = {
        name: torch.tensor(part, requires_grad=True)
        for name, part in first_weights(tokens, truth.shape[1], seed=seed).items()
    }
    matrices = [part for part in weights.values() if part.ndim == 2]
    others = [part for part in weights.values() if part.ndim != 2]
    groups = [{"params": matrices, "weight_decay": _DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=_RATE)
    rows, wanted = torch.tensor(points), torch.tensor(truth.astype(np.float32))
    while True:
        order = torch.tensor(rng.permutation(len(points)))
        for chosen in order.split(_BATCH):
            optimizer.zero_grad()
            logits = logits_of(weights, rows[chosen], tokens, dropout=_DROPOUT)
            torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted[chosen]).backward()
            optimizer.step()
        yield {name: part.detach().numpy().copy() for name, part in weights.items()}


def _normal(weights: Mapping[str, Any], name: str, values: Any) -> Any:
    """Bring each token to mean 0 and deviation 1, then to what was learnt."""
    scale, shift = weights[f"{name}_scale"], weights[f"{name}_shift"]
    return load_torch().nn.functional.layer_norm(values, (WIDTH,), scale, shift, EPSILON)


_RATE = 5e-4
_BATCH = 32
_DECAY = 0.05
_DROPOUT = 0.2

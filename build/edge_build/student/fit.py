"""Trains a student until its validation loss stops falling."""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.contracts import FloatArray
from edge_build.recipe_parts import StudentRecipe
from edge_build.student.net import divergence, logits_of, make_net
from edge_build.student.teacher import Curriculum
from edge_build.torch_session import load_torch


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """One row for each 5 s window."""

    tokens: NDArray[np.int64]
    """[shape=(n, per_window)]"""
    targets: FloatArray
    """What the teacher says of it, a probability for each output [shape=(n, outputs)]."""


@dataclass(frozen=True, slots=True, eq=False)
class Student:
    """A trained net."""

    net: Any
    """Of `make_net`, ready to answer."""
    curriculum: Curriculum
    epochs: int
    """Epochs of training up to the weights that were kept."""
    validation_loss: float
    """Of `divergence` there, in nats a window."""

    @property
    def parameters(self) -> int:
        """Numbers that were learnt."""
        return sum(int(part.numel()) for part in self.net.parameters())

    def logits(self, tokens: NDArray[np.int64]) -> FloatArray:
        """Return logits [shape=(n, outputs)] of windows [shape=(n, per_window)]."""
        torch = load_torch()
        with torch.no_grad():
            parts = [
                logits_of(self.net, part).numpy() for part in torch.tensor(tokens).split(_ROWS)
            ]
        return np.asarray(np.concatenate(parts), dtype=np.float32)

    def probabilities(self, tokens: NDArray[np.int64]) -> FloatArray:
        """Return a probability for each label [shape=(n, n_labels)]."""
        logits = self.logits(tokens).astype(np.float64)
        if self.curriculum.exclusive:
            powers = np.exp(logits - logits.max(axis=1, keepdims=True))
            found = powers / powers.sum(axis=1, keepdims=True)
        else:
            found = 0.5 * (1.0 + np.tanh(0.5 * logits))
        return np.asarray(found[:, : len(self.curriculum.labels)], dtype=np.float32)


def fit_student(
    teaching: Lessons,
    judging: Lessons,
    table: FloatArray,
    curriculum: Curriculum,
    spec: StudentRecipe,
    *,
    seed: int,
) -> Student:
    """Train a net on some windows and keep the weights that do best on others.

    Args:
        teaching: Windows to learn.
        judging: Windows of other recordings, which say when to stop.
        table: First vectors of the tokens [shape=(tokens, vector_size)].
        curriculum: What the outputs mean.
        spec: Layers, temperature and training.
        seed: Of first weights and order.
    """
    torch = load_torch()
    torch.manual_seed(seed)
    net = make_net(table, spec, outputs=curriculum.outputs)
    tokens = torch.tensor(teaching.tokens)
    taught = torch.tensor(curriculum.logits(teaching.targets))
    with torch.no_grad():
        # From how often each label is there at all: this need not be learnt step by step.
        net["last"].bias.copy_(taught.mean(dim=0))
    optimizer = torch.optim.Adam(net.parameters(), lr=spec.learning_rate)
    best: Student | None = None
    order = np.random.Generator(np.random.PCG64([seed, 5]))
    bar = tqdm(total=spec.epochs, desc="student", unit="epoch")
    for epoch in range(1, spec.epochs + 1):
        net.train()
        for rows in batches(order.permutation(len(tokens)), spec.batch):
            optimizer.zero_grad()
            loss = divergence(
                logits_of(net, tokens[rows]),
                taught[rows],
                temperature=spec.temperature,
                exclusive=curriculum.exclusive,
            )
            loss.backward()
            optimizer.step()
        net.eval()
        found = _loss_of(Student(net, curriculum, epoch, 0.0), judging, spec)
        bar.update()
        bar.set_postfix(validation_loss=f"{found:.3f}")
        if best is None or found < best.validation_loss:
            best = Student(copy.deepcopy(net), curriculum, epoch, found)
        elif epoch - best.epochs >= spec.patience:
            break
    bar.close()
    assert best is not None
    return best


def batches(order: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Cut an order into batches; a last one of a single row, which has no deviation, is added on.

    Args:
        order: Numbers of rows [shape=(n,)].
        size: Of a batch, 2 or more.
    """
    cuts = list(range(size, len(order), size))
    if cuts and len(order) - cuts[-1] == 1:
        cuts.pop()
    return np.split(order, cuts)


def _loss_of(student: Student, lessons: Lessons, spec: StudentRecipe) -> float:
    torch = load_torch()
    said = torch.tensor(student.logits(lessons.tokens), dtype=torch.float64)
    taught = torch.tensor(student.curriculum.logits(lessons.targets), dtype=torch.float64)
    exclusive = student.curriculum.exclusive
    return float(divergence(said, taught, temperature=spec.temperature, exclusive=exclusive))


_ROWS = 1024

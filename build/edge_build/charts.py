"""Pictures of a comparison: the systems side by side, and of each what it takes for what."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.contracts import FloatArray
from edge_build.evaluate import Result


def confusion_of(result: Result) -> NDArray[np.intp]:
    """Count for each class, a row, as what its clips were answered [shape=(n, n)]."""
    counts = np.zeros((len(result.labels),) * 2, dtype=np.intp)
    np.add.at(counts, (result.truth, result.said.argmax(axis=1)), 1)
    return counts


def class_report(confusion: NDArray[np.intp]) -> FloatArray:
    """Return precision, recall and F1 of each class [shape=(n, 3)]; NaN where it has none.

    Args:
        confusion: Of `confusion_of`.
    """
    hits = np.diag(confusion).astype(np.float64)
    answered, there = confusion.sum(axis=0), confusion.sum(axis=1)
    with np.errstate(invalid="ignore"):
        columns = [hits / answered, hits / there, 2.0 * hits / (answered + there)]
    return np.stack(columns, axis=1).astype(np.float32)


def draw_comparison(results: Sequence[Result], path: Path) -> None:
    """Draw each system's macro F1 against the time it takes, both named, into a PNG."""
    figure, (bars, costs) = _subplots(1, 2, figsize=(14, 1.5 + 0.45 * len(results)))
    names = [result.system for result in results]
    scores = [result.scores.macro_f1 for result in results]
    places = np.arange(len(results))[::-1]
    bars.barh(places, scores, color="tab:green")
    bars.set_yticks(places, names)
    bars.set_xlim(0.0, 1.0)
    bars.set_xlabel("macro F1")
    for place, score in zip(places, scores, strict=True):
        bars.text(score, place, f" {score:.3f}", va="center")
    costs.scatter([result.seconds_per_minute for result in results], scores, color="tab:green")
    for result, score in zip(results, scores, strict=True):
        costs.annotate(
            result.system,
            (result.seconds_per_minute, score),
            xytext=(5, 3),
            textcoords="offset points",
            fontsize=8,
        )
    costs.set_xscale("log")
    costs.set_xlabel("seconds for a minute of audio, one core")
    costs.set_ylabel("macro F1")
    figure.savefig(path, dpi=100)


def draw_confusion(result: Result, path: Path) -> None:
    """Draw which class was taken for which, with counts, into a PNG."""
    counts = confusion_of(result)
    size = 3.0 + 0.4 * len(result.labels)
    figure, axes = _subplots(1, 1, figsize=(size + 1.0, size))
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    axes.imshow(shares, cmap="Greens", vmin=0.0, vmax=1.0)
    ticks = np.arange(len(result.labels))
    axes.set_xticks(ticks, result.labels, rotation=90)
    axes.set_yticks(ticks, result.labels)
    axes.set_xlabel("answered")
    axes.set_ylabel("is")
    axes.set_title(f"{result.system}: macro F1 {result.scores.macro_f1:.3f}")
    for row, column in zip(*np.nonzero(counts), strict=True):
        axes.text(
            column,
            row,
            counts[row, column],
            ha="center",
            va="center",
            color="white" if shares[row, column] > _DARK else "black",
        )
    figure.savefig(path, dpi=100)


def draw_classes(result: Result, path: Path) -> None:
    """Draw precision, recall and F1 of each class into a PNG."""
    report = class_report(confusion_of(result))
    figure, axes = _subplots(1, 1, figsize=(8, 1.5 + 0.5 * len(result.labels)))
    places = np.arange(len(result.labels))[::-1]
    for number, name in enumerate(("precision", "recall", "F1")):
        axes.barh(places + 0.27 * (1 - number), report[:, number], height=0.25, label=name)
    axes.set_yticks(places, result.labels)
    axes.set_xlim(0.0, 1.0)
    axes.set_title(result.system)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=100)


def _subplots(rows: int, columns: int, **options: Any) -> Any:
    from matplotlib.figure import Figure  # noqa: PLC0415 (heavy)

    # Without pyplot: no state that is shared, and no display is looked for.
    figure = Figure(layout="constrained", **options)
    return figure, figure.subplots(rows, columns)


_DARK = 0.6
"""From this share on numbers are white."""

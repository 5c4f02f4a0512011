"""Pictures of a sweep: score over values, as the paper's figures 4 and 5 have them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_build.sweep.search import Outcome
from edge_build.sweep.spec import Search, Sweep


@dataclass(frozen=True, slots=True)
class Line:
    """Score over the values of one key."""

    key: str
    name: str
    """What else was set; empty where nothing else varies."""
    values: tuple[Any, ...]
    scores: tuple[float, ...]
    """Macro F1, a mean where several settings have the value."""
    explained: tuple[float | None, ...]
    """Share of the variance that the PCA keeps."""


def panels_of(sweep: Sweep, outcomes: Sequence[Outcome]) -> list[list[Line]]:
    """Arrange a sweep as panels of lines.

    One key: one line. A grid of two: over the first key, a line for each value of the second.
    Else a panel for each key: of a grid the mean over all other values, of single values those
    whose other keys are as the recipe has them.
    """
    points = [
        (setting.values, outcome)
        for setting, outcome in zip(sweep.settings, outcomes, strict=True)
        if outcome.scores is not None
    ]
    keys, single = sweep.keys, sweep.spec.search is Search.ONE_BY_ONE
    if len(keys) == 2 and not single:
        seconds = list(dict.fromkeys(_name(values[1]) for values, _ in points))
        return [
            [
                _line(
                    keys[0],
                    0,
                    [point for point in points if _name(point[0][1]) == second],
                    f"{keys[1]}: {second}",
                )
                for second in seconds
            ]
        ]
    base = [_name(value) for value in sweep.base.values]
    panels = []
    for at, key in enumerate(keys):
        chosen = [
            point
            for point in points
            if not single
            or all(
                _name(value) == base[other] for other, value in enumerate(point[0]) if other != at
            )
        ]
        panels.append([_line(key, at, chosen, "")])
    return panels


def draw_sweep(sweep: Sweep, outcomes: Sequence[Outcome], path: Path) -> None:
    """Draw macro F1 over the values of each key into a PNG."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (heavy)

    panels = panels_of(sweep, outcomes)
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    # Without pyplot: no state that is shared, and no display is looked for.
    figure = Figure(figsize=(7 * columns, 4.5 * rows), layout="constrained")
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, lines in zip(places, panels, strict=False):
        _draw_panel(axes, lines)
    for axes in places[len(panels) :]:
        axes.set_axis_off()
    if len(panels) > 1 and sweep.spec.search is Search.GRID:
        figure.suptitle("means over the values of all other keys")
    figure.savefig(path, dpi=100)


def _line(key: str, at: int, points: Sequence[tuple[tuple[Any, ...], Outcome]], name: str) -> Line:
    of_value: dict[str, list[tuple[Any, Outcome]]] = defaultdict(list)
    for values, outcome in points:
        of_value[_name(values[at])].append((values[at], outcome))
    groups = list(of_value.values())
    return Line(
        key,
        name,
        tuple(group[0][0] for group in groups),
        tuple(
            float(np.mean([outcome.scores.macro_f1 for _, outcome in group if outcome.scores]))
            for group in groups
        ),
        tuple(group[0][1].explained_variance for group in groups),
    )


def _draw_panel(axes: Any, lines: Sequence[Line]) -> None:
    shown = list(dict.fromkeys(_name(value) for line in lines for value in line.values))
    values = [value for line in lines for value in line.values]
    numeric = all(isinstance(x, int | float) and not isinstance(x, bool) for x in values)
    for line in lines:
        at = line.values if numeric else [shown.index(_name(value)) for value in line.values]
        order = np.argsort(np.array(at, dtype=np.float64))
        axes.plot(
            np.array(at)[order], np.array(line.scores)[order], marker="o", label=line.name or None
        )
    axes.set_xlabel(lines[0].key)
    axes.set_ylabel("macro F1")
    axes.grid(alpha=0.3)
    if not numeric:
        axes.set_xticks(range(len(shown)), shown)
    elif values and min(values) > 0 and max(values) >= _WIDE * min(values):
        axes.set_xscale("log")
        axes.set_xticks(sorted(set(values)), [f"{value:g}" for value in sorted(set(values))])
        axes.minorticks_off()
    if any(line.name for line in lines):
        axes.legend()
    _draw_explained(axes, lines)


def _draw_explained(axes: Any, lines: Sequence[Line]) -> None:
    """Draw the variance that is kept on an axis of its own, where dimensions vary."""
    line = lines[0]
    if line.key != _DIMS or any(share is None for share in line.explained):
        return
    second = axes.twinx()
    second.plot(line.values, line.explained, color="tab:gray", marker="s", linestyle="--")
    second.set_ylabel("cumulative variance explained", color="tab:gray")
    second.set_ylim(0.0, 1.0)


def _name(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


_DIMS = "tokens.dims"
_WIDE = 8
"""Positive values that span such a factor stand on a logarithmic axis."""

"""What a probe found: a table, a picture, and the line for the manifest."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import yaml

from edge.table.text import as_text
from edge_build.probe.run import Layer, Probe

COLUMNS = (
    "rank",
    "tensor",
    "operator",
    "shape",
    "values",
    "accuracy",
    "standard error",
    "place in graph",
    "usable as embedding",
)


def markdown_report(probe: Probe) -> str:
    """Write the table, the best tensors first, and what follows from it."""
    rows = [COLUMNS, ["---:", "---", "---", "---", *["---:"] * 4, "---"], *_rows(probe)]
    table = "".join(
        "| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |\n" for row in rows
    )
    return table + "".join(f"\n{line}\n" for line in _findings(probe))


def csv_report(probe: Probe) -> str:
    """Write the table as CSV with a header row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_rows(probe))
    return text.getvalue()


def manifest_line(probe: Probe) -> str:
    """Return the `output` of a manifest that takes the best usable tensor; empty without one."""
    best = _best_usable(probe)
    if best is None:
        return ""
    view = best.view
    output = msgspec.structs.replace(probe.output, embedding=view.tensor.name, pool=view.pool)
    given = {
        key: value
        for key, value in msgspec.to_builtins(output).items()
        if value is not None and (key != "activation" or value != "none")
    }
    text = yaml.safe_dump(
        {"output": given},
        default_flow_style=True,
        sort_keys=False,
        allow_unicode=True,
        width=float("inf"),
    )
    # The outermost braces: a manifest's top level stands without them.
    return text.strip()[1:-1]


def draw_layers(probe: Probe, path: Path) -> None:
    """Draw each tensor's accuracy in the graph's order, the best one marked, into a PNG."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (heavy)

    # Without pyplot: no state that is shared, and no display is looked for.
    count = len(probe.layers)
    figure = Figure(layout="constrained", figsize=(min(24.0, 5.0 + 0.12 * count), 6.0))
    axes = figure.subplots()
    best = probe.ranked()[0]
    axes.bar(
        np.arange(count),
        [layer.accuracy for layer in probe.layers],
        yerr=[layer.error for layer in probe.layers],
        color=["tab:orange" if layer is best else "tab:green" for layer in probe.layers],
        error_kw={"elinewidth": 0.5, "ecolor": "gray"},
    )
    axes.axhline(probe.chance, color="black", linestyle="--", linewidth=1.0, label="chance")
    shown = np.arange(count) if count <= _MOST_NAMES else np.arange(0, count, count // 20)
    names = [_short(probe.layers[i]) for i in shown]
    axes.set_xticks(shown, names, rotation=90, fontsize=7, parse_math=False)
    axes.set_xlim(-1.0, count)
    axes.set_ylim(0.0, 1.05)
    axes.set_ylabel("5-nearest-neighbour accuracy")
    axes.set_xlabel("tensors in the graph's order")
    axes.set_title(f"{probe.model}: best is {_short(best)}, {best.accuracy:.3f}", parse_math=False)
    axes.legend(loc="upper left")
    figure.savefig(path, dpi=100)


def _rows(probe: Probe) -> Iterator[list[str]]:
    for rank, layer in enumerate(probe.ranked(), start=1):
        tensor = layer.view.tensor
        yield [
            str(rank),
            as_text(tensor.name),
            tensor.operator,
            "x".join(map(str, tensor.shape)),
            str(layer.view.width),
            f"{layer.accuracy:.3f}",
            f"{layer.error:.3f}",
            f"{tensor.place:.3f}",
            layer.view.usable,
        ]


def _findings(probe: Probe) -> Iterator[str]:
    ranked = probe.ranked()
    yield (
        f"{probe.model}: {probe.clips} clips of {probe.classes} classes; "
        f"chance is {probe.chance:.3f}."
    )
    best = ranked[0]
    alike = sum(layer.accuracy >= best.accuracy - best.error for layer in ranked[1:])
    if alike:
        yield f"Within one standard error of the best: {alike} more tensors."
    now = probe.output.embeddings
    for rank, layer in enumerate(ranked, start=1):
        if now == (layer.view.tensor.name,):
            yield (
                f"The manifest's embedding is of rank {rank}: "
                f"{layer.accuracy:.3f} ± {layer.error:.3f}."
            )
    line = manifest_line(probe)
    if line:
        yield "To take the embedding from the best usable tensor, write in model.yaml:"
        yield f"    {line}"
    else:
        yield "None of these tensors can be named in a manifest."


def _best_usable(probe: Probe) -> Layer | None:
    usable = (layer for layer in probe.ranked() if not layer.view.tensor.obstacle)
    return next(usable, None)


def _short(layer: Layer) -> str:
    """Return the end of a tensor's name, where names differ, as a picture has room for it."""
    name = as_text(layer.view.tensor.name).partition(";")[0]
    return name if len(name) <= _MOST_LETTERS else f"…{name[-_MOST_LETTERS:]}"


_MOST_NAMES = 60
_MOST_LETTERS = 40

"""`edge-build project`: a model's embedding space in two dimensions, coloured by label."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from edge.contracts import FRAME_SECONDS, FloatArray
from edge.table.text import csv_line
from edge.table.whole import write_lines
from edge_build.dataset import find_labelled
from edge_build.embeddings import embed_clips, load_embedder
from edge_build.evaluate import readable


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingMap:
    """Where each 5 s window of labelled clips lies."""

    model: str
    files: tuple[str, ...]
    """Of each window, below the folder of the data."""
    labels: tuple[str, ...]
    starts_s: tuple[float, ...]
    """Where the window begins in its file."""
    places: FloatArray
    """Without unit: near ones are alike, distances mean little [shape=(n, 2)]."""

    @property
    def csv(self) -> str:
        """The windows with their coordinates, a row each."""
        rows = zip(self.files, self.labels, self.starts_s, self.places, strict=True)
        lines = [csv_line(["file", "label", "start_s", "x", "y"])]
        for file, label, start_s, (x, y) in rows:
            lines.append(csv_line([file, label, start_s, round(float(x), 4), round(float(y), 4)]))
        return "".join(lines)


def project_model(
    folder: Path, *, data: Path, out: Path, seed: int = 1, model_files: Sequence[Path] = ()
) -> EmbeddingMap:
    """Draw a model's embeddings of labelled clips, and write their coordinates beside the picture.

    Args:
        folder: The model folder.
        data: Folder of labelled folders.
        out: The PNG; the coordinates go into a CSV of the same name.
        seed: Of the projection.
        model_files: Folders to look for `external` files in.

    Raises:
        EdgeError: A model without embeddings, no usable audio, a place that cannot be written.
        OSError: The picture cannot be written.
    """
    model = load_embedder(folder, model_files)
    found, left_out = find_labelled(data)
    clips, _, notes = readable(found, [], left_out)
    for note in notes:
        tqdm.write(f"edge-build: note: {note}", file=sys.stderr)
    rows, _, _ = embed_clips(model, clips)
    name = model.info.name
    model.close()
    windows = [
        (clip, number) for clip, of in zip(clips, rows, strict=True) for number in range(len(of))
    ]
    drawn = EmbeddingMap(
        name,
        tuple(clip.name for clip, _ in windows),
        tuple(clip.label or "" for clip, _ in windows),
        tuple(number * FRAME_SECONDS for _, number in windows),
        project(np.concatenate(rows), seed=seed),
    )
    write_lines(coordinates_path(out), [drawn.csv])
    draw_map(drawn, out)
    return drawn


def coordinates_path(picture: Path) -> Path:
    """Return where the coordinates of a picture's points go."""
    return picture.with_suffix(".csv")


def project(points: FloatArray, *, seed: int) -> FloatArray:
    """Bring points into two dimensions: PCA to 50, then t-SNE, which keeps neighbours together.

    Args:
        points: [shape=(n, size)], at least 2.
        seed: Of t-SNE.

    Returns:
        float32 [shape=(n, 2)].
    """
    from sklearn.manifold import TSNE  # noqa: PLC0415 (heavy, build only)

    count = len(points)
    centred = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    left, deviations, _ = np.linalg.svd(centred, full_matrices=False)
    fewer = (left * deviations)[:, :_DIMS]
    # As many neighbours as the default, unless there are too few points for that.
    perplexity = min(_NEIGHBOURS, (count - 1) / 3.0)
    first = np.zeros((count, 2), dtype=np.float32)
    first[:, : min(2, fewer.shape[1])] = fewer[:, :2]
    first *= _SMALL / max(float(first.std()), 1e-12)
    tsne = TSNE(2, perplexity=perplexity, init=first, random_state=seed, n_jobs=1)
    return np.asarray(tsne.fit_transform(fewer), dtype=np.float32)


def draw_map(drawn: EmbeddingMap, path: Path) -> None:
    """Draw the points, a colour and shape a label, into a PNG."""
    from matplotlib import colormaps  # noqa: PLC0415 (heavy)
    from matplotlib.figure import Figure  # noqa: PLC0415

    # Without pyplot: no state that is shared, and no display is looked for.
    figure = Figure(figsize=(11, 8), layout="constrained")
    axes = figure.subplots()
    labels = np.array(drawn.labels)
    colours = colormaps["tab10"].colors  # type: ignore[attr-defined]
    for number, label in enumerate(sorted(set(drawn.labels))):
        of_label = drawn.places[labels == label]
        axes.scatter(
            of_label[:, 0],
            of_label[:, 1],
            s=18,
            color=colours[number % len(colours)],
            marker=_MARKERS[number // len(colours) % len(_MARKERS)],
            label=label,
        )
    axes.set_title(f"{drawn.model}: {len(drawn.labels)} windows of {FRAME_SECONDS:g} s, t-SNE")
    axes.set_xticks([])
    axes.set_yticks([])
    rows = -(-len(set(drawn.labels)) // _LEGEND_ROWS)
    figure.legend(loc="outside right upper", fontsize=8, ncols=rows)
    figure.savefig(path, dpi=110)


_DIMS = 50
_NEIGHBOURS = 30.0
_SMALL = 1e-4
"""Deviation of the points before t-SNE moves them; they begin as the first two components lie."""
_MARKERS = "osv^Dx+*"
_LEGEND_ROWS = 40

"""How well the neighbours of a vector tell its class."""

import numpy as np
from numpy.typing import NDArray

from edge.contracts import FloatArray

NEIGHBOURS = 5


def neighbour_hits(
    vectors: FloatArray, truth: NDArray[np.intp], recordings: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Say of each clip whether most of its five nearest neighbours are of its class.

    Vectors are standardised and compared by their cosine. Clips of the same recording are no
    neighbours. Of classes with as many votes, the one with the nearest neighbour wins; of
    neighbours equally near, the first.

    Args:
        vectors: [shape=(n, width)], finite.
        truth: Class number of each [shape=(n,)].
        recordings: Number of the recording that each is from [shape=(n,)].

    Returns:
        [shape=(n,)]
    """
    near = _cosines(vectors)
    near[recordings[:, np.newaxis] == recordings[np.newaxis]] = -np.inf
    hits = np.zeros(len(truth), dtype=np.bool_)
    for clip, order in enumerate(np.argsort(-near, axis=1, kind="stable")[:, :NEIGHBOURS]):
        labels = truth[order[np.isfinite(near[clip, order])]]
        votes = np.bincount(labels, minlength=1)
        # In order of nearness, so that of equals the nearest is met first.
        hits[clip] = len(labels) > 0 and truth[clip] == max(labels, key=lambda label: votes[label])
    return hits


def standard_error(hits: NDArray[np.bool_], recordings: NDArray[np.intp]) -> float:
    """Return the standard error of the share of hits; clips of one recording count together.

    Where each clip is a recording, it is √(p(1-p)/n).
    """
    strays = np.bincount(recordings, weights=hits - hits.mean())
    return float(np.sqrt(np.sum(strays**2)) / len(hits))


def _cosines(vectors: FloatArray) -> NDArray[np.float64]:
    rows = vectors.astype(np.float64)
    rows -= rows.mean(axis=0)
    spread = rows.std(axis=0)
    # What rounding leaves of a value that is always the same says nothing.
    varies = spread > 1e-6 * np.abs(vectors).max(axis=0, initial=0.0)
    rows = rows[:, varies] / spread[varies]
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    # On a grid, so that the last bits of one machine's arithmetic decide nothing.
    cosines: NDArray[np.float64] = np.round(rows @ rows.T, 6)
    return cosines

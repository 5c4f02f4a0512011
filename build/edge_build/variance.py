"""How much of the frames' variance a PCA keeps (table 7)."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_build.cache import Cache, key_of
from edge_build.dataset import Clip
from edge_build.frames import FrameStore
from edge_build.pinned import library_versions, pinning
from edge_build.recipe import Recipe


def cumulative_variance(
    store: FrameStore, clips: Sequence[Clip], recipe: Recipe, cache: Cache
) -> NDArray[np.float64]:
    """Return the share of variance in the first 1, 2, ... principal components.

    Args:
        store: Has the frames of the clips.
        clips: Whose frames count, each frame as much as any other.
        recipe: Says what frames are.
        cache: Keeps the result.

    Returns:
        Ascending to 1 [shape=(mel_bands,)].
    """
    key = key_of(
        "variance",
        [clip.sha256 for clip in clips],
        recipe.sample_rate,
        msgspec.to_builtins(recipe.features),
        pinning(),
        library_versions()["numpy"],
    )

    def make(part: Path) -> None:
        with part.open("wb") as file:
            np.save(file, _shares(store, clips, recipe.features.mel_bands))

    shares: NDArray[np.float64] = np.load(
        cache.get("variance", key, ".npy", make), allow_pickle=False
    )
    return shares


def _shares(store: FrameStore, clips: Sequence[Clip], bands: int) -> NDArray[np.float64]:
    # About the first clip's mean, which is near that of all: no digits cancel in the difference.
    near = store.frames(clips[0]).mean(axis=0, dtype=np.float64)
    total, products, count = np.zeros(bands), np.zeros((bands, bands)), 0
    for clip in clips:
        rows = store.frames(clip).astype(np.float64) - near
        total += rows.sum(axis=0)
        products += rows.T @ rows
        count += len(rows)
    covariance = products / count - np.outer(total, total) / count**2
    variances = np.maximum(np.linalg.eigvalsh(covariance)[::-1], 0.0)
    whole = float(variances.sum())
    return np.asarray(np.cumsum(variances) / whole if whole else np.ones(bands))

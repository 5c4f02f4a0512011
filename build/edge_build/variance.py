"""How much of the frames' variance a PCA keeps (table 7)."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_build.cache import Cache, key_of
from edge_build.covariance import covariance_of
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
            np.save(file, _shares(store, clips))

    shares: NDArray[np.float64] = np.load(
        cache.get("variance", key, ".npy", make), allow_pickle=False
    )
    return shares


def _shares(store: FrameStore, clips: Sequence[Clip]) -> NDArray[np.float64]:
    _, covariance = covariance_of(block for clip in clips for block in store.blocks(clip))
    variances = np.maximum(np.linalg.eigvalsh(covariance)[::-1], 0.0)
    whole = float(variances.sum())
    return np.asarray(np.cumsum(variances) / whole if whole else np.ones(len(variances)))

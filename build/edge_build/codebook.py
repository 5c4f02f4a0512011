"""PCA and K-means by Faiss: from mel frames to the one file that holds the codebook."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from edge.contracts import FloatArray
from edge.errors import InputError
from edge.stsg.codebook import Codebook
from edge_build.recipe import Projection, Recipe

Rows = Callable[[int], FloatArray]
"""Gives the frames of clip number i, float32 [shape=(n, mel_bands)]."""


def fit_codebook(
    rows: Rows, counts: Sequence[int], recipe: Recipe, *, tokens: int, path: Path
) -> None:
    """Fit PCA and centroids, and write them as one `IndexPreTransform(PCAMatrix, IndexFlatL2)`.

    A recipe of cepstral coefficients has a fixed transform in the place of PCA; one without tokens
    an empty index.

    Args:
        rows: The frames of each clip.
        counts: How many frames each clip has.
        recipe: Says dimensions, rounds and samples.
        tokens: Number of centroids, at most the number of frames.
        path: The file to write.
    """
    import faiss  # noqa: PLC0415 (heavy: loaded by who fits)

    if recipe.deterministic:
        faiss.omp_set_num_threads(1)
    spec = recipe.tokens
    assert spec is not None
    rounds = spec.iterations if tokens else 0
    progress = tqdm(total=rounds + 2, desc="PCA and K-means", unit="round")
    if spec.projection is Projection.MFCC:
        pca = _cosine_transform(recipe.features.mel_bands, spec.dims)
    else:
        pca = faiss.PCAMatrix(recipe.features.mel_bands, spec.dims, -spec.whitening / 2.0)
        pca.train(_sample(rows, counts, limit=spec.pca_frames, seed=recipe.seed))
    progress.update()
    if not tokens:
        progress.close()
        faiss.write_index(faiss.IndexPreTransform(pca, faiss.IndexFlatL2(spec.dims)), str(path))
        return
    picked = _pick(counts, limit=spec.kmeans_frames, seed=recipe.seed)
    points = np.concatenate(
        [pca.apply(np.ascontiguousarray(rows(i)[at])) for i, at in enumerate(picked) if len(at)]
    )
    progress.update()
    generator = np.random.Generator(np.random.PCG64([recipe.seed, 2]))
    centroids = points[np.sort(generator.permutation(len(points))[:tokens])]
    # One round at a time, for the progress bar; each goes on from where the last one ended.
    for _ in range(spec.iterations):
        means = faiss.Kmeans(
            spec.dims,
            tokens,
            niter=1,
            seed=recipe.seed,
            min_points_per_centroid=1,
            max_points_per_centroid=len(points),
        )
        means.train(points, init_centroids=centroids)
        centroids = means.centroids
        progress.update()
    progress.close()
    flat = faiss.IndexFlatL2(spec.dims)
    flat.add(centroids)
    faiss.write_index(faiss.IndexPreTransform(pca, flat), str(path))


def _cosine_transform(bands: int, dims: int) -> Any:
    """The orthonormal cosine transform (DCT-II), as a Faiss transform: what makes MFCC of bands."""
    import faiss  # noqa: PLC0415 (heavy: loaded by who fits)
    from scipy.fft import dct  # noqa: PLC0415 (one caller)

    matrix = dct(np.eye(bands), axis=0, norm="ortho")[:dims].astype(np.float32)
    transform = faiss.LinearTransform(bands, dims, True)
    faiss.copy_array_to_vector(np.ascontiguousarray(matrix).ravel(), transform.A)
    faiss.copy_array_to_vector(np.zeros(dims, dtype=np.float32), transform.b)
    transform.is_trained = True
    return transform


def read_codebook(path: Path) -> Codebook:
    """Read what `fit_codebook` wrote, as the runtime's codebook."""
    import faiss  # noqa: PLC0415 (heavy: loaded by who fits)

    index = faiss.read_index(str(path))  # owns what the rest only points into
    chain = faiss.downcast_index(index)
    pca = faiss.downcast_VectorTransform(chain.chain.at(0))
    flat = faiss.downcast_index(chain.index)
    projection = faiss.vector_to_array(pca.A).reshape(pca.d_out, pca.d_in)
    bias = faiss.vector_to_array(pca.b)
    return Codebook(projection, bias, flat.reconstruct_n(0, flat.ntotal))


def tokens_for(frames: int, recipe: Recipe) -> tuple[int, str]:
    """Decide how many centroids `frames` frames can carry, and say so where they are fewer.

    Raises:
        InputError: Too few frames for PCA or for any codebook.
    """
    spec = recipe.tokens
    assert spec is not None
    least = max(spec.dims + 1, 2 * _FRAMES_PER_TOKEN)
    if frames < least:
        raise InputError(
            f"{frames} frames of audio are too few for a PCA of {spec.dims} dimensions",
            remedy=f"add audio until there are {least} frames (8 a second), or lower tokens.dims",
        )
    most = frames // _FRAMES_PER_TOKEN
    if spec.count <= most:
        return spec.count, ""
    return most, (
        f"{frames} frames are too few for {spec.count} centroids: {most} are made; add "
        f"audio (also without labels, by --unlabelled) or lower tokens.count"
    )


def _pick(
    counts: Sequence[int], *, limit: int, seed: int
) -> list[np.ndarray[tuple[int], np.dtype[np.intp]]]:
    """Draw at most `limit` frames of all; return the row numbers for each clip, in order."""
    ends = np.cumsum(counts)
    total = int(ends[-1])
    if total <= limit:
        return [np.arange(count) for count in counts]
    generator = np.random.Generator(np.random.PCG64([seed, 1]))
    chosen = np.sort(generator.permutation(total)[:limit])
    cuts = np.searchsorted(chosen, ends)
    starts = np.concatenate([[0], ends[:-1]])
    return [part - start for part, start in zip(np.split(chosen, cuts[:-1]), starts, strict=True)]


def _sample(rows: Rows, counts: Sequence[int], *, limit: int, seed: int) -> FloatArray:
    picked = _pick(counts, limit=limit, seed=seed)
    return np.concatenate([rows(i)[at] for i, at in enumerate(picked) if len(at)])


_FRAMES_PER_TOKEN = 4

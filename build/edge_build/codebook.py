"""PCA and K-means by Faiss: from mel frames to the one file that holds the codebook."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.contracts import FloatArray
from edge.errors import InputError
from edge_build.cache import Steps
from edge_build.covariance import covariance_of
from edge_build.frames import ROWS_AT_ONCE
from edge_build.recipe import Recipe
from edge_build.recipe_parts import Projection

RowNumbers = NDArray[np.intp]


class Rows(Protocol):
    """Rows that are read when they are asked for; an array is one, too."""

    def __getitem__(self, rows: Any, /) -> FloatArray:
        """Return the rows of a slice or of numbers, float32 [shape=(n, mel_bands)]."""
        ...


FramesOf = Callable[[int], Rows]
"""Gives the frames of clip number i."""


def fit_codebook(
    frames: FramesOf,
    counts: Sequence[int],
    recipe: Recipe,
    *,
    tokens: int,
    path: Path,
    steps: Steps,
) -> None:
    """Fit PCA and centroids, and write them as one `IndexPreTransform(PCAMatrix, IndexFlatL2)`.

    The centroids of several codebooks are in an `IndexPQ` in the place of `IndexFlatL2`.
    A recipe of cepstral coefficients has a fixed transform in the place of PCA; one without tokens
    an empty index. Memory holds a block of frames at a time, and what of the projected frames the
    system leaves there: they lie in a file. A fit that is cut off goes on from the last finished
    round, to the same bits.

    Args:
        frames: The frames of each clip.
        counts: How many frames each clip has.
        recipe: Says dimensions, rounds and samples.
        tokens: Number of centroids of a codebook, at most the number of frames.
        path: The file to write.
        steps: Keep the PCA, the projected frames and the centroids of the last round.
    """
    import faiss  # noqa: PLC0415 (heavy: loaded by who fits)

    if recipe.deterministic:
        faiss.omp_set_num_threads(1)
    spec = recipe.tokens
    assert spec is not None
    kept = steps.get("pca", lambda part: _write_pca(frames, counts, recipe, part))
    pca = faiss.read_VectorTransform(str(kept))
    index = faiss.IndexFlatL2(spec.dims)
    if tokens:
        picked = _pick(counts, limit=spec.kmeans_frames, seed=recipe.seed)
        kept = steps.get("points.npy", lambda part: _write_points(frames, picked, pca, part))
        points = np.load(kept, mmap_mode="r", allow_pickle=False)
        books = [
            _fit_centroids(share, recipe, tokens, steps, book=book)
            for book, share in enumerate(np.split(np.asarray(points), spec.books, axis=1))
        ]
        if spec.books == 1:
            index.add(books[0])
        else:
            index = faiss.IndexPQ(spec.dims, spec.books, tokens.bit_length() - 1)
            faiss.copy_array_to_vector(np.concatenate(books).ravel(), index.pq.centroids)
            index.is_trained = True
    faiss.write_index(faiss.IndexPreTransform(pca, index), str(path))


def _write_pca(frames: FramesOf, counts: Sequence[int], recipe: Recipe, path: Path) -> None:
    """Write what brings frames to points, as Faiss has it."""
    import faiss  # noqa: PLC0415 (heavy: loaded by who fits)

    spec, bands = recipe.tokens, recipe.features.mel_bands
    assert spec is not None
    if spec.projection is Projection.MFCC:
        faiss.write_VectorTransform(_cosine_transform(bands, spec.dims), str(path))
        return
    pca = faiss.PCAMatrix(bands, spec.dims, -spec.whitening / 2.0)
    picked = _pick(counts, limit=spec.pca_frames, seed=recipe.seed)
    total = sum(map(len, picked))
    blocks = _blocks(frames, picked, task="PCA")
    if total <= _FRAMES_IN_MEMORY:
        sample = np.empty((total, bands), dtype=np.float32)
        done = 0
        for block in blocks:
            sample[done : done + len(block)] = block
            done += len(block)
        pca.train(sample)
    else:
        mean, covariance = covariance_of(blocks)
        # As Faiss has them, of sums and not of means: they set the scale of whitened points.
        variances, axes = np.linalg.eigh(covariance * total)
        for values, vector in (
            (mean, pca.mean),
            (variances[::-1], pca.eigenvalues),
            (axes.T[::-1].ravel(), pca.PCAMat),
        ):
            faiss.copy_array_to_vector(np.ascontiguousarray(values, dtype=np.float32), vector)
        pca.prepare_Ab()
        pca.is_trained = True
    if spec.books > 1:
        _deal_dims(pca, spec.books)
    faiss.write_VectorTransform(pca, str(path))


def _deal_dims(pca: Any, books: int) -> None:
    """Bring every `books`-th dimension together: each codebook has large and small ones."""
    import faiss  # noqa: PLC0415 (heavy: loaded by who fits)

    order = np.arange(pca.d_out).reshape(-1, books).T.ravel()
    rows = faiss.vector_to_array(pca.A).reshape(-1, pca.d_in)[order]
    faiss.copy_array_to_vector(np.ascontiguousarray(rows).ravel(), pca.A)
    faiss.copy_array_to_vector(faiss.vector_to_array(pca.b)[order], pca.b)


def _write_points(frames: FramesOf, picked: Sequence[RowNumbers], pca: Any, path: Path) -> None:
    """Project frames into an `.npy`, float32 [shape=(n, dims)]."""
    # Written, not mapped: on a full disk writing to mapped memory kills the process.
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file,
            {"descr": "<f4", "fortran_order": False, "shape": (sum(map(len, picked)), pca.d_out)},
        )
        for block in _blocks(frames, picked, task="points"):
            file.write(np.ascontiguousarray(pca.apply(block), dtype="<f4").data)


def _fit_centroids(
    points: FloatArray, recipe: Recipe, tokens: int, steps: Steps, *, book: int
) -> FloatArray:
    """Run the rounds of K-means that are still to be run; return the centroids of the last."""
    import faiss  # noqa: PLC0415 (heavy: loaded by who fits)

    spec = recipe.tokens
    assert spec is not None

    def begin(part: Path) -> None:
        generator = np.random.Generator(np.random.PCG64([recipe.seed, 2]))
        first = points[np.sort(generator.permutation(len(points))[:tokens])]
        _write_round(part, 0, first)

    points = np.ascontiguousarray(points)
    place = f"{book}.{_ROUND}" if book else _ROUND
    with np.load(steps.get(place, begin), allow_pickle=False) as kept:
        finished, centroids = int(kept["finished"]), kept["centroids"]
    bar = tqdm(total=spec.iterations, initial=finished, desc="K-means", unit="round")
    # One round at a time: each goes on from where the last one ended, now or before a kill. Faiss
    # splits the largest clusters where others are empty, by a generator that it seeds itself.
    for number in range(finished + 1, spec.iterations + 1):
        means = faiss.Kmeans(
            points.shape[1],
            tokens,
            niter=1,
            seed=recipe.seed,
            min_points_per_centroid=1,
            max_points_per_centroid=len(points),
        )
        means.train(points, init_centroids=centroids)
        centroids = means.centroids
        steps.put(place, partial(_write_round, number=number, centroids=centroids))
        bar.update()
    bar.close()
    return np.asarray(centroids)


def _write_round(path: Path, number: int, centroids: FloatArray) -> None:
    with path.open("wb") as file:
        np.savez(file, finished=number, centroids=centroids)


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
    if spec.books > 1:
        most = 1 << most.bit_length() - 1
    if spec.count <= most:
        return spec.count, ""
    return most, (
        f"{frames} frames are too few for {spec.count} centroids: {most} are made; add "
        f"audio (also without labels, by --unlabelled) or lower tokens.count"
    )


def _pick(counts: Sequence[int], *, limit: int, seed: int) -> list[RowNumbers]:
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


def _blocks(frames: FramesOf, picked: Sequence[RowNumbers], *, task: str) -> Iterator[FloatArray]:
    """Yield the picked frames of one clip after another, of a long one so many at a time."""
    with tqdm(total=sum(map(len, picked)), desc=task, unit="frame") as bar:
        for number, rows in enumerate(picked):
            if not len(rows):
                continue
            of_clip = frames(number)
            for first in range(0, len(rows), ROWS_AT_ONCE):
                block = np.ascontiguousarray(of_clip[rows[first : first + ROWS_AT_ONCE]])
                yield block
                bar.update(len(block))


_FRAMES_PER_TOKEN = 4
_FRAMES_IN_MEMORY = 200_000
"""More than these fit the PCA by their covariance in float64: Faiss wants all at once, twice."""
_ROUND = "round.npz"

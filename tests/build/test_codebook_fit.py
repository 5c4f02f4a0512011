"""Fitting the codebook."""

import librosa
import numpy as np
from tiny_training import RECIPE, write_recipe

from edge.model.codebook_file import read_codebook
from edge_build.cache import Steps
from edge_build.codebook import fit_codebook, tokens_for
from edge_build.recipe import read_recipe

BANDS = 32


def fitted(tmp_path, tokens, count, rows):
    """The codebook of a recipe whose tokens are described so."""
    text = RECIPE.replace("{dims: 4, count: 24, iterations: 4}", tokens)
    recipe = read_recipe(write_recipe(tmp_path, text))
    path = tmp_path / "codebook.faiss"
    steps = Steps(tmp_path / "steps")
    fit_codebook(lambda _: rows, [len(rows)], recipe, tokens=count, path=path, steps=steps)
    return read_codebook(path).codebook


def test_cepstral_coefficients_are_librosas(tmp_path):
    """The cosine transform of mel bands in dB, as `librosa.feature.mfcc` makes it."""
    rows = np.random.default_rng(2).normal(-40, 15, (300, BANDS)).astype(np.float32)
    tokens = "{projection: mfcc, dims: 20, count: 24, iterations: 4}"
    codebook = fitted(tmp_path, tokens, 24, rows)
    expected = librosa.feature.mfcc(S=rows.T, n_mfcc=20).T
    np.testing.assert_allclose(codebook.project(rows), expected, atol=1e-4)
    assert (codebook.dims, codebook.tokens) == (20, 24)


def test_points_without_tokens(tmp_path):
    """PCA alone, in an index that holds nothing."""
    rows = np.random.default_rng(3).normal(-40, 15, (300, BANDS)).astype(np.float32)
    codebook = fitted(tmp_path, "{dims: 4, count: 0}\nwindow: [{of: points, by: [mean]}]", 0, rows)
    assert (codebook.dims, codebook.tokens) == (4, 0)
    points = codebook.project(rows)
    covariance = np.cov(points.T)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.05


def test_several_codebooks(tmp_path):
    """Each has the points of every second dimension, its own tokens, and K-means' centroids."""
    rows = np.random.default_rng(4).normal(-40, 15, (600, BANDS)).astype(np.float32)
    one = fitted(tmp_path / "one", "{dims: 4, count: 8, iterations: 4}", 8, rows)
    two = fitted(tmp_path / "two", "{dims: 4, books: 2, count: 8, iterations: 4}", 8, rows)
    assert (two.dims, two.books, two.tokens) == (4, 2, 16)
    points = two.project(rows)
    np.testing.assert_allclose(one.project(rows)[:, [0, 2, 1, 3]], points, atol=1e-4)
    tokens = two.nearest(rows, np.zeros(len(rows), np.float32), lambda i: rows[i].astype(float))
    for book in range(2):
        share = points[:, 2 * book : 2 * book + 2]
        centroids = two.centroids[8 * book : 8 * book + 8]
        distances = ((share[:, np.newaxis] - centroids) ** 2).sum(axis=2)
        assert np.array_equal(8 * book + distances.argmin(axis=1), tokens[:, book])
        assert distances.min(axis=1).mean() < 0.25 * share.var(axis=0).sum()


def test_few_frames_make_a_power_of_two(tmp_path):
    """Where several codebooks cannot have all their centroids, they have the next power of two."""
    text = RECIPE.replace("{dims: 4, count: 24", "{dims: 4, books: 2, count: 256")
    recipe = read_recipe(write_recipe(tmp_path, text))
    count, note = tokens_for(600, recipe)
    assert count == 128
    assert "600 frames are too few for 256 centroids: 128 are made" in note

"""Fitting the codebook."""

import librosa
import numpy as np
from tiny_training import RECIPE, write_recipe

from edge_build.codebook import fit_codebook, read_codebook
from edge_build.recipe import read_recipe

BANDS = 32


def fitted(tmp_path, tokens, count, rows):
    """The codebook of a recipe whose tokens are described so."""
    text = RECIPE.replace("{dims: 4, count: 24, iterations: 4}", tokens)
    recipe = read_recipe(write_recipe(tmp_path, text))
    path = tmp_path / "codebook.faiss"
    fit_codebook(lambda _: rows, [len(rows)], recipe, tokens=count, path=path)
    return read_codebook(path)


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

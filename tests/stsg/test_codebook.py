"""The nearest centroid."""

import tracemalloc

import faiss
import numpy as np
import pytest

from edge.stsg.codebook import Codebook


def search(codebook, rows, error=0.0):
    """Search with rows that are exact, or known to be wrong by `error`."""
    asked = []

    def exact(numbers):
        asked.extend(numbers)
        return rows[numbers].astype(np.float64)

    errors = np.full(len(rows), error, dtype=np.float32)
    return codebook.nearest(rows.astype(np.float32), errors, exact), asked


@pytest.mark.parametrize(("tokens", "dims"), [(1, 4), (7, 3), (300, 16), (2_000, 64), (500, 24)])
def test_search_agrees_with_faiss(tokens, dims):
    """Away from ties the answer is that of Faiss' flat index on the projected rows."""
    rng = np.random.default_rng(tokens)
    projection = np.linalg.qr(rng.standard_normal((dims + 5, dims)))[0].T.astype(np.float32)
    bias = rng.standard_normal(dims).astype(np.float32)
    centroids = rng.standard_normal((tokens, dims)).astype(np.float32)
    rows = rng.standard_normal((333, dims + 5)).astype(np.float32)
    index = faiss.IndexFlatL2(dims)
    index.add(centroids)
    expected = index.search(rows @ projection.T + bias, 1)[1][:, 0]
    actual, _ = search(Codebook(projection, bias, centroids), rows)
    assert np.array_equal(expected, actual)


def test_equal_centroids_answer_to_the_lowest_number():
    """Doubled centroids, as K-means makes them of silence, never compete."""
    centroids = np.array([[5, 5], [1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.float32)
    codebook = Codebook(np.eye(2, dtype=np.float32), np.zeros(2, np.float32), centroids)
    tokens, asked = search(codebook, np.array([[1.0, 0.1], [0.1, 1.0]]))
    assert tokens.tolist() == [1, 2]
    assert asked == []


def test_equal_distances_go_to_the_lowest_number():
    """A row half-way between two centroids takes the first, by whichever side it came."""
    centroids = np.array([[9, 9], [1, 0], [-1, 0]], dtype=np.float32)
    codebook = Codebook(np.eye(2, dtype=np.float32), np.zeros(2, np.float32), centroids)
    tokens, asked = search(codebook, np.array([[0.0, 0.0], [0.0, 3.0]]), error=1e-6)
    assert tokens.tolist() == [1, 1]
    assert asked == [0, 1]


def test_float64_decides_where_the_error_leaves_it_open():
    """A row that is wrong by less than it admits gets its exact row's token."""
    rng = np.random.default_rng(5)
    centroids = rng.standard_normal((400, 8)).astype(np.float32)
    codebook = Codebook(np.eye(8, dtype=np.float32), np.zeros(8, np.float32), centroids)
    exact_rows = rng.standard_normal((500, 8))
    noise = rng.standard_normal((500, 8))
    noise *= 0.3 / np.linalg.norm(noise, axis=1, keepdims=True)
    wrong_rows = (exact_rows + noise).astype(np.float32)
    tokens = codebook.nearest(
        wrong_rows, np.full(500, 0.3, np.float32), lambda numbers: exact_rows[numbers]
    )
    distances = ((exact_rows[:, None] - centroids[None]) ** 2).sum(axis=2)
    assert np.array_equal(tokens, distances.argmin(axis=1))
    assert not np.array_equal(
        tokens, ((wrong_rows[:, None] - centroids[None]) ** 2).sum(axis=2).argmin(axis=1)
    )


@pytest.mark.parametrize("clusters", [1, 3, 40])
@pytest.mark.parametrize("spread", [0.05, 1.0, 30.0])
def test_neighbours_that_are_not_alike_find_their_own(clusters, spread):
    """Rows of a call may come from anywhere: a click in the quiet hides nothing from the rest."""
    rng = np.random.default_rng(clusters)
    centres = 20.0 * rng.standard_normal((clusters, 24)).astype(np.float32)
    centroids = centres[rng.integers(clusters, size=3000)]
    centroids = (centroids + rng.standard_normal((3000, 24))).astype(np.float32)
    rows = centres[np.sort(rng.integers(clusters, size=300))]
    rows = (rows + spread * rng.standard_normal((300, 24))).astype(np.float32)
    rows[rng.integers(300, size=5)] *= 50.0
    codebook = Codebook(np.eye(24, dtype=np.float32), np.zeros(24, np.float32), centroids)
    expected = codebook.nearest_exactly(rows.astype(np.float64))
    actual, _ = search(codebook, rows)
    assert np.array_equal(expected, actual)


def test_silence_does_not_fill_the_memory():
    """Where every centroid is as near, pairs are measured and frames decided a few at a time."""
    rng = np.random.default_rng(11)
    centroids = rng.standard_normal((4096, 64)).astype(np.float32)
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    codebook = Codebook(np.eye(64, dtype=np.float32), np.zeros(64, np.float32), centroids)
    silence = np.zeros((480, 64), np.float32)
    asked = []

    def exact(rows):
        asked.append(len(rows))
        return silence[rows].astype(np.float64)

    tracemalloc.start()
    tokens = codebook.nearest(silence, np.full(480, 1e-3, np.float32), exact)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(set(tokens.tolist())) == 1
    assert sum(asked) == 480
    assert max(asked) <= 40
    # All pairs of 120 frames at once would take 126 MB three times.
    assert peak < 80e6

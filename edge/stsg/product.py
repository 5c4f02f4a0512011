"""Several small codebooks side by side: a frame has a token of each."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge.contracts import FloatArray
from edge.stsg.codebook import Codebook, DoubleArray, TokenArray


class ProductCodebook:
    """Names the nearest centroid of each share of a point's dimensions.

    Books of K centroids tell K to the power of `books` frames apart. The numbers of a book's tokens
    go on where those of the book before end, so that one table holds the rows of all. Each token is
    as exact as that of a `Codebook`.

    Source: Jégou, Douze, Schmid, "Product Quantization for Nearest Neighbor Search", 2011.

    Args:
        projection: float32 [shape=(dims, features)].
        bias: float32 [shape=(dims,)], added after the projection.
        centroids: float32 [shape=(books, tokens of a book, dims / books)]; book b has the b-th
            share of the dimensions.
    """

    def __init__(self, projection: FloatArray, bias: FloatArray, centroids: FloatArray) -> None:
        width = centroids.shape[2]
        self.books: int = centroids.shape[0]
        self._of_book: int = centroids.shape[1]
        self._whole = Codebook(projection, bias, np.empty((0, len(projection)), np.float32))
        shares = [slice(first, first + width) for first in range(0, len(projection), width)]
        self._parts = [
            Codebook(projection[share], bias[share], of_book)
            for share, of_book in zip(shares, centroids, strict=True)
        ]

    @property
    def tokens(self) -> int:
        """Number of centroids of all books."""
        return self.books * self._of_book

    @property
    def centroids(self) -> FloatArray:
        """Those of all books, float32 [shape=(tokens, dims / books)]; zeros for repeated ones."""
        return np.concatenate([part.centroids for part in self._parts])

    @property
    def dims(self) -> int:
        """Number of dimensions after the projection."""
        return self._whole.dims

    @property
    def features(self) -> int:
        """Width of the rows it takes."""
        return self._whole.features

    def project(self, features: FloatArray) -> FloatArray:
        """Project rows [shape=(n, features)] to float32 [shape=(n, dims)]."""
        return self._whole.project(features)

    def nearest(
        self,
        features: FloatArray,
        error: FloatArray,
        exact: Callable[[NDArray[np.intp]], DoubleArray],
    ) -> TokenArray:
        """Name each row's nearest centroid in every book, as `Codebook.nearest` does in one.

        Returns:
            int32 [shape=(n, books)].
        """
        tokens = np.empty((len(features), self.books), dtype=np.int32)
        for book, part in enumerate(self._parts):
            tokens[:, book] = part.nearest(features, error, exact) + book * self._of_book
        return tokens

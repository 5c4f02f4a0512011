"""The nearest centroid of a feature row: fast where it is clear, in float64 where it is not."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge.contracts import FloatArray

TokenArray = NDArray[np.int32]


class Codebook:
    """Projects feature rows by PCA and names the nearest centroid of each by L2 distance.

    The answer is that of float64 arithmetic, whatever the number of rows in a call, the BLAS or
    its threads: float32 finds the centroids that could be nearest given the errors it may have
    made, and where more than one is left, float64 decides among these. Centroids at the same
    distance, to a part in 10^9, yield the lowest number.

    Args:
        projection: float32 [shape=(dims, features)], orthonormal rows (PCA without whitening).
        bias: float32 [shape=(dims,)], added after the projection.
        centroids: float32 [shape=(tokens, dims)].
    """

    def __init__(self, projection: FloatArray, bias: FloatArray, centroids: FloatArray) -> None:
        self._projection = np.ascontiguousarray(projection, dtype=np.float32)
        self._projection_t = np.ascontiguousarray(self._projection.T)
        self._bias = np.asarray(bias, dtype=np.float32)
        self._projection_norm = float(np.linalg.norm(self._projection.astype(np.float64), 2))
        # K-means on silence yields equal centroids: each is searched once, by its lowest number.
        self._tokens = len(centroids)
        _, first = np.unique(centroids, axis=0, return_index=True)
        self._numbers = np.sort(first).astype(np.int32)
        self._centroids = np.ascontiguousarray(centroids[self._numbers], dtype=np.float32)
        lead = min(_LEADING_DIMS, self.dims)
        rest = np.sqrt(np.sum(self._centroids[:, lead:].astype(np.float64) ** 2, axis=1))
        short = np.column_stack([self._centroids[:, :lead].astype(np.float64), rest])
        squared = np.sum(short**2, axis=1)
        self._lead = lead
        self._short = np.ascontiguousarray(np.vstack([-2.0 * short.T, squared]), dtype=np.float32)
        self._short_norm = float(np.sqrt(squared.max()))

    @property
    def tokens(self) -> int:
        """Number of centroids."""
        return self._tokens

    @property
    def dims(self) -> int:
        """Number of dimensions after the projection."""
        return len(self._projection)

    @property
    def features(self) -> int:
        """Width of the rows it takes."""
        return self._projection.shape[1]

    def project(self, features: FloatArray) -> FloatArray:
        """Project rows [shape=(n, features)] to float32 [shape=(n, dims)]."""
        return np.asarray(features @ self._projection_t + self._bias)

    def nearest(
        self,
        features: FloatArray,
        error: FloatArray,
        exact: Callable[[NDArray[np.intp]], NDArray[np.float64]],
    ) -> TokenArray:
        """Name the nearest centroid of each row.

        Args:
            features: float32 [shape=(n, features)].
            error: float32 [shape=(n,)], how far each row may be from its exact value (Euclidean).
            exact: Gives the exact rows, float64 [shape=(m, features)], for row numbers
                [shape=(m,)]. Asked only where float32 cannot tell.

        Returns:
            int32 [shape=(n,)].
        """
        tokens = np.empty(len(features), dtype=np.int32)
        unclear: list[int] = []
        contenders: list[NDArray[np.intp]] = []
        for first in range(0, len(features), _ROWS_AT_ONCE):
            part = slice(first, first + _ROWS_AT_ONCE)
            tokens[part], rows, rivals = self._nearest_part(features[part], error[part])
            unclear.extend(first + row for row in rows)
            contenders.extend(rivals)
        if unclear:
            rows64 = exact(np.array(unclear))
            for row, rivals_of_row, row64 in zip(unclear, contenders, rows64, strict=True):
                tokens[row] = self.nearest_exactly(row64, rivals_of_row)
        return tokens

    def nearest_exactly(
        self, row: NDArray[np.float64], among: NDArray[np.intp] | None = None
    ) -> int:
        """Name the nearest centroid of one exact row [shape=(features,)] in float64.

        `among` are positions in the list of distinct centroids, all of them by default.
        """
        numbers = np.arange(len(self._centroids)) if among is None else among
        point = np.sum(self._projection.astype(np.float64) * row, axis=1) + self._bias
        squared = np.sum((self._centroids[numbers].astype(np.float64) - point) ** 2, axis=1)
        level = squared.min() + _EQUAL * (squared.min() + np.sum(point**2))
        return int(self._numbers[numbers[squared <= level].min()])

    def _nearest_part(
        self, features: FloatArray, error: FloatArray
    ) -> tuple[TokenArray, list[int], list[NDArray[np.intp]]]:
        """Name each row's token; list the rows that float32 leaves open, and their rivals."""
        points = self.project(features)
        length = np.linalg.norm(features, axis=1)
        point_error = self._projection_norm * (error + _PROJECTION_ROUNDING * length)
        # The distance in the leading dimensions and in the norm of the rest bounds the distance
        # from below (triangle inequality), so one thin matrix product leaves few centroids.
        rest = np.linalg.norm(points[:, self._lead :], axis=1)
        short = np.column_stack([points[:, : self._lead], rest, np.ones_like(rest)])
        bound = short @ self._short
        short_squared = np.einsum("ij,ij->i", short[:, :-1], short[:, :-1])
        guess = bound.argmin(axis=1)
        reach = self._distance(points, guess) + 2.0 * point_error
        slack = _PRODUCT_ROUNDING * (np.sqrt(short_squared) + self._short_norm) ** 2
        level = reach**2 * (1.0 + _PRODUCT_ROUNDING) - short_squared + slack
        flat = np.flatnonzero(bound <= level[:, np.newaxis])
        rows, numbers = np.divmod(flat, len(self._centroids))
        distance = self._distance(points[rows], numbers)
        starts = np.searchsorted(rows, np.arange(len(points)))
        nearest = np.minimum.reduceat(distance, starts)
        margin = 2.0 * point_error + _DISTANCE_ROUNDING * (nearest + np.abs(points).max(axis=1))
        rival = distance <= (nearest + margin)[rows]
        rows, numbers = rows[rival], numbers[rival]
        starts = np.searchsorted(rows, np.arange(len(points)))
        ends = np.append(starts[1:], len(rows))
        tokens = self._numbers[numbers[starts]]
        open_rows = np.flatnonzero(ends - starts > 1)
        return tokens, list(open_rows), [numbers[starts[row] : ends[row]] for row in open_rows]

    def _distance(self, points: FloatArray, numbers: NDArray[np.intp]) -> FloatArray:
        difference = points - self._centroids[numbers]
        return np.sqrt(np.einsum("ij,ij->i", difference, difference))


_LEADING_DIMS = 24
_ROWS_AT_ONCE = 120
# Errors of float32, relative to the sizes they are multiplied with; each several times what a sum
# of that many terms was measured to lose.
_PROJECTION_ROUNDING = 3e-6
_PRODUCT_ROUNDING = 4e-6
_DISTANCE_ROUNDING = 4e-6
_EQUAL = 1e-9

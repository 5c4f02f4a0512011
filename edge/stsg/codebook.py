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
        self._numbers = _first_of_equals(centroids)
        distinct = centroids[self._numbers].astype(np.float64)
        squared = np.sum(distinct**2, axis=1)
        self._centroids = np.ascontiguousarray(distinct, dtype=np.float32)
        # Each column is a centroid and its squared norm, so that one product with [-2 y, 1] gives
        # the squared distance to y, less |y|².
        self._table = np.vstack([distinct.T, squared]).astype(np.float32)
        self._lead = min(_LEADING_DIMS, self.dims)
        rest = np.sqrt(np.sum(distinct[:, self._lead :] ** 2, axis=1))
        short = np.vstack([distinct[:, : self._lead].T, rest, squared])
        self._short_table = short.astype(np.float32)
        self._norm = float(np.sqrt(squared.max()))

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
        return int(self._projection.shape[1])

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
        rows, numbers = self._candidates(points, point_error)
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

    def _candidates(
        self, points: FloatArray, point_error: FloatArray
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Pair each row, in order, with every centroid that could be its nearest.

        The distance in the leading dimensions and in the norm of the rest bounds the distance from
        below (triangle inequality), so a thin matrix product leaves few centroids where the sound
        has structure. Noise has none: where a sample of the rows, or a row, has many candidates
        left, the whole product is cheaper than measuring each.
        """
        rest = np.linalg.norm(points[:, self._lead :], axis=1)
        short = np.column_stack([points[:, : self._lead], rest])
        sample = slice(None, None, -(-len(points) // _SAMPLED_ROWS))
        possible = self._possible(
            points[sample], short[sample], self._short_table, point_error[sample]
        )
        if np.count_nonzero(possible) > _MANY_CANDIDATES * len(possible):
            return _pairs(self._possible(points, points, self._table, point_error))
        possible = self._possible(points, short, self._short_table, point_error)
        rows, numbers = _pairs(possible)
        many = np.flatnonzero(np.bincount(rows) > _MANY_CANDIDATES)
        if not len(many):
            return rows, numbers
        possible[many] = self._possible(points[many], points[many], self._table, point_error[many])
        return _pairs(possible)

    def _possible(
        self,
        points: FloatArray,
        coordinates: FloatArray,
        table: FloatArray,
        point_error: FloatArray,
    ) -> NDArray[np.bool_]:
        """Mark, for each row, the centroids that a bound on their distance leaves possible.

        Args:
            points: float32 [shape=(n, dims)].
            coordinates: What of the points the bound looks at, float32 [shape=(n, m)].
            table: The same of the centroids, and their squared norms [shape=(m + 1, tokens)].
            point_error: float32 [shape=(n,)].

        Returns:
            bool [shape=(n, tokens)].
        """
        squared = np.einsum("ij,ij->i", coordinates, coordinates)
        ones = np.ones((len(points), 1), dtype=np.float32)
        bound = np.hstack([-2.0 * coordinates, ones]) @ table
        guess = bound.argmin(axis=1)
        reach = self._distance(points, guess) + 2.0 * point_error
        slack = _PRODUCT_ROUNDING * (np.sqrt(squared) + self._norm) ** 2
        level = reach**2 * (1.0 + _PRODUCT_ROUNDING) - squared + slack
        return np.asarray(bound <= level[:, np.newaxis])

    def _distance(self, points: FloatArray, numbers: NDArray[np.intp]) -> FloatArray:
        difference = points - self._centroids[numbers]
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", difference, difference)))


def _pairs(marks: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """List rows and columns of the marks, row by row; quicker than `nonzero` where few are set."""
    rows, columns = np.divmod(np.flatnonzero(marks), marks.shape[1])
    return rows, columns


def _first_of_equals(rows: FloatArray) -> TokenArray:
    """Number the rows that equal no earlier row, in order."""
    norms = np.einsum("ij,ij->i", rows, rows)
    _, group, size = np.unique(norms, return_inverse=True, return_counts=True)
    doubtful = np.flatnonzero(size[group] > 1)
    _, first = np.unique(rows[doubtful], axis=0, return_index=True)
    later = np.setdiff1d(doubtful, doubtful[first], assume_unique=True)
    return np.setdiff1d(np.arange(len(rows)), later, assume_unique=True).astype(np.int32)


_LEADING_DIMS = 24
_ROWS_AT_ONCE = 120
_SAMPLED_ROWS = 8
_MANY_CANDIDATES = 200
# Errors of float32, relative to the sizes they are multiplied with; each several times what a sum
# of that many terms was measured to lose.
_PROJECTION_ROUNDING = 3e-6
_PRODUCT_ROUNDING = 4e-6
_DISTANCE_ROUNDING = 4e-6
_EQUAL = 1e-9

"""The nearest centroid of a feature row: fast where it is clear, in float64 where it is not."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge.contracts import FloatArray

TokenArray = NDArray[np.int32]
DoubleArray = NDArray[np.float64]


class Codebook:
    """Projects feature rows by PCA and names the nearest centroid of each by L2 distance.

    The answer is that of float64 arithmetic, whatever the number of rows in a call, the BLAS or
    its threads: float32 finds the centroids that could be nearest given the errors it may have
    made, and where more than one is left, float64 decides among these. Centroids at the same
    distance, to a part in 10^9, yield the lowest number.

    Args:
        projection: float32 [shape=(dims, features)], of a PCA, whitened or not.
        bias: float32 [shape=(dims,)], added after the projection.
        centroids: float32 [shape=(tokens, dims)]; none where only points are wanted.
    """

    def __init__(self, projection: FloatArray, bias: FloatArray, centroids: FloatArray) -> None:
        self._projection = np.ascontiguousarray(projection, dtype=np.float32)
        self._projection_t = np.ascontiguousarray(self._projection.T)
        self._bias = np.asarray(bias, dtype=np.float32)
        self._projection64 = self._projection.astype(np.float64)
        self._projection_norm = float(np.linalg.norm(self._projection64, 2))
        # K-means on silence yields equal centroids: each is searched once, by its lowest number.
        self._tokens = len(centroids)
        self._numbers = _first_of_equals(centroids)
        distinct = centroids[self._numbers].astype(np.float64)
        squared = np.sum(distinct**2, axis=1)
        # Each row is a centroid and its squared norm, so that one product with [-2 y, 1] gives the
        # squared distance to y, less |y|².
        self._rows = np.column_stack([distinct, squared]).astype(np.float32)
        self._centroids = self._rows[:, :-1]
        self._lead = min(_LEADING_DIMS, self.dims)
        rest = np.sqrt(np.sum(distinct[:, self._lead :] ** 2, axis=1))
        short = np.column_stack([distinct[:, : self._lead], rest])
        self._short_table = np.vstack([short.T, squared]).astype(np.float32)
        self._norm = float(np.sqrt(squared.max(initial=0.0)))

    @property
    def tokens(self) -> int:
        """Number of centroids."""
        return self._tokens

    @property
    def centroids(self) -> FloatArray:
        """The centroids, float32 [shape=(tokens, dims)]; zeros for those that equal another."""
        found = np.zeros((self._tokens, self.dims), dtype=np.float32)
        found[self._numbers] = self._centroids
        return found

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
        exact: Callable[[NDArray[np.intp]], DoubleArray],
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
        for first in range(0, len(unclear), _ROWS_IN_CACHE):
            rows = unclear[first : first + _ROWS_IN_CACHE]
            points = self.project_exactly(exact(np.array(rows)))
            rivals_of_rows = contenders[first : first + _ROWS_IN_CACHE]
            for row, among, point in zip(rows, rivals_of_rows, points, strict=True):
                tokens[row] = self._nearest_exactly(point, among)
        return tokens

    def project_exactly(self, rows: DoubleArray) -> DoubleArray:
        """Project exact rows [shape=(n, features)] to float64 [shape=(n, dims)]."""
        return np.asarray(rows @ self._projection64.T + self._bias)

    def nearest_exactly(self, rows: DoubleArray) -> TokenArray:
        """Name the nearest centroid of exact rows [shape=(n, features)], all in float64."""
        everyone = np.arange(len(self._centroids))
        points = self.project_exactly(rows)
        return np.array([self._nearest_exactly(p, everyone) for p in points], dtype=np.int32)

    def _nearest_exactly(self, point: DoubleArray, among: NDArray[np.intp]) -> int:
        """Name the nearest of some centroids, of equal ones the lowest, to a projected point."""
        squared = np.sum((self._centroids[among].astype(np.float64) - point) ** 2, axis=1)
        level = squared.min() + _EQUAL * (squared.min() + np.sum(point**2))
        return int(self._numbers[among[squared <= level].min()])

    def _nearest_part(
        self, features: FloatArray, error: FloatArray
    ) -> tuple[TokenArray, list[int], list[NDArray[np.intp]]]:
        """Name each row's token; list the rows that float32 leaves open, and their rivals."""
        points = self.project(features)
        length = np.linalg.norm(features, axis=1)
        point_error = self._projection_norm * (error + _PROJECTION_ROUNDING * length)
        rows, numbers = self._candidates(points, point_error)
        distance = self._distance(points, rows, numbers)
        starts = np.searchsorted(rows, np.arange(len(points)))
        nearest = np.minimum.reduceat(distance, starts)
        rounding = _DISTANCE_ROUNDING * (nearest + np.abs(points).max(axis=1))
        close = distance <= (nearest + 2.0 * point_error + rounding)[rows]
        rows, numbers, distance = rows[close], numbers[close], distance[close]
        first = distance == nearest[rows]
        best = numbers[first][np.searchsorted(rows[first], np.arange(len(points)))]
        # Moving the point by e changes the difference of two squared distances by at most 2 e times
        # the distance of the two centroids.
        apart = self._distance(self._centroids, best[rows], numbers)
        gap = (distance - nearest[rows]) * (distance + nearest[rows])
        most = 2.0 * point_error[rows] * apart + 2.0 * rounding[rows] * (distance + nearest[rows])
        rival = gap <= most
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
        below (triangle inequality). So a thin matrix product finds the centroids that are possible
        for any of the rows, which are alike, being neighbours in time; only these go into the whole
        product. Noise leaves too many possible for that to pay.
        """
        rest = np.linalg.norm(points[:, self._lead :], axis=1)
        short = np.column_stack([points[:, : self._lead], rest])
        marked = np.zeros(len(self._centroids), dtype=np.bool_)
        for first in range(0, len(points), _ROWS_IN_CACHE):
            part = slice(first, first + _ROWS_IN_CACHE)
            bound, level = self._bounds(
                points[part], short[part], self._short_table, point_error[part]
            )
            marked |= (bound <= level[:, np.newaxis]).any(axis=0)
            if np.count_nonzero(marked) > _MANY_POSSIBLE * len(marked):
                bound, level = self._bounds(points, points, self._rows.T, point_error)
                return _pairs(bound <= level[:, np.newaxis])
        possible = np.flatnonzero(marked)
        table = self._rows[possible].T
        bound, level = self._bounds(points, points, table, point_error, numbers=possible)
        rows, columns = _pairs(bound <= level[:, np.newaxis])
        return rows, possible[columns]

    def _bounds(
        self,
        points: FloatArray,
        coordinates: FloatArray,
        table: FloatArray,
        point_error: FloatArray,
        *,
        numbers: NDArray[np.intp] | None = None,
    ) -> tuple[FloatArray, FloatArray]:
        """Bound the distance of each row to each centroid, and that to its nearest.

        Args:
            points: float32 [shape=(n, dims)].
            coordinates: What of the points the bound looks at, float32 [shape=(n, m)].
            table: The same of the centroids, and their squared norms [shape=(m + 1, tokens)].
            point_error: float32 [shape=(n,)].
            numbers: Which centroids the table's columns are; all by default.

        Returns:
            bound: [shape=(n, tokens)], from below, squared, less the row's squared norm.
            level: [shape=(n,)], what the bound of a centroid that can be nearest does not exceed.
        """
        squared = np.einsum("ij,ij->i", coordinates, coordinates)
        ones = np.ones((len(points), 1), dtype=np.float32)
        bound = np.hstack([-2.0 * coordinates, ones]) @ table
        guess = bound.argmin(axis=1)
        reach = self._distance(
            points, np.arange(len(points)), guess if numbers is None else numbers[guess]
        )
        reach += 2.0 * point_error
        slack = _PRODUCT_ROUNDING * (np.sqrt(squared) + self._norm) ** 2
        return bound, reach**2 * (1.0 + _PRODUCT_ROUNDING) - squared + slack

    def _distance(
        self, points: FloatArray, rows: NDArray[np.intp], numbers: NDArray[np.intp]
    ) -> FloatArray:
        """Return the distance of each of some rows of points to the centroid beside it."""
        distance = np.empty(len(rows), dtype=np.float32)
        # Silence may be as near to thousands of centroids: all pairs at once would fill the memory.
        for first in range(0, len(rows), _PAIRS_AT_ONCE):
            part = slice(first, first + _PAIRS_AT_ONCE)
            difference = points[rows[part]] - self._centroids[numbers[part]]
            np.einsum("ij,ij->i", difference, difference, out=distance[part])
        return np.sqrt(distance, out=distance)


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


_LEADING_DIMS = 12
_ROWS_AT_ONCE = 120
_ROWS_IN_CACHE = 24
_PAIRS_AT_ONCE = 8192
_MANY_POSSIBLE = 0.6
# Errors of float32, relative to the sizes they are multiplied with; each several times what a sum
# of that many terms was measured to lose.
_PROJECTION_ROUNDING = 2e-6
_PRODUCT_ROUNDING = 4e-6
_DISTANCE_ROUNDING = 1e-6
_EQUAL = 1e-9

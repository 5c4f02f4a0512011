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
        centroids: float32 [shape=(tokens, dims)].
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
        distinct = np.asarray(centroids[self._numbers], dtype=np.float32)
        self._lead = min(_LEADING_DIMS, self.dims)
        rest = _squared_norms(distinct[:, self._lead :])
        squared = _squared_norms(distinct[:, : self._lead]) + rest
        # Each row is a centroid and its squared norm, so that one product with [-2 y, 1] gives the
        # squared distance to y, less |y|².
        self._rows = np.column_stack([distinct, squared.astype(np.float32)])
        self._centroids = self._rows[:, :-1]
        self._short_rows = np.column_stack(
            [distinct[:, : self._lead], np.sqrt(rest), squared]
        ).astype(np.float32)
        self._box_sides = np.ascontiguousarray(distinct[:, :_BOX_DIMS].T)
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
        for first in range(0, len(unclear), _EXACT_ROWS_AT_ONCE):
            rows = unclear[first : first + _EXACT_ROWS_AT_ONCE]
            points = self.project_exactly(exact(np.array(rows)))
            rivals_of_rows = contenders[first : first + _EXACT_ROWS_AT_ONCE]
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
        """Pair each row, in order, with every centroid that could be its nearest."""
        possible = self._possible(points, point_error)
        table = self._rows[possible] if len(possible) < len(self._rows) else self._rows
        bound = _squared_distance(points, table)
        reach = self._reach(points, point_error, bound, possible)
        rows, columns = _pairs(bound <= self._level(points, reach))
        return rows, possible[columns]

    def _possible(self, points: FloatArray, point_error: FloatArray) -> NDArray[np.intp]:
        """Number the centroids that could be the nearest of any of the rows, and some more.

        The rows are alike, being neighbours in time, so whole regions are possible for none: first
        what is outside a box around them in a few dimensions, then what a thin matrix product shows
        to be too far. The distance in the leading dimensions and in the norm of the rest bounds
        the distance from below (triangle inequality). Noise leaves too many for that to pay.
        """
        rest = np.linalg.norm(points[:, self._lead :], axis=1)
        short = np.column_stack([points[:, : self._lead], rest])
        boxed = self._in_box(points, short, point_error)
        table = self._short_rows[boxed]
        marked = np.zeros(len(boxed), dtype=np.bool_)
        at_once = max(1, _VALUES_IN_CACHE // len(boxed))
        for first in range(0, len(points), at_once):
            part = slice(first, first + at_once)
            bound = _squared_distance(short[part], table)
            reach = self._reach(points[part], point_error[part], bound, boxed)
            marked |= (bound <= self._level(short[part], reach)).any(axis=0)
            if np.count_nonzero(marked) > _MANY_POSSIBLE * len(self._rows):
                return np.arange(len(self._rows))
        return boxed[marked]

    def _in_box(
        self, points: FloatArray, short: FloatArray, point_error: FloatArray
    ) -> NDArray[np.intp]:
        """Number the centroids that are within reach of a row in each of the first dimensions.

        What is nearest, by the thin product, to one in some rows is near enough to the others, too,
        to say how far they have to look.
        """
        bound = _squared_distance(short[::_ROWS_A_GUESS], self._short_rows)
        guesses = np.unique(bound.argmin(axis=1))
        bound = _squared_distance(points, self._rows[guesses])
        reach = self._reach(points, point_error, bound, guesses)
        inside = np.ones(len(self._rows), dtype=np.bool_)
        for side, coordinate in zip(self._box_sides, points.T, strict=False):
            slack = _PRODUCT_ROUNDING * (np.abs(coordinate) + reach)
            inside &= side >= (coordinate - reach - slack).min()
            inside &= side <= (coordinate + reach + slack).max()
        return np.flatnonzero(inside)

    def _reach(
        self,
        points: FloatArray,
        point_error: FloatArray,
        bound: FloatArray,
        numbers: NDArray[np.intp],
    ) -> FloatArray:
        """Return how far from each row its nearest centroid can be, at most [shape=(n,)].

        Args:
            points: float32 [shape=(n, dims)].
            point_error: float32 [shape=(n,)].
            bound: What some centroids' distances are about, or not less than [shape=(n, m)].
            numbers: Which centroids these are [shape=(m,)].
        """
        guess = numbers[bound.argmin(axis=1)]
        return self._distance(points, np.arange(len(points)), guess) + 2.0 * point_error

    def _level(self, coordinates: FloatArray, reach: FloatArray) -> FloatArray:
        """Return what `_squared_distance` of a centroid within reach does not exceed.

        Args:
            coordinates: The rows, as they went into it [shape=(n, m)].
            reach: float32 [shape=(n,)].

        Returns:
            float32 [shape=(n, 1)].
        """
        squared = np.einsum("ij,ij->i", coordinates, coordinates)
        slack = _PRODUCT_ROUNDING * (np.sqrt(squared) + self._norm) ** 2
        level = reach**2 * (1.0 + _PRODUCT_ROUNDING) - squared + slack
        return np.asarray(level[:, np.newaxis])

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


def _squared_norms(rows: FloatArray) -> DoubleArray:
    """Sum the squares of each row [shape=(n, m)] in float64; return [shape=(n,)]."""
    return np.asarray(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))


def _squared_distance(coordinates: FloatArray, rows: FloatArray) -> FloatArray:
    """Return the squared distance of each row to each centroid, less the row's squared norm.

    Args:
        coordinates: float32 [shape=(n, m)].
        rows: Centroids' coordinates, and their squared norms [shape=(tokens, m + 1)].

    Returns:
        float32 [shape=(n, tokens)].
    """
    ones = np.ones((len(coordinates), 1), dtype=np.float32)
    return np.asarray(np.hstack([-2.0 * coordinates, ones]) @ rows.T)


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
_EXACT_ROWS_AT_ONCE = 24
_ROWS_A_GUESS = 8
_BOX_DIMS = 4
_VALUES_IN_CACHE = 1 << 19
_PAIRS_AT_ONCE = 8192
_MANY_POSSIBLE = 0.6
# Errors of float32, relative to the sizes they are multiplied with; each several times what a sum
# of that many terms was measured to lose.
_PROJECTION_ROUNDING = 2e-6
_PRODUCT_ROUNDING = 4e-6
_DISTANCE_ROUNDING = 1e-6
_EQUAL = 1e-9

"""SciPy's real FFT and sparse product, without all that importing them brings along.

`import scipy.fft` and `import scipy.sparse` load `numpy.testing`, `numpy.f2py`, `scipy.special` and
more, which takes 0.3 s and 30 MB, a fifth of a daemon, on a server, and seconds on a small board.
The work itself is done in two compiled modules that need none of it; these are loaded alone. Where
a SciPy keeps them elsewhere, or has changed them, its public functions do the same, to the bit. See
docs/decisions/006.
"""

from collections.abc import Callable
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray


def rfft(columns: NDArray[Any]) -> NDArray[Any]:
    """Transform each column; as `scipy.fft.rfft` along axis 0.

    Args:
        columns: float32 or float64 [shape=(size, n)], in any memory order.

    Returns:
        complex64 or complex128 [shape=(size // 2 + 1, n)], in C order.
    """
    return _transform()(columns)


class SparseMatrix:
    """A matrix by its non-zeros, row by row; multiplies from the left, as SciPy's `csr_matrix`.

    Args:
        values: float32 or float64 [shape=(nnz,)].
        columns: Ascending within each row [shape=(nnz,)].
        counts: How many of them each row has [shape=(rows,)].
        width: Number of columns.
    """

    def __init__(
        self,
        values: NDArray[Any],
        columns: NDArray[np.intp],
        counts: NDArray[np.intp],
        *,
        width: int,
    ) -> None:
        self.values = np.ascontiguousarray(values)
        self.shape = (len(counts), width)
        self._columns = np.asarray(columns, dtype=np.int32)
        self._ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)

    def astype(self, kind: type[np.floating[Any]]) -> "SparseMatrix":
        """Return it with values of another type."""
        counts = np.diff(self._ends).astype(np.intp)
        columns = self._columns.astype(np.intp)
        return SparseMatrix(self.values.astype(kind), columns, counts, width=self.shape[1])

    def __matmul__(self, dense: NDArray[Any]) -> NDArray[Any]:
        """Multiply with a matrix of the same type [shape=(width, n)]; return [shape=(rows, n)]."""
        rows, width = self.shape
        if dense.shape[0] != width or dense.dtype != self.values.dtype:
            raise ValueError(
                f"{dense.dtype} {dense.shape} is no factor of {self.values.dtype} {self.shape}"
            )
        found = np.zeros((rows, dense.shape[1]), dtype=dense.dtype)
        _product()(
            rows,
            width,
            dense.shape[1],
            self._ends,
            self._columns,
            self.values,
            np.ascontiguousarray(dense).reshape(-1),
            found.reshape(-1),
        )
        return found


@cache
def _transform() -> Callable[[NDArray[Any]], NDArray[Any]]:
    part = _load("fft", "_pocketfft", "pypocketfft")
    if part is not None:
        probe = np.arange(8, dtype=np.float32).reshape(4, 2)
        try:
            # Columns, forward, unscaled, into a new array, one thread.
            found = part.r2c(probe, (0,), True, 0, None, 1)
        except _OTHERWISE:
            found = None
        if found is not None and np.allclose(found, np.fft.rfft(probe, axis=0)):
            transform = part.r2c
            return lambda columns: np.asarray(transform(columns, (0,), True, 0, None, 1))
    import scipy.fft  # noqa: PLC0415 (what this module is there to avoid)

    return lambda columns: np.asarray(scipy.fft.rfft(columns, axis=0))


@cache
def _product() -> Callable[..., Any]:
    part = _load("sparse", "_sparsetools")
    if part is not None:
        found = np.zeros(2)
        ends, columns = np.array([0, 2], np.int32), np.array([0, 1], np.int32)
        try:
            part.csr_matvecs(1, 2, 2, ends, columns, np.array([2.0, 3.0]), np.arange(4.0), found)
        except _OTHERWISE:
            found = np.zeros(2)
        if found.tolist() == [6.0, 11.0]:
            product: Callable[..., Any] = part.csr_matvecs
            return product
    from scipy.sparse import csr_matrix  # noqa: PLC0415 (what this module is there to avoid)

    def multiply(rows: int, width: int, count: int, *arrays: NDArray[Any]) -> None:
        ends, columns, values, dense, into = arrays
        matrix = csr_matrix((values, columns, ends), shape=(rows, width))
        into[:] = (matrix @ dense.reshape(width, count)).reshape(-1)

    return multiply


def _load(*names: str) -> Any:
    """Load a compiled module of SciPy by itself; None where there is none of that name."""
    *folders, name = names
    scipy = PathFinder.find_spec("scipy")
    places = [
        "/".join([place, *folders])
        for place in (scipy.submodule_search_locations or () if scipy else ())
    ]
    spec = PathFinder.find_spec(name, places)
    if spec is None or spec.loader is None:
        return None
    try:
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    except ImportError:
        return None
    return module


_OTHERWISE = (AttributeError, TypeError, ValueError, RuntimeError)
"""What a function that is not there, or takes other arguments, is known by."""

"""A table on disk of which only the rows that are asked for are read."""

import os
from pathlib import Path

import numpy as np

from edge.contracts import FloatArray
from edge.model.private_copy import PrivateCopy
from edge.stsg.codebook import TokenArray


class RowTable:
    """The rows of a `.npy` file, read when they are asked for; the file may change afterwards.

    A mapping would do the same, but the kernel maps the neighbours of each page that is touched,
    and so in time all of a table of 67 MB.

    Args:
        path: A float32 table [shape=(rows, size)] in C order.

    Raises:
        OSError: It cannot be read.
        ValueError: It holds something else, or less than its header says.
    """

    def __init__(self, path: Path) -> None:
        with PrivateCopy(path) as copy:
            self._file = copy.path.open("rb", buffering=0)
        try:
            self.shape = self._read_header()
        except BaseException:
            self._file.close()
            raise

    def __getitem__(self, rows: TokenArray) -> FloatArray:
        """Read rows [shape=(n,)]; return float32 [shape=(n, size)].

        Raises:
            IndexError: There is no such row.
        """
        distinct, place = np.unique(rows, return_inverse=True)
        if len(distinct) and not 0 <= distinct[0] <= distinct[-1] < self.shape[0]:
            raise IndexError(f"rows {distinct[0]} to {distinct[-1]} of {self.shape[0]}")
        file, length, start = self._file.fileno(), 4 * self.shape[1], self._start
        content = b"".join(
            [os.pread(file, length, start + length * row) for row in distinct.tolist()]
        )
        found: FloatArray = np.frombuffer(content, dtype="<f4").reshape(-1, self.shape[1])
        return found[place]

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _read_header(self) -> tuple[int, int]:
        version = np.lib.format.read_magic(self._file)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, in_columns, dtype = read(self._file)
        self._start = self._file.tell()
        if len(shape) != 2 or in_columns or dtype != np.dtype("<f4"):
            order = " in columns" if in_columns else ""
            raise ValueError(f"holds {dtype} {shape}{order}")
        rows, size = shape
        least = self._start + 4 * rows * size
        length = os.fstat(self._file.fileno()).st_size
        if length < least:
            raise ValueError(f"holds {length} bytes, not {least}")
        return rows, size

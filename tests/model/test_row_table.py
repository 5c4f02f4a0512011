"""The rows of a table on disk."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.model.row_table import RowTable

ROWS, SIZE = 2000, 600


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table large enough to be copied to a disk, and its file."""
    path = tmp_path_factory.mktemp("table") / "vectors.npy"
    values = np.random.default_rng(5).standard_normal((ROWS, SIZE)).astype(np.float32)
    np.save(path, values)
    return path, values


@given(st.lists(st.integers(0, ROWS - 1), max_size=60))
def test_rows_are_those_of_the_array(table, rows):
    """Any rows, in any order and any number of times, as the array itself gives them."""
    path, values = table
    tokens = np.array(rows, dtype=np.int32)
    opened = RowTable(path)
    assert opened.shape == values.shape
    np.testing.assert_array_equal(values[tokens], opened[tokens])
    opened.close()


def test_the_file_may_change(table, tmp_path):
    """It goes on with what was there when it was opened."""
    path, values = table
    other = tmp_path / "other.npy"
    other.write_bytes(path.read_bytes())
    opened = RowTable(other)
    os.truncate(other, 100)
    np.testing.assert_array_equal(values[[1999]], opened[np.array([1999])])
    opened.close()


def test_rows_are_not_mapped(table):
    """Reading every row leaves no memory taken by the file."""
    path, values = table
    opened = RowTable(path)
    before = resident_bytes()
    for first in range(0, ROWS, 40):
        opened[np.arange(first, first + 40)]
    assert resident_bytes() - before < values.nbytes / 4
    opened.close()


def resident_bytes():
    """What of this process is in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_a_row_that_is_not_there(table):
    """It is no zero and no other row."""
    opened = RowTable(table[0])
    for rows in ([ROWS], [-1, 3]):
        with pytest.raises(IndexError, match=f"of {ROWS}"):
            opened[np.array(rows)]
    opened.close()


@pytest.mark.parametrize(
    ("values", "what"),
    [
        (np.zeros((3, 4)), "float64"),
        (np.zeros(4, np.float32), r"\(4,\)"),
        (np.asfortranarray(np.ones((3, 4), np.float32)), "in columns"),
        (np.array([{}, []], dtype=object), "object"),
    ],
)
def test_another_table(tmp_path, values, what):
    """What is no float32 table, row by row, is refused by what it is; nothing is unpickled."""
    path = tmp_path / "vectors.npy"
    np.save(path, values, allow_pickle=True)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(ValueError, match=what):
        RowTable(path)
    assert len(os.listdir("/proc/self/fd")) == len(before)


@pytest.mark.parametrize("length", [0, 7, 90, 1000])
def test_a_table_cut_short(tmp_path, length):
    """A file that holds less than it says is refused."""
    path = tmp_path / "vectors.npy"
    np.save(path, np.ones((300, 8), np.float32))
    os.truncate(path, length)
    with pytest.raises(ValueError, match=r"EOF|holds"):
        RowTable(path)

import numpy as np
import pytest

from edge.batch.numbers import CELL_BYTES, format_cells


def parse(values: np.ndarray) -> np.ndarray:
    cells = format_cells(values)
    assert (len(values), values.shape[1] * CELL_BYTES) == cells.shape
    lines = [row.tobytes().decode().split(",")[1:] for row in cells]
    return np.array([[float(cell) for cell in line] for line in lines])


def test_numbers_come_back_to_a_part_in_a_million():
    """Any float32 in (0, 1], down to the smallest, is read back to 1e-6 of itself."""
    rng = np.random.default_rng(5)
    values = np.exp(rng.uniform(np.log(1.5e-45), 0, (40, 2500))).astype(np.float32)
    np.testing.assert_allclose(parse(values), values.astype(np.float64), rtol=1e-6, atol=0)


def test_ranking_is_kept():
    """A larger score never reads smaller, also where the notation changes."""
    edges = [10.0**-n for n in range(45)] + [2.0**-n for n in range(149)]
    around = np.array(edges, dtype=np.float32)
    values = np.sort(np.concatenate([around, np.nextafter(around, 0), np.nextafter(around, 1)]))
    assert (np.diff(parse(values[np.newaxis])[0]) >= 0).all()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, ",0.0000000000"),
        (1.0, ",1.0000000000"),
        (0.25, ",0.2500000000"),
        (np.float32(1e-4), ",1.000000e-04"),
        (1.234567e-5, ",1.234567e-05"),
        (9.9999999e-6, ",1.000000e-05"),
        (1e-45, ",1.401298e-45"),
        (2.0, ",1.0000000000"),
        (-1.0, ",0.0000000000"),
        (np.nan, ",0.0000000000"),
    ],
)
def test_number_reads_as_expected(value, text):
    """Fixed point from 1e-4 up, powers of ten below; nothing leaves [0, 1]."""
    assert text == format_cells(np.array([[value]], dtype=np.float32)).tobytes().decode()


def test_nothing_is_nothing():
    """No rows or no columns give no text."""
    assert format_cells(np.empty((0, 3), dtype=np.float32)).size == 0
    assert format_cells(np.empty((3, 0), dtype=np.float32)).size == 0

"""From the rows of a window to one vector."""

import numpy as np
import pytest

from edge.stsg.pooling import Part, Rows, Statistic, pool
from edge.stsg.vectors import WindowVector

ROWS = np.random.default_rng(3).standard_normal((40, 7)).astype(np.float32)


def test_statistics_are_those_of_numpy():
    """Each is what its name says, to float32, and they follow one another in the order asked."""
    wide = ROWS.astype(np.float64)
    expected = {
        Statistic.MEAN: wide.mean(axis=0),
        Statistic.DEVIATION: wide.std(axis=0),
        Statistic.MAXIMUM: wide.max(axis=0),
        Statistic.MINIMUM: wide.min(axis=0),
        Statistic.STEP: np.abs(np.diff(wide, axis=0)).mean(axis=0),
    }
    for order in ([*Statistic], [*Statistic][::-1]):
        actual = pool(ROWS, order)
        assert actual.dtype == np.float32
        np.testing.assert_allclose(
            actual, np.concatenate([expected[one] for one in order]), rtol=1e-5, atol=1e-6
        )


def test_a_constant_has_no_deviation():
    """Not even by rounding, and no step."""
    rows = np.full((40, 3), 1e3 / 3, dtype=np.float32)
    assert pool(rows, [Statistic.DEVIATION, Statistic.STEP]).tolist() == [0.0] * 6


def test_parts_follow_one_another():
    """Vectors are looked up by token; other rows are pooled as they are."""
    table = np.random.default_rng(4).standard_normal((20, 5)).astype(np.float32)
    tokens = np.random.default_rng(5).integers(0, 20, 40).astype(np.int32)
    window = WindowVector(
        [
            Part(Rows.VECTORS, (Statistic.MEAN, Statistic.MAXIMUM)),
            Part(Rows.POINTS, (Statistic.STEP,)),
        ],
        table,
    )
    assert window.needs == {Rows.TOKENS, Rows.POINTS}
    assert window.size({Rows.VECTORS: 5, Rows.POINTS: 7, Rows.FEATURES: 64}) == 17
    expected = np.concatenate(
        [pool(table[tokens], [Statistic.MEAN, Statistic.MAXIMUM]), pool(ROWS, [Statistic.STEP])]
    )
    assert np.array_equal(expected, window({Rows.TOKENS: tokens, Rows.POINTS: ROWS}))


def test_several_tokens_are_looked_up_side_by_side():
    """A frame's rows stand one after the other, and are pooled as one."""
    table = np.random.default_rng(4).standard_normal((20, 5)).astype(np.float32)
    tokens = np.random.default_rng(5).integers(0, 20, (40, 3)).astype(np.int32)
    parts = [Part(Rows.VECTORS, (Statistic.MEAN, Statistic.STEP))]
    side_by_side = np.concatenate([table[tokens[:, book]] for book in range(3)], axis=1)
    expected = pool(side_by_side, [Statistic.MEAN, Statistic.STEP])
    assert np.array_equal(expected, WindowVector(parts, table)({Rows.TOKENS: tokens}))


def test_what_cannot_be_pooled():
    """Vectors without a table, tokens themselves, and nothing at all."""
    for parts in ([Part(Rows.VECTORS, (Statistic.MEAN,))], []):
        with pytest.raises(ValueError, match=r"pooled|table"):
            WindowVector(parts, None)
    with pytest.raises(ValueError, match="nothing else"):
        WindowVector([Part(Rows.TOKENS, (Statistic.MEAN,))], None)

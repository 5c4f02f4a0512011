"""Tensors become vectors."""

import numpy as np
import pytest

from edge.windows.tensor_pool import TensorPool, channel_axis, pool_tensor


def test_each_pool_keeps_its_channels():
    """The mean leaves the last axis, or the second; without a pool all values stay."""
    values = np.random.default_rng(1).normal(size=(1, 5, 7, 3)).astype(np.float32)
    expected = {
        TensorPool.MEAN: values.mean(axis=(0, 1, 2)),
        TensorPool.MEAN_CHANNELS_FIRST: values.mean(axis=(0, 2, 3)),
        None: values.ravel(),
    }
    for pool, vector in expected.items():
        found = pool_tensor(values, pool)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, vector, atol=1e-6)


@pytest.mark.parametrize(
    ("pool", "rank"), [(TensorPool.MEAN, 1), (TensorPool.MEAN_CHANNELS_FIRST, 2)]
)
def test_too_few_axes(pool, rank):
    """A vector has nothing to be pooled over."""
    with pytest.raises(ValueError, match=f"has {rank} axes"):
        channel_axis(pool, rank=rank)


def test_a_mean_keeps_its_digits():
    """A small step on a large offset survives a mean over a million rows."""
    values = np.full((1_000_000, 1), 1000.0, dtype=np.float32)
    values[::2] += 0.5
    assert pool_tensor(values, TensorPool.MEAN).tolist() == [1000.25]

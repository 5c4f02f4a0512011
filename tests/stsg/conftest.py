"""Codebooks to try the tokenizer with."""

import numpy as np
import pytest

from edge.stsg.codebook import Codebook
from edge.stsg.features import FeatureExtractor
from edge.stsg.spec import FeatureSpec, Normalisation
from edge.stsg.tokenizer import Tokenizer


def make_codebook(features, *, tokens, dims, seed):
    """Fit a PCA and take rows of it, slightly moved, as centroids; every fifth one is doubled."""
    rng = np.random.default_rng(seed)
    mean = features.mean(axis=0)
    _, _, axes = np.linalg.svd(features - mean, full_matrices=False)
    projection = axes[:dims].astype(np.float32)
    bias = (-projection @ mean).astype(np.float32)
    rows = features[rng.integers(0, len(features), tokens)] @ projection.T + bias
    centroids = (rows + 0.05 * rows.std() * rng.standard_normal(rows.shape)).astype(np.float32)
    centroids[4::5] = centroids[: len(centroids[4::5])]
    return Codebook(projection, bias, centroids)


@pytest.fixture(scope="session", params=list(Normalisation))
def tokenizer(request):
    """A tokenizer over 600 centroids of which many are equal, near every awkward signal."""
    from signals import awkward_signals

    from edge.dsp.framing import Framer

    extractor = FeatureExtractor(FeatureSpec(normalisation=request.param))
    frames = [Framer(frame_size=8_000, hop=4_000).push(s) for s in awkward_signals().values()]
    features, _ = extractor.quick(np.concatenate(frames))
    return Tokenizer(extractor, make_codebook(features, tokens=600, dims=64, seed=1))

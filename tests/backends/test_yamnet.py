"""YAMNet hears what the recordings of ESC-10 hold."""

import numpy as np
import pytest

from edge.contracts import Prediction
from edge.load import find_model, load_model
from edge.pipeline import score
from edge.sources.file import AudioFile


@pytest.fixture(scope="module")
def yamnet(data_dir):
    return load_model(find_model("yamnet"), external=[data_dir / "models"])


def hear(yamnet, path, **options):
    """The frames of a recording that were scored."""
    with AudioFile(path) as audio:
        return [o for o in score(audio, yamnet, **options) if isinstance(o, Prediction)]


@pytest.mark.parametrize(
    ("folder", "label"),
    [("dog", "Dog"), ("rooster", "Chicken, rooster"), ("chainsaw", "Chainsaw"), ("rain", "Rain")],
)
def test_the_class_of_a_recording_scores_high(yamnet, data_dir, folder, label):
    """Over ten recordings of a class, its label is heard far more than over the other classes."""
    at = yamnet.info.labels.index(label)
    means = {}
    for name in ("dog", "rooster", "chainsaw", "rain"):
        scores = []
        for path in sorted((data_dir / "esc10" / name).glob("*.ogg"))[:10]:
            scores += [o.scores[at] for o in hear(yamnet, path)]
        means[name] = float(np.mean(scores))
    assert folder == max(means, key=means.get)
    assert means[folder] > 0.2


def test_a_frame_has_an_embedding(yamnet, data_dir):
    """The mean of its clips' embeddings: 1 024 values."""
    path = sorted((data_dir / "esc10" / "dog").glob("*.ogg"))[0]
    (frame,) = hear(yamnet, path, keep_embeddings=True)
    assert frame.embedding.shape == (1024,)
    assert frame.scores.shape == (521,)

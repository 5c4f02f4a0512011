"""YAMNet's int8 form hears by edge's own front end what its waveform form hears."""

import msgspec
import numpy as np
import pytest

from edge.backends.tflite import TfliteGraph
from edge.contracts import AudioBlock, Prediction, WindowKind
from edge.load import find_model, load_model
from edge.model.folder import read_folder
from edge.model.front_end import FrontEnd, Log
from edge.pipeline import score
from edge.sources.file import AudioFile

CLIP = 15_600


@pytest.fixture(scope="module")
def files(data_dir):
    place = data_dir / "models" / "yamnet"
    if not (place / "yamnet_spectra_in_int8_coral.tflite").is_file():
        pytest.skip(f"YAMNet's int8 form is missing: {place} does not hold it")
    return place


@pytest.fixture(scope="module")
def yamnet(files):
    return load_model(find_model("yamnet-int8"), external=[files.parent])


@pytest.fixture(scope="module")
def given(files):
    """What the manifest says of its input."""
    return read_folder(find_model("yamnet-int8"), external=[files.parent]).manifest.input


@pytest.fixture(scope="module")
def speech(files):
    """The sound of the Coral team's test patch, within ±1 [shape=(CLIP,)]."""
    samples = np.fromfile(files / "coral_yamnet_test_audio.bin", dtype="<i2")
    assert len(samples) == CLIP
    return (samples / 32_768).astype(np.float32)


@pytest.fixture(scope="module")
def patch(files):
    """The Coral team's test patch [shape=(96, 64)]."""
    return np.fromfile(files / "coral_yamnet_test_spectra.bin", dtype="<f4").reshape(96, 64)


@pytest.fixture(scope="module")
def heard(yamnet, files, data_dir):
    """By class, the mean scores of ten recordings by this form and by the waveform form."""
    models = (yamnet, load_model(find_model("yamnet"), external=[files.parent]))
    found = {}
    for name in ("dog", "rooster", "chainsaw", "rain"):
        found[name] = []
        for path in sorted((data_dir / "esc10" / name).glob("*.ogg"))[:10]:
            means = []
            for model in models:
                with AudioFile(path) as audio:
                    frames = [o for o in score(audio, model) if isinstance(o, Prediction)]
                means.append(np.mean([o.scores for o in frames], axis=0))
            found[name].append(means)
    return found


def test_the_front_end_makes_the_test_patch_of_its_sound(given, speech, patch):
    """To 2e-5, where the patch was made as it was: of the loudest at 1, by ln(x + 0.01)."""
    spec = msgspec.structs.replace(given.front_end, compression=Log(offset=0.01))
    make = FrontEnd(spec, sample_rate_hz=given.sample_rate, samples=given.clip_samples)
    found = make(speech / np.abs(speech).max())
    np.testing.assert_allclose(found, patch, rtol=0, atol=2e-5)


def test_the_test_patch_is_speech(files, yamnet, patch):
    """The model file gives its own patch Speech at 0.94, and so it does through the backend."""
    graph = TfliteGraph(read_folder(find_model("yamnet-int8"), external=[files.parent]))
    scores, embedding = graph.run(patch, scores=True, embedding=True)
    graph.close()
    assert yamnet.info.labels[int(scores.argmax())] == "Speech"
    assert scores.max() == pytest.approx(0.94, abs=0.005)
    assert embedding.shape == (yamnet.info.embedding_size,) == (1024,)
    assert embedding.min() == 0.0


def test_the_sound_of_the_test_patch_is_speech(yamnet, speech):
    """Through the front end that the manifest describes, Speech is above 0.9, and alone there."""
    stream = yamnet.open(windows=WindowKind.NATIVE)
    (found,) = stream.push(AudioBlock("s", 0, 16_000, speech))
    assert yamnet.info.labels[int(found.scores.argmax())] == "Speech"
    assert found.scores.max() > 0.9
    assert np.sort(found.scores)[-2] < 0.1


@pytest.mark.parametrize(
    ("folder", "label"),
    [("dog", "Dog"), ("rooster", "Chicken, rooster"), ("chainsaw", "Chainsaw"), ("rain", "Rain")],
)
def test_the_class_of_a_recording_scores_high(heard, yamnet, folder, label):
    """Over ten recordings of a class, its label is heard far more than over the other classes."""
    at = yamnet.info.labels.index(label)
    means = {name: float(np.mean([ours[at] for ours, _ in heard[name]])) for name in heard}
    assert folder == max(means, key=means.get)
    assert means[folder] > 0.2


def test_recordings_score_nearly_as_by_the_waveform_form(heard):
    """Half of them correlate above 0.9 over the 521 classes.

    Two teams rounded the weights, so single scores differ.
    """
    pairs = [pair for found in heard.values() for pair in found]
    assert len(pairs) == 40
    assert np.median([np.corrcoef(pair)[0, 1] for pair in pairs]) > 0.9

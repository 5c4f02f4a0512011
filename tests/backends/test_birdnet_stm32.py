"""BirdNET-STM32 hears by its own front end what its makers' arithmetic makes of the same sound."""

import json
from pathlib import Path

import numpy as np
import pytest

from edge.contracts import AudioBlock, Prediction, WindowKind
from edge.load import find_model, load_model
from edge.model.folder import read_folder
from edge.model.front_end import FrontEnd
from edge.pipeline import score
from edge.sources.file import AudioFile
from edge_build.frames import stream_samples

CLIP = 66_150
CHICKADEE = "Poecile atricapillus_Black-capped Chickadee"


@pytest.fixture(scope="module")
def files(data_dir):
    place = data_dir / "models" / "birdnet-stm32"
    if not place.is_dir():
        pytest.skip(f"BirdNET-STM32 is missing: {place} is not there")
    return place


@pytest.fixture(scope="module")
def stm32(files):
    return load_model(find_model("birdnet-stm32"), external=[files.parent])


@pytest.fixture(scope="module")
def front_end(files):
    given = read_folder(find_model("birdnet-stm32"), external=[files.parent]).manifest.input
    return FrontEnd(given.front_end, sample_rate_hz=given.sample_rate, samples=given.clip_samples)


@pytest.fixture(scope="module")
def clips(data_dir):
    """Clips of a real soundscape at the model's rate [shape=(24, CLIP)]."""
    path = data_dir / "soundscapes" / "XC563936.mp3"
    samples = np.concatenate([*stream_samples(path, sample_rate_hz=22_050)])
    return samples[: len(samples) // CLIP * CLIP].reshape(-1, CLIP)


def theirs(clip):
    """The makers' spectrogram of a clip, by NumPy in float64 [shape=(257, 256)].

    Source: birdnet-stm32 v0.9, audio/spectrogram.py, for the hybrid front end.
    """
    padded = np.pad(clip.astype(np.float64), 256)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    frames = [padded[j * (CLIP // 256) :][:512] * window for j in range(256)]
    magnitudes = np.abs(np.fft.rfft(frames, axis=1)).T
    return (magnitudes - magnitudes.min()) / (magnitudes.max() - magnitudes.min() + 1e-10)


def by_itself(files, spectrogram):
    """What the model file makes of a spectrogram: scores and int8 embedding, without edge."""
    interpreter_module = pytest.importorskip("ai_edge_litert.interpreter")
    # Told to preserve tensors, it warns of the memory.
    with pytest.warns(UserWarning, match="preserve_all_tensors"):
        interpreter = interpreter_module.Interpreter(
            str(files / "birdnet_stm32n6_100.tflite"),
            num_threads=1,
            experimental_preserve_all_tensors=True,
        )
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    interpreter.set_tensor(given["index"], spectrogram[np.newaxis, ..., np.newaxis])
    interpreter.invoke()
    (scores,) = interpreter.get_output_details()
    (embedding,) = (
        detail
        for detail in interpreter.get_tensor_details()
        if detail["name"] == "dscnn_audio_1/gap_1/Mean"
    )
    return interpreter.get_tensor(scores["index"])[0], interpreter.get_tensor(embedding["index"])[0]


def test_the_manifest_says_what_the_model_s_own_configuration_says(files):
    """Rate, clip, FFT, hop, width and classes are those of the file beside the model."""
    folder = read_folder(find_model("birdnet-stm32"), external=[files.parent])
    (path,) = Path(files).glob("*_model_config.json")
    said = json.loads(path.read_text(encoding="utf-8"))
    given = folder.manifest.input
    expected = (
        said["sample_rate"],
        said["chunk_duration"],
        said["fft_length"],
        said["hop_length"],
        said["spec_width"],
    )
    front_end = given.front_end
    assert expected == (
        given.sample_rate,
        given.clip_seconds,
        front_end.frame_size,
        front_end.hop,
        front_end.frames,
    )
    assert tuple(said["class_names"]) == folder.labels


def test_the_spectrogram_is_the_makers(front_end, clips):
    """On each clip of a real soundscape, every value is theirs to 1e-5."""
    for clip in clips:
        np.testing.assert_allclose(front_end(clip), theirs(clip), rtol=0, atol=1e-5)


def test_scores_and_embeddings_are_the_file_s_own(files, stm32, clips):
    """Given the makers' spectrogram directly, the model file says the same of each clip.

    int8 activations turn a last bit of the spectrogram into a step of one score or another.
    """
    stream = stm32.open(windows=WindowKind.NATIVE, keep_embeddings=True)
    found = stream.push(AudioBlock("s", 0, 22_050, clips[:4].ravel()))
    for clip, outcome in zip(clips, found, strict=False):
        scores, integers = by_itself(files, theirs(clip).astype(np.float32))
        np.testing.assert_allclose(outcome.scores, scores, rtol=0, atol=0.02)
        expected = (integers.astype(np.float64) + 128) * 0.015869246795773506
        np.testing.assert_allclose(outcome.embedding, expected, rtol=0, atol=0.04)
        assert outcome.embedding.shape == (stm32.info.embedding_size,) == (256,)


def test_the_chickadee_is_found(stm32, data_dir):
    """The species of a real soundscape is at 0.9 or more, above all others."""
    with AudioFile(data_dir / "soundscapes" / "XC563936.mp3") as audio:
        found = list(score(audio, stm32, windows=WindowKind.NATIVE))
    best = np.max([o.scores for o in found if isinstance(o, Prediction)], axis=0)
    assert stm32.info.labels[int(best.argmax())] == CHICKADEE
    assert best.max() >= 0.9


def test_a_file_without_end_scores_as_in_pieces(stm32, clips):
    """Scores do not depend on how the samples come."""
    whole = stm32.open().push(AudioBlock("s", 0, 22_050, clips[:8].ravel()))
    stream, pieces = stm32.open(), []
    for start in range(0, 8 * CLIP, 7_001):
        part = clips[:8].ravel()[start : start + 7_001]
        pieces += stream.push(AudioBlock("s", start, 22_050, part))
    assert [o.scores.tobytes() for o in whole] == [o.scores.tobytes() for o in pieces]

"""Models that take a spectrogram: what the manifest describes is what the graph gets."""

import numpy as np
import pytest
from tiny_clip import change, renew_golden, reseal
from tiny_spectrogram import (
    BANDS,
    CLIP,
    FRAMES,
    FRONT_END,
    RATE_HZ,
    SCALE,
    expected_spectrogram,
    write_spectrogram_folder,
    write_spectrogram_onnx,
    write_spectrogram_tflite,
)
from tiny_stsg import write_tiny_stsg

from edge.contracts import AudioBlock, WindowKind
from edge.errors import ModelError
from edge.load import load_model
from edge.model.folder import read_folder
from edge_build.probe.run import open_tensors

SAMPLES = np.random.default_rng(4).normal(0, 0.1, 3 * CLIP).astype(np.float32)


def score(folder, samples=SAMPLES, **options):
    """The scores of each clip, as spectrograms [shape=(n, BANDS, FRAMES)]."""
    stream = load_model(folder).open(windows=WindowKind.NATIVE, **options)
    found = [*stream.push(AudioBlock("s", 0, RATE_HZ, samples)), *stream.finish()]
    return np.array([outcome.scores for outcome in found]).reshape(-1, BANDS, FRAMES)


@pytest.mark.parametrize(
    ("backend", "shape"),
    [
        ("tflite", [1, BANDS, FRAMES, 1]),
        ("tflite", [1, BANDS, FRAMES]),
        ("tflite", [BANDS, FRAMES]),
        ("tflite", [-1, BANDS, -1, 1]),
        ("onnx", [1, 1, BANDS, FRAMES]),
        ("onnx", ["batch", 1, BANDS, FRAMES]),
        ("onnx", ["batch", 1, "bands", "frames"]),
        ("onnx", [BANDS, FRAMES]),
    ],
)
def test_the_graph_gets_the_spectrogram(tmp_path, backend, shape):
    """Wherever its axes of 1 are and whatever it leaves open, its values are NumPy's."""
    if backend == "onnx":
        pytest.importorskip("onnx", reason="the extra `build` brings onnx")
    write_spectrogram_folder(tmp_path / "tiny", shape, backend=backend)
    expected = [expected_spectrogram(clip) for clip in SAMPLES.reshape(3, CLIP)]
    np.testing.assert_allclose(score(tmp_path / "tiny"), expected, rtol=0, atol=1e-6)


def test_int8_in_and_out_go_by_the_tensors_own_scales(tmp_path):
    """Scores of an int8 graph are whole steps of its scale, none off by more than half a step."""
    write_spectrogram_folder(tmp_path / "tiny", [1, BANDS, FRAMES, 1], quantised=True)
    found = score(tmp_path / "tiny")
    expected = [expected_spectrogram(clip) for clip in SAMPLES.reshape(3, CLIP)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.5001 * SCALE)
    np.testing.assert_allclose(found / SCALE, np.rint(found / SCALE), rtol=0, atol=1e-4)


def test_a_value_beyond_the_scale_becomes_its_end(tmp_path):
    """What int8 cannot hold is not wrapped around."""
    write_spectrogram_folder(tmp_path / "tiny", [1, BANDS, FRAMES, 1], quantised=True)
    fixed = {"kind": "fixed", "mean": 0.5, "deviation": 0.05}
    change(tmp_path / "tiny", {"input.front_end.normalisation": fixed})
    renew_golden(tmp_path / "tiny")
    loud = score(tmp_path / "tiny", SAMPLES * 4)
    assert loud.max() == 1.0
    assert loud.min() == 0.0
    assert np.array_equal(loud[0], score(tmp_path / "tiny", SAMPLES * 4)[0])


def test_int8_embeddings_are_decoded(tmp_path):
    """An embedding that is a quantised tensor holds what its integers stand for."""
    write_spectrogram_folder(tmp_path / "tiny", [1, BANDS, FRAMES, 1], quantised=True)
    change(tmp_path / "tiny", {"output.embedding": "scores"})
    stream = load_model(tmp_path / "tiny").open(windows=WindowKind.NATIVE, keep_embeddings=True)
    (found,) = stream.push(AudioBlock("s", 0, RATE_HZ, SAMPLES[:CLIP]))
    assert found.embedding.tolist() == found.scores.tolist()


def test_an_int8_embedding_can_be_pooled(tmp_path):
    """`pool` takes the mean of what the integers stand for."""
    write_spectrogram_folder(tmp_path / "tiny", [1, BANDS, FRAMES, 1], quantised=True)
    change(tmp_path / "tiny", {"output.embedding": "spectrogram", "output.pool": "mean"})
    stream = load_model(tmp_path / "tiny").open(windows=WindowKind.NATIVE, keep_embeddings=True)
    (found,) = stream.push(AudioBlock("s", 0, RATE_HZ, SAMPLES[:CLIP]))
    np.testing.assert_allclose(found.embedding, [found.scores.mean()], atol=1e-6)


def test_the_layout_turns_the_spectrogram(tmp_path):
    """`frames_bands` gives the graph each frame's bands after one another."""
    write_spectrogram_folder(tmp_path / "tiny", [1, FRAMES, BANDS])
    change(tmp_path / "tiny", {"input.front_end.layout": "frames_bands"})
    renew_golden(tmp_path / "tiny")
    stream = load_model(tmp_path / "tiny").open(windows=WindowKind.NATIVE)
    (found,) = stream.push(AudioBlock("s", 0, RATE_HZ, SAMPLES[:CLIP]))
    expected = expected_spectrogram(SAMPLES[:CLIP]).T.ravel()
    np.testing.assert_allclose(found.scores, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("backend", ["tflite", "onnx"])
@pytest.mark.parametrize(
    "shape", [[1, BANDS, FRAMES + 1, 1], [1, FRAMES, BANDS, 1], [1, BANDS * FRAMES], [2, BANDS, 5]]
)
def test_a_spectrogram_of_another_shape_is_refused(tmp_path, backend, shape):
    """What the front end makes and what the model takes are both told."""
    if backend == "onnx":
        pytest.importorskip("onnx", reason="the extra `build` brings onnx")
    write_spectrogram_folder(tmp_path / "tiny", shape, backend=backend)
    takes = ", ".join(map(str, shape))
    with pytest.raises(ModelError) as caught:
        load_model(tmp_path / "tiny")
    assert "input.front_end: makes [9, 5] of a clip" in caught.value.what
    assert f"'spectrogram' takes [{takes}]" in caught.value.what
    assert "its bands, its frames" in caught.value.remedy


@pytest.mark.parametrize("backend", ["tflite", "onnx"])
def test_a_spectrogram_model_without_a_front_end_is_refused(tmp_path, backend):
    """The remedy names the key that is missing."""
    if backend == "onnx":
        pytest.importorskip("onnx", reason="the extra `build` brings onnx")
    write_spectrogram_folder(tmp_path / "tiny", [1, BANDS, FRAMES, 1], backend=backend)
    change(tmp_path / "tiny", {"input.front_end": None})
    with pytest.raises(ModelError, match=r"no waveform \[n\] or \[1, n\]") as caught:
        load_model(tmp_path / "tiny")
    assert "input.front_end" in caught.value.remedy


def test_an_input_of_other_numbers_is_refused(tmp_path):
    """Integers without a scale stand for nothing that edge knows."""
    pytest.importorskip("onnx", reason="the extra `build` brings onnx")
    write_spectrogram_folder(tmp_path / "tiny", [1, BANDS, FRAMES])
    write_spectrogram_tflite(tmp_path / "tiny" / "model.tflite", [1, BANDS, FRAMES], kind="INT32")
    reseal(tmp_path / "tiny")
    with pytest.raises(ModelError, match="int32, neither float32 nor integers with a scale"):
        load_model(tmp_path / "tiny")
    write_spectrogram_folder(tmp_path / "other", [1, BANDS, FRAMES], backend="onnx")
    write_spectrogram_onnx(tmp_path / "other" / "model.onnx", [1, BANDS, FRAMES], kind="DOUBLE")
    reseal(tmp_path / "other")
    with pytest.raises(ModelError, match=r"tensor\(double\), not float32"):
        load_model(tmp_path / "other")


def test_silence_is_scored(tmp_path):
    """A clip of zeros alone has a spectrogram of zeros."""
    write_spectrogram_folder(tmp_path / "tiny", [1, BANDS, FRAMES, 1])
    assert not score(tmp_path / "tiny", np.zeros(CLIP, dtype=np.float32)).any()


@pytest.mark.parametrize(
    ("backend", "quantised"), [("tflite", False), ("tflite", True), ("onnx", False)]
)
def test_the_probe_reads_a_spectrogram_model(tmp_path, backend, quantised):
    """Its tensors are those that the front end's spectrogram leads to."""
    options = {"quantised": True} if quantised else {}
    if backend == "onnx":
        pytest.importorskip("onnx", reason="the extra `build` brings onnx")
    write_spectrogram_folder(tmp_path / "tiny", [1, BANDS, FRAMES], backend=backend, **options)
    folder = read_folder(tmp_path / "tiny")
    tensors = open_tensors(folder)
    assert [(tensor.name, tensor.obstacle) for tensor in tensors.found] == [("scores", "")]
    spectrogram = expected_spectrogram(SAMPLES[:CLIP]).astype(np.float32)
    (values,) = tensors.run(spectrogram)
    np.testing.assert_allclose(
        np.ravel(values), spectrogram.ravel(), rtol=0, atol=0.5001 * SCALE if quantised else 1e-7
    )


BROKEN = {
    "unknown kind": ({"kind": "mfcc"}, "kind: Invalid value 'mfcc'", "linear_stft, log_mel, pcen"),
    "no kind": ({"kind": None}, "kind: is missing", "linear_stft, log_mel, pcen"),
    "key of another kind": ({"bands": 64}, "bands: unknown key", "compression"),
    "no frame size": ({"frame_size": None}, "frame_size: is missing", "whole number"),
    "frame longer than clip": (
        {"frame_size": 2000, "edges": "inside"},
        "holds no frame",
        "shorter",
    ),
    "mirror too long": ({"frame_size": 2000, "edges": "mirror"}, "too short to mirror", "shorter"),
    "frame longer than fft": ({"fft_size": 8}, "fft_size: 8 is shorter", "at least frame_size"),
    "too many frames": ({"frames": 7}, "frames: a clip of 1000 samples has 6", "give fewer"),
    "hop of nothing": ({"hop": 0}, "hop: Expected `int` >= 1", "above 0"),
    "too much": ({"hop": 1, "fft_size": 1048576}, "hop: 1 makes 1001 frames", "part of frame_size"),
    "cubes": ({"power": 3}, "power: Invalid enum value 3", "1, 2"),
    "unknown layout": ({"layout": "nchw"}, "layout: Invalid enum value 'nchw'", "bands_frames"),
    "unknown edges": ({"edges": "wrap"}, "edges: Invalid enum value 'wrap'", "zeros"),
    "unknown normalisation": (
        {"normalisation": {"kind": "peak"}},
        "normalisation.kind: Invalid value 'peak'",
        "min_max, standard, fixed",
    ),
    "half a normalisation": (
        {"normalisation": {"kind": "fixed", "mean": 1.0}},
        "normalisation.deviation: is missing",
        "a number above 0",
    ),
    "no deviation": (
        {"normalisation": {"kind": "fixed", "mean": 1.0, "deviation": 0}},
        "normalisation.deviation: Expected",
        "above 0",
    ),
    "no number": (
        {"normalisation": {"kind": "fixed", "mean": float("nan"), "deviation": 1}},
        "normalisation.mean: `.nan` is no number",
        "a number",
    ),
    "offset of nothing": (
        {"compression": {"kind": "log", "offset": 0}},
        "compression.offset: Expected",
        "above 0",
    ),
}

BROKEN_MEL = {
    "no compression": (
        {"compression": None},
        "compression: is missing",
        "`kind: log` with its keys",
    ),
    "too high": ({"high_hz": 501}, "high_hz: 501 Hz is above half the sample rate", "upper edge"),
    "upside down": ({"low_hz": 400}, "low_hz: 400 Hz is not below high_hz", "lower edge"),
    "no bands": ({"bands": 0}, "bands: Expected `int` >= 1", "above 0"),
    "too many bands": ({"bands": 4097}, "bands: Expected `int` <= 4096", "at most 4096"),
    "unknown scale": ({"mel_scale": "bark"}, "mel_scale: Invalid enum value 'bark'", "htk"),
    "PCEN of a log": ({"gain": 0.5}, "gain: unknown key", "mel_norm"),
}


def refused(folder, front_end, changes):
    """The error of a front end with some keys set; None takes one out."""
    change(folder, {"input.front_end": front_end}, seal=False)
    change(folder, {f"input.front_end.{key}": value for key, value in changes.items()})
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    return caught.value


@pytest.mark.parametrize(("changes", "what", "remedy"), BROKEN.values(), ids=BROKEN)
def test_a_front_end_that_cannot_be_is_refused(tmp_path, changes, what, remedy):
    """The key is named, with what would be right."""
    write_spectrogram_folder(tmp_path / "tiny", [1, BANDS, FRAMES])
    error = refused(tmp_path / "tiny", FRONT_END, changes)
    assert "model.yaml:" in error.what
    assert "input.front_end." in error.what
    assert what in error.what
    assert remedy in error.remedy


@pytest.mark.parametrize(("changes", "what", "remedy"), BROKEN_MEL.values(), ids=BROKEN_MEL)
def test_mel_bands_that_cannot_be_are_refused(tmp_path, changes, what, remedy):
    """The key is named, with what would be right."""
    mel = {
        "kind": "log_mel",
        "frame_size": 16,
        "hop": 200,
        "bands": 9,
        "high_hz": 400,
        "compression": {"kind": "log", "offset": 0.001},
    }
    write_spectrogram_folder(tmp_path / "tiny", [1, BANDS, FRAMES])
    error = refused(tmp_path / "tiny", mel, changes)
    assert f"input.front_end.{what}" in error.what
    assert remedy in error.remedy


def test_an_stsg_model_has_no_front_end(tmp_path):
    """Its frames are described under `stsg`, and a key that nothing reads is refused."""
    write_tiny_stsg(tmp_path / "tiny")
    change(tmp_path / "tiny", {"input.front_end": FRONT_END})
    with pytest.raises(ModelError, match=r"input\.front_end: is not for backend stsg"):
        load_model(tmp_path / "tiny")


def test_a_front_end_that_is_a_word_is_refused(tmp_path):
    """The remedy says that it has a kind, and which there are."""
    write_spectrogram_folder(tmp_path / "tiny", [1, BANDS, FRAMES])
    change(tmp_path / "tiny", {"input.front_end": "linear_stft"})
    with pytest.raises(ModelError, match=r"input\.front_end: Expected `object") as caught:
        load_model(tmp_path / "tiny")
    assert "`kind: linear_stft` with its keys" in caught.value.remedy

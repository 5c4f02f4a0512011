"""TFLite models of fixed clips: what the graph gives is what the stream says."""

import numpy as np
import pytest
from tiny_clip import (
    CLIP,
    LABELS,
    RATE_HZ,
    change,
    reseal,
    tiny_net,
    write_head,
    write_tflite,
    write_tiny_clip,
)

from edge.contracts import AudioBlock, WindowKind
from edge.errors import ModelError
from edge.load import load_model, open_model
from edge.model.folder import read_folder


def sound(*, seconds, seed=3):
    """Noise [shape=(seconds * RATE_HZ,)]."""
    return np.random.default_rng(seed).normal(0, 0.1, seconds * RATE_HZ).astype(np.float32)


def score(model, samples, **options):
    """All predictions of a stream that holds `samples`."""
    stream = model.open(**options)
    return [
        *stream.push(AudioBlock("s", 0, RATE_HZ, samples)),
        *stream.finish(),
    ]


def sigmoid(raw):
    return 1 / (1 + np.exp(-raw))


@pytest.fixture
def folder(tmp_path):
    write_tiny_clip(tmp_path / "tiny")
    return tmp_path / "tiny"


def test_native_clips_equal_the_net(folder):
    """Each clip's scores are the sigmoid of what NumPy makes of the same weights."""
    net, samples = tiny_net(), sound(seconds=9)
    found = score(load_model(folder), samples, windows=WindowKind.NATIVE)
    expected = [sigmoid(net.raw(clip)) for clip in samples.reshape(3, CLIP)]
    np.testing.assert_allclose([p.scores for p in found], expected, atol=1e-5)


def test_embeddings_equal_the_inner_tensor_and_leave_scores_as_they_are(folder):
    """An inner tensor is made an output on demand, and the scores keep their bits."""
    model, net, samples = load_model(folder), tiny_net(), sound(seconds=9)
    plain = score(model, samples, windows=WindowKind.NATIVE)
    full = score(model, samples, windows=WindowKind.NATIVE, keep_embeddings=True)
    expected = [net.embed(clip) for clip in samples.reshape(3, CLIP)]
    np.testing.assert_allclose([p.embedding for p in full], expected, rtol=1e-5, atol=1e-4)
    assert [p.scores.tobytes() for p in plain] == [p.scores.tobytes() for p in full]
    assert [p.embedding for p in plain] == [None, None, None]


@pytest.mark.parametrize(("pool", "kept"), [("mean", 3), ("mean_channels_first", 1)])
def test_an_embedding_can_be_pooled(folder, pool, kept):
    """`pool` gives the mean over all axes but that of the channels; without, it is refused."""
    blocks = (1, 30, 25, 4)
    write_tflite(tiny_net(), folder / "model.tflite", blocks=blocks)
    change(folder, {"output.embedding": "blocks"})
    with pytest.raises(ModelError, match=r"float32 \[1, 30, 25, 4\].*\n.*output\.pool"):
        load_model(folder)
    change(folder, {"output.pool": pool})
    model, samples = load_model(folder), sound(seconds=9)
    found = score(model, samples, windows=WindowKind.NATIVE, keep_embeddings=True)
    others = tuple(axis for axis in range(4) if axis != kept)
    expected = [clip.reshape(blocks).mean(axis=others) for clip in samples.reshape(3, CLIP)]
    np.testing.assert_allclose([p.embedding for p in found], expected, atol=1e-6)
    assert model.info.embedding_size == blocks[kept]


def test_predictions_are_not_written_over(folder):
    """Scores and embeddings are copies, not the interpreter's own memory."""
    stream = load_model(folder).open(windows=WindowKind.NATIVE, keep_embeddings=True)
    (first,) = stream.push(AudioBlock("s", 0, RATE_HZ, sound(seconds=3)))
    scores, embedding = first.scores.copy(), first.embedding.copy()
    stream.push(AudioBlock("s", CLIP, RATE_HZ, sound(seconds=3, seed=9)))
    assert scores.tolist() == first.scores.tolist()
    assert embedding.tolist() == first.embedding.tolist()


def test_int16_scale_reaches_the_graph(folder):
    """`scale: int16` multiplies samples by 32768."""
    change(folder, {"input.scale": "int16"})
    samples = (sound(seconds=3) / 32768).astype(np.float32)
    (found,) = score(open_model(read_folder(folder)), samples, windows=WindowKind.NATIVE)
    np.testing.assert_allclose(found.scores, sigmoid(tiny_net().raw(samples * 32768)), atol=1e-5)


def test_a_head_scores_the_mean_embedding_of_a_frame(folder):
    """`mean_embedding` runs files.head on the mean of the frame's clips, once a frame."""
    weights = write_head(folder / "head.onnx")
    change(
        folder,
        {
            "files.head": {"path": "head.onnx"},
            "aggregate": "mean_embedding",
            "output.scores": None,
        },
    )
    samples, net = sound(seconds=15), tiny_net()
    found = score(open_model(read_folder(folder)), samples)
    clips = [net.embed(clip) for clip in samples.reshape(5, CLIP)]
    expected = [sigmoid(np.mean(held, axis=0) @ weights) for held in (clips[:2], [clips[2]])]
    np.testing.assert_allclose([p.scores for p in found[:2]], expected, atol=1e-5)
    assert [p.embedding for p in found] == [None, None, None]


def test_outputs_may_be_named_by_number(folder):
    """`scores: 0` is the graph's first output."""
    change(folder, {"output.scores": 0, "output.embedding": None})
    assert load_model(folder).info.embedding_size is None


def test_info_tells_labels_and_sizes(folder):
    """A loaded model says what it is."""
    info = load_model(folder).info
    assert (info.id, info.labels, info.embedding_size) == ("tiny@1", LABELS, 4)


def test_embeddings_that_no_tensor_holds_are_refused(folder):
    """Asking for embeddings of a model without is an error, not a row of nothing."""
    change(folder, {"output.embedding": None})
    with pytest.raises(ModelError, match=r"model.yaml: output.embedding: is not named"):
        load_model(folder).open(keep_embeddings=True)


BROKEN = {
    "wrong scores": ({"output.scores": "logitz"}, "output.scores: no tensors", "logits"),
    "scores out of range": ({"output.scores": 1}, "output.scores: 1 is not", "logits"),
    "negative number": ({"output.scores": -1}, "output.scores: -1 is not", "logits"),
    "wrong embedding": ({"output.embedding": "embeding"}, "output.embedding: no", "embedding"),
    "no scores": ({"output.scores": None}, "output.scores: is missing", "name the output"),
    "wrong input": ({"input.tensor": "sound"}, "input.tensor: 'sound'", "write wave"),
    "wrong clip": ({"input.clip_seconds": 2.0, "input.step_seconds": 2.0}, "takes 3000", "write 3"),
    "holes": ({"input.step_seconds": 4.0}, "input.step_seconds: ", "at most the clip"),
    "no head": ({"aggregate": "mean_embedding"}, "files.head: is missing", "name the file"),
    "no probabilities": ({"output.activation": "none"}, "output.activation: raw", "sigmoid"),
    "pooled too far": ({"output.pool": "mean_channels_first"}, "which has 2 axes", "leave the key"),
    "pools nothing": ({"output.embedding": None, "output.pool": "mean"}, "none is named", "leave"),
    "weights as scores": ({"output.embedding": "first"}, "is float32 [4, 3000]", "one row"),
}


@pytest.mark.parametrize(("changes", "what", "remedy"), BROKEN.values(), ids=BROKEN)
def test_what_does_not_fit_is_refused_with_key_and_remedy(folder, changes, what, remedy):
    """Each mistake in the manifest is named, with what would be right."""
    change(folder, changes)
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    assert str(folder / "model.yaml") in caught.value.what
    assert what in caught.value.what
    assert remedy in caught.value.remedy


def test_a_head_of_another_width_is_refused(folder):
    """The head must take the embedding and give the labels."""
    for size, labels, key in ((5, 5, "output.embedding: is 4 wide"), (4, 6, "files.labels: is 5")):
        write_head(folder / "head.onnx", size=size, labels=labels)
        change(folder, {"files.head": {"path": "head.onnx"}, "aggregate": "mean_embedding"})
        with pytest.raises(ModelError, match=key):
            load_model(folder)


def test_a_graph_of_two_inputs_is_refused(folder):
    """edge has sound alone to give."""
    write_tflite(tiny_net(), folder / "model.tflite", inputs=2)
    reseal(folder)
    with pytest.raises(ModelError, match=r"files\.model: model\.tflite wants 2 inputs"):
        load_model(folder)


@pytest.mark.parametrize("content", [b"not a model at all", b"\x1c\0\0\0TFL3" + bytes(64)])
def test_a_file_that_is_no_model_is_refused(folder, content):
    """A damaged graph is refused when it is loaded, even where its hash was written down."""
    (folder / "model.tflite").write_bytes(content)
    reseal(folder)
    with pytest.raises(ModelError, match=r"files\.model: model\.tflite cannot be run"):
        load_model(folder)

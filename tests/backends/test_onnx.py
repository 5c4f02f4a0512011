"""ONNX models of fixed clips."""

import numpy as np
import pytest
from tiny_clip import (
    CLIP,
    EMBEDDING,
    RATE_HZ,
    change,
    renew_golden,
    reseal,
    tiny_net,
    write_head,
    write_onnx,
    write_tiny_clip,
)

from edge.contracts import AudioBlock, WindowKind
from edge.errors import ModelError
from edge.load import load_model

SAMPLES = np.random.default_rng(3).normal(0, 0.1, 3 * CLIP).astype(np.float32)


def score(model, **options):
    """All predictions of a stream that holds SAMPLES."""
    stream = model.open(**options)
    return [*stream.push(AudioBlock("s", 0, RATE_HZ, SAMPLES)), *stream.finish()]


@pytest.fixture
def folder(tmp_path):
    pytest.importorskip("onnx", reason="the extra `build` brings onnx")
    write_tiny_clip(tmp_path / "tiny", backend="onnx")
    return tmp_path / "tiny"


@pytest.mark.parametrize("batch", [1, "batch"])
def test_native_clips_equal_the_net(folder, batch):
    """Scores and embeddings equal what NumPy makes of the same weights, one clip a run."""
    net = tiny_net()
    write_onnx(net, folder / "model.onnx", batch=batch, outputs=("logits", "embedding"))
    reseal(folder)
    found = score(load_model(folder), windows=WindowKind.NATIVE, keep_embeddings=True)
    clips = SAMPLES.reshape(3, CLIP)
    expected = [1 / (1 + np.exp(-net.raw(clip))) for clip in clips]
    np.testing.assert_allclose([p.scores for p in found], expected, atol=1e-5)
    embeddings = [net.embed(clip) for clip in clips]
    np.testing.assert_allclose([p.embedding for p in found], embeddings, rtol=1e-5, atol=1e-4)


def test_a_head_scores_the_mean_embedding(folder):
    """`mean_embedding` needs no scores of the graph's own."""
    weights = write_head(folder / "head.onnx")
    head = {"files.head": {"path": "head.onnx"}, "aggregate": "mean_embedding"}
    change(folder, {**head, "output.scores": None})
    clip = [tiny_net().embed(part) for part in SAMPLES.reshape(3, CLIP)]
    expected = 1 / (1 + np.exp(-(np.mean(clip[:2], axis=0) @ weights)))
    with pytest.raises(ModelError, match=r"golden\.scores: the model strays"):
        load_model(folder)
    renew_golden(folder)
    np.testing.assert_allclose(score(load_model(folder))[0].scores, expected, atol=1e-5)


def test_an_inner_tensor_can_be_the_embedding(folder):
    """A value between two nodes is the embedding by its name, and the scores keep their bits."""
    net, clips = tiny_net(), SAMPLES.reshape(3, CLIP)
    plain = score(load_model(folder), windows=WindowKind.NATIVE)
    change(folder, {"output.embedding": "sum"})
    model = load_model(folder)
    found = score(model, windows=WindowKind.NATIVE, keep_embeddings=True)
    expected = [net.first.astype(np.float64) @ clip + net.first_bias for clip in clips]
    np.testing.assert_allclose([p.embedding for p in found], expected, rtol=1e-5, atol=1e-4)
    assert [p.scores.tobytes() for p in plain] == [p.scores.tobytes() for p in found]
    assert model.info.embedding_size == EMBEDDING


@pytest.mark.parametrize(("pool", "kept"), [("mean", 3), ("mean_channels_first", 1)])
@pytest.mark.parametrize("batch", [1, "batch"])
def test_an_embedding_can_be_pooled(folder, pool, kept, batch):
    """`pool` gives the mean over all axes but that of the channels."""
    blocks = (1, 30, 25, 4)
    write_onnx(tiny_net(), folder / "model.onnx", blocks=blocks, batch=batch)
    change(folder, {"output.embedding": "blocks", "output.pool": pool})
    model = load_model(folder)
    found = score(model, windows=WindowKind.NATIVE, keep_embeddings=True)
    others = tuple(axis for axis in range(4) if axis != kept)
    expected = [clip.reshape(blocks).mean(axis=others) for clip in SAMPLES.reshape(3, CLIP)]
    np.testing.assert_allclose([p.embedding for p in found], expected, atol=1e-6)
    assert model.info.embedding_size == blocks[kept]


BROKEN = {
    "wrong scores": ({"output.scores": "logitz"}, "output.scores: 'logitz'", "logits, embedding"),
    "wrong embedding": ({"output.embedding": "embeding"}, "no value of", "such as embedding"),
    "weights as embedding": ({"output.embedding": "first"}, "no value of", "name a value"),
    "pooled in vain": ({"output.pool": "mean_channels_first"}, "output.pool: output", "leave"),
    "pools nothing": ({"output.embedding": None, "output.pool": "mean"}, "none is named", "leave"),
    "wrong input": ({"input.tensor": "sound"}, "input.tensor: 'sound'", "write wave"),
    "wrong clip": ({"input.clip_seconds": 3.5}, "takes 3000", "write 3"),
    "no scores": ({"output.scores": None}, "output.scores: is missing", "name the output"),
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


def test_a_file_that_is_no_model_is_refused(folder):
    """A damaged graph is refused, even where its hash was written down."""
    (folder / "model.onnx").write_bytes(b"not a model at all")
    reseal(folder)
    with pytest.raises(ModelError, match=r"files\.model: model\.onnx cannot be run"):
        load_model(folder)

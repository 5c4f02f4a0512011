import numpy as np
import pytest
from tiny_clip import change
from tiny_custom import LABELS, write_base, write_calls
from tiny_training import run_edge_build, shown_commands

from edge.errors import InputError, ModelError
from edge.load import load_model
from edge.model.folder import read_folder
from edge.model.head import OnnxHead
from edge.model.manifest import read_manifest
from edge.pipeline import score
from edge.sources.file import AudioFile
from edge_build.cache import Cache
from edge_build.custom.calibration import Calibration
from edge_build.custom.tensors import with_tensors

pytest.importorskip("torch", reason="torch trains attention heads")

from edge_build.custom.attention import (
    AttentionHead,
    attention_epochs,
    first_weights,
    pieces_of,
)
from edge_build.custom.graph import write_onnx
from edge_build.custom.train import train_custom


def _head(tokens, labels, seed=3):
    rng = np.random.default_rng(seed)
    weights = first_weights(tokens, labels, seed=seed)
    # What is zero or one before training must be seen to count.
    weights = {
        name: (part + rng.normal(0, 0.3, part.shape)).astype(np.float32)
        for name, part in weights.items()
    }
    size = sum(tokens)
    mean, scale = rng.normal(0, 1, size), rng.uniform(0.5, 2.0, size)
    return AttentionHead(mean.astype(np.float32), scale.astype(np.float32), tokens, weights)


@pytest.mark.parametrize("tokens", [(5,), (3, 7, 4)])
def test_the_exported_head_says_the_same(tokens, tmp_path):
    """Through ONNX, standardisation and calibration folded in, it gives torch's probabilities."""
    head = _head(tokens, 3)
    line = Calibration(np.linspace(0.5, 2.0, 3), np.linspace(-1.0, 1.0, 3))
    write_onnx(head, line, tmp_path / "head.onnx")
    exported = OnnxHead(tmp_path / "head.onnx")
    embeddings = np.random.default_rng(4).normal(0, 2, (9, sum(tokens))).astype(np.float32)
    expected = line.probabilities(head.logits(embeddings))
    found = np.stack([exported(row) for row in embeddings])
    np.testing.assert_allclose(expected, found, atol=1e-5)
    assert np.ptp(expected, axis=0).min() > 0.01
    first = (tmp_path / "head.onnx").read_bytes()
    write_onnx(head, line, tmp_path / "again.onnx")
    assert first == (tmp_path / "again.onnx").read_bytes()


def test_training_repeats_bit_for_bit():
    """The same seed gives the same weights, another one others."""
    rng = np.random.default_rng(5)
    points, truth = rng.normal(0, 1, (40, 8)).astype(np.float32), rng.random((40, 2)) < 0.4
    one, two, other = (
        next(attention_epochs(points, truth, (3, 5), seed=seed)) for seed in (1, 1, 2)
    )
    assert {name: part.tobytes() for name, part in one.items()} == {
        name: part.tobytes() for name, part in two.items()
    }
    assert one["last"].tobytes() != other["last"].tobytes()


def test_it_learns_what_lies_between_tokens():
    """A label that depends on two tokens together, and on neither alone, is learnt."""
    rng = np.random.default_rng(6)
    signs = rng.choice([-1.0, 1.0], (300, 2))
    points = np.repeat(signs, 4, axis=1) + rng.normal(0, 0.2, (300, 8))
    truth = (signs[:, :1] * signs[:, 1:]) > 0
    epochs = attention_epochs(points[:200].astype(np.float32), truth[:200], (4, 4), seed=1)
    weights = [next(epochs) for _ in range(15)][-1]
    head = AttentionHead(np.zeros(8, np.float32), np.ones(8, np.float32), (4, 4), weights)
    found = head.logits(points[200:].astype(np.float32)) > 0
    assert np.mean(found == truth[200:]) > 0.95


def test_pieces_cover_an_embedding():
    """Pieces are of 128 values, the last one of what is left."""
    assert pieces_of(300) == (128, 128, 44)
    assert pieces_of(128) == (128,)
    assert pieces_of(4) == (4,)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A model with an attention head on two tensors of the small clip model."""
    place = tmp_path_factory.mktemp("attention")
    data, base = write_calls(place / "calls", clips=3, seconds=6.0), write_base(place)
    done = run_edge_build(
        *("train", "--data", data, "--base", base, "--out", place / "site"),
        *("--head", "attention", "--tensors", "embedding", "logits"),
        cache=place / "cache",
    )
    assert done.returncode == 0, done.stderr
    return place


def test_two_tensors_are_heard_as_two_tokens(made):
    """The manifest names both, the runtime puts them together, and the model knows its labels."""
    manifest = read_manifest(made / "site")
    assert manifest.output.embedding == ("embedding", "logits")
    model = load_model(made / "site")
    assert model.info.embedding_size == 9
    hits = []
    for label in LABELS:
        with AudioFile(made / "calls" / label / "r00.wav") as file:
            (first, *_) = score(file, model)
        hits.append(model.info.labels[int(first.scores.argmax())])
    assert list(LABELS) == hits
    card = (made / "site" / "MODEL_CARD.md").read_text("utf-8")
    assert "one transformer block over a class token and 2 tokens of 4 + 5 values" in card


def test_the_card_s_command_names_head_and_tensors(made):
    """What it takes to make the model again is all there."""
    (command,) = shown_commands(made / "site" / "MODEL_CARD.md")
    expected = "--head attention --tensors embedding logits --pool mean"
    assert expected in " ".join(command)


def test_tensors_of_a_base_that_has_none_to_choose(made, tmp_path):
    """A base whose scores come from a head on its embedding keeps it; a tensor counts once."""
    with pytest.raises(InputError, match="come from a head on its own embedding"):
        with_tensors(read_folder(made / "site"), ["embedding"], None)
    with pytest.raises(InputError, match="named twice"):
        with_tensors(read_folder(made / "tiny-base"), ["embedding", "embedding"], None)


def test_an_unknown_tensor(made, tmp_path):
    """A tensor that the base has not is refused with those it has."""
    with pytest.raises(ModelError, match="'embeding'") as caught:
        train_custom(
            str(made / "tiny-base"),
            data=made / "calls",
            out=tmp_path / "site",
            precision=0.9,
            tensors=["embeding"],
            cache=Cache(made / "cache"),
        )
    assert "such as embedding" in caught.value.remedy


def test_several_tensors_are_one_behind_the_other(tmp_path):
    """A list of tensors gives their values in its order, whatever the backend."""
    for backend in ("tflite", "onnx"):
        place = tmp_path / backend
        base = write_base(place, backend=backend)
        rows = {}
        for names in ("embedding", "logits", ["logits", "embedding"]):
            change(base, {"output.embedding": names})
            model = load_model(base)
            stream = model.open(keep_embeddings=True)
            with AudioFile(
                write_calls(place / str(names), labels=["x"], clips=1) / "x/r00.wav"
            ) as file:
                outcomes = [x for block in file for x in stream.push(block)]
            rows[str(names)] = outcomes[0].embedding
            stream.close()
            model.close()
        expected = np.concatenate([rows["logits"], rows["embedding"]])
        np.testing.assert_array_equal(expected, rows["['logits', 'embedding']"])

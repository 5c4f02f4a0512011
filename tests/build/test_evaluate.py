import csv
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from sklearn.metrics import (
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
    roc_auc_score,
)
from tiny_clip import change, write_tiny_clip
from tiny_training import (
    RECIPE,
    contents,
    environment,
    run_edge_build,
    shown_commands,
    write_clips,
    write_loud,
    write_recipe,
)

from edge.errors import InputError
from edge_build.charts import class_report, confusion_of
from edge_build.dataset import find_labelled
from edge_build.evaluate import Result
from edge_build.folds import DEFAULT_PATTERN, FIRST_DIGIT, folds_of
from edge_build.scores import score_table

PATTERN = re.compile(DEFAULT_PATTERN)


def test_scores_are_scikit_learn_s():
    """F1, accuracy and ROC-AUC equal scikit-learn's, ties included."""
    generator = np.random.Generator(np.random.PCG64(11))
    labels = generator.integers(0, 4, 80)
    probabilities = np.round(generator.dirichlet(np.ones(4), 80), 1)
    scores = score_table(labels, probabilities)
    answers = probabilities.argmax(axis=1)
    truth = np.eye(4)[labels]
    expected = (
        f1_score(labels, answers, average="macro"),
        f1_score(labels, answers, average="micro"),
        np.mean(labels == answers),
        roc_auc_score(truth, probabilities, average="macro"),
    )
    actual = (scores.macro_f1, scores.micro_f1, scores.accuracy, scores.roc_auc)
    assert pytest.approx(expected, abs=1e-12) == actual


def _digit_clips(tmp_path):
    folder = write_clips(tmp_path / "d", clips=6)
    for path in folder.rglob("*.wav"):
        number = int(path.stem[1:])
        path.rename(path.with_name(f"{number % 3 + 1}-r{number}-A.wav"))
    return folder


def test_fold_is_the_first_digit(tmp_path):
    """By default the fold is the digit that a name begins with."""
    clips, _ = find_labelled(_digit_clips(tmp_path))
    folds = folds_of(clips, FIRST_DIGIT, PATTERN, seed=1)
    assert [clip.path.name[0] for clip in clips] == folds


def test_table_names_folds(tmp_path):
    """A column of a table names the folds; a clip it lacks is an error."""
    clips, _ = find_labelled(write_clips(tmp_path / "d", clips=2))
    table = tmp_path / "folds.csv"
    rows = [f"{clip.path.name},{'ab'[i % 2]}\n" for i, clip in enumerate(clips)]
    table.write_text("file,part\n" + "".join(rows))
    assert list("ababab") == folds_of(clips, f"{table}:part", PATTERN, seed=1)
    table.write_text("file,part\n" + "".join(rows[1:]))
    with pytest.raises(InputError, match=r"says nothing of tone-0/r00\.wav"):
        folds_of(clips, f"{table}:part", PATTERN, seed=1)


def test_dealt_folds_keep_recordings_whole(tmp_path):
    """Dealt folds split no recording and give each fold a share of each class."""
    folder = write_clips(tmp_path / "d", clips=8)
    clips, _ = find_labelled(folder, recording=re.compile(r"^r(\d[0-9])"))
    folds = folds_of(clips, "4", PATTERN, seed=1)
    counts = [
        sum(f == fold and clip.label == label for f, clip in zip(folds, clips, strict=True))
        for fold in "1234"
        for label in ("tone-0", "tone-1", "tone-2")
    ]
    assert counts == [2] * 12


def test_a_fifth_is_held_out(tmp_path):
    """80/20 tests whole recordings of each class, once, and learns from the others."""
    folder = write_clips(tmp_path / "d", clips=10)
    clips, _ = find_labelled(folder)
    folds = folds_of(clips, "80/20", PATTERN, seed=1)
    assert {"80/20", ""} == set(folds)
    tested = [clip.label for clip, fold in zip(clips, folds, strict=True) if fold]
    assert sorted(tested) == ["tone-0"] * 2 + ["tone-1"] * 2 + ["tone-2"] * 2


@pytest.mark.parametrize("same_file", [True, False])
def test_leakage_is_refused(tmp_path, same_file):
    """One recording, or one file under two names, in two folds is refused."""
    folder = _digit_clips(tmp_path)
    source = folder / "tone-0" / "1-r0-A.wav"
    if same_file:
        shutil.copy(source, folder / "tone-0" / "2-r900-A.wav")
    else:
        content = (folder / "tone-0" / "2-r1-A.wav").read_bytes()
        (folder / "tone-0" / "2-r0-B.wav").write_bytes(content[:-2] + b"\x01\x00")
    clips, _ = find_labelled(folder, recording=re.compile(r"^\d-(r\d+)-"))
    with pytest.raises(InputError, match="same file in folds" if same_file else "leaks"):
        folds_of(clips, FIRST_DIGIT, PATTERN, seed=1)


def test_one_table_from_one_command(tmp_path):
    """A recipe, its bag of frames and a model's embeddings stand in one table, and in the card."""
    data = _digit_clips(tmp_path)
    recipe = write_recipe(tmp_path, RECIPE.replace(r"^(r\d+)", r"^\d-(r\d+)-"))
    cache, out = tmp_path / "cache", tmp_path / "table.csv"
    model = tmp_path / "models" / "tiny"
    made = run_edge_build("train", recipe, "--data", data, "--out", model, cache=cache)
    assert made.returncode == 0, made.stderr
    arguments = ["evaluate", recipe, model, "--data", data, "--out", out, "--card", model]
    for _ in range(2):
        done = run_edge_build(*arguments, cache=cache)
        assert done.returncode == 0, done.stderr
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = ["tiny", "tiny: mean of its PCA frames", "tiny + head"]
    assert expected == [row["system"] for row in rows]
    assert all(float(row["macro F1"]) > 0.5 and float(row["model MB"]) > 0 for row in rows), rows
    assert all(f"| {system} |" in done.stdout for system in expected)
    card = (model / "MODEL_CARD.md").read_text("utf-8")
    assert [card.count(f"| {system} |") for system in expected] == [1, 1, 1]
    assert card.count("### d, 3 folds") == 1


def test_the_card_s_command_gives_its_table(tmp_path):
    """Run elsewhere, asked for other threads and BLAS, it learns the same and prints the same.

    What bears on the figures is in the command; the rest and the machine's paths are not.
    """
    data = _digit_clips(tmp_path)
    more = write_clips(tmp_path / "card 1", clips=1, seconds=6.0)
    recipe = write_recipe(tmp_path, RECIPE.replace(r"^(r\d+)", r"^\d-(r\d+)-"))
    names = [path.name for path in sorted(data.rglob("*.wav"))]
    rows = "".join(f"{name},{'ab'[i % 2]}\n" for i, name in enumerate(names))
    (tmp_path / "parts.csv").write_text(f"file,part\n{rows}")
    model = tmp_path / "models" / "tiny"
    common = ["--unlabelled", more / "tone-0", more / "tone-1" / "r10.wav"]
    made = run_edge_build(
        *("train", recipe, "--data", data, *common, "--out", model), cache=tmp_path / "cache"
    )
    assert made.returncode == 0, made.stderr
    done = run_edge_build(
        *("evaluate", recipe, model, "--data", data, *common, "--folds"),
        *(f"{tmp_path / 'parts.csv'}:part", "--recording", r"^\d-(r\d+)-A"),
        *("--out", tmp_path / "table.csv", "--card", model),
        cache=tmp_path / "cache",
    )
    assert done.returncode == 0, done.stderr
    card = model / "MODEL_CARD.md"
    assert str(tmp_path) not in card.read_text("utf-8")
    _, command = sorted(shown_commands(card), reverse=True)
    expected = "evaluate recipe.yaml tiny --data d --unlabelled tone-0 r10.wav --folds"
    assert [*expected.split(), "parts.csv:part", "--recording", r"^\d-(r\d+)-A"] == command
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    places = (data, more / "tone-0", more / "tone-1" / "r10.wav", tmp_path / "parts.csv")
    for place in (*places, model, model / "recipe.yaml"):
        (elsewhere / place.name).symlink_to(place)
    other = {"OMP_NUM_THREADS": "2", "OPENBLAS_CORETYPE": "Zen"}
    again = run_edge_build(*command, cwd=elsewhere, cache=tmp_path / "other-cache", **other)
    assert again.returncode == 0, again.stderr
    assert _figures(done.stdout) == _figures(again.stdout)
    for link in ("codebook", "vectors", "head"):
        fitted = contents(tmp_path / "other-cache" / link)
        assert fitted.items() <= contents(tmp_path / "cache" / link).items()


def _figures(table):
    """The cells of a Markdown table but for the times."""
    return [line.split(" | ")[:5] for line in table.splitlines()]


def test_files_that_cannot_be_used_are_left_out_for_all(tmp_path):
    """With recipes and without, bad files are named and counted, and cost only themselves."""
    data = _digit_clips(tmp_path)
    write_loud(data / "tone-0" / "1-r90-A.wav", 1e30)
    (data / "tone-1" / "2-r91-A.wav").write_text("not audio")
    write_loud(data / "tone-2" / "notes.wav", 0.1)
    recipe = write_recipe(tmp_path, RECIPE.replace(r"^(r\d+)", r"^\d-(r\d+)-"))
    model = tmp_path / "models" / "small"
    write_tiny_clip(model)
    for systems in ([recipe], [model, "--recording", r"^\d-(r\d+)-"]):
        done = run_edge_build("evaluate", *systems, "--data", data, cache=tmp_path / "cache")
        assert done.returncode == 0, done.stderr
        notes = [line for line in done.stderr.splitlines() if line.startswith("edge-build: note: ")]
        expected = ["tone-2/notes.wav", "tone-0/1-r90-A.wav", "tone-1/2-r91-A.wav"]
        assert expected == [line.split(": ")[3] for line in notes[:3]]
        assert notes[3:] == ["edge-build: note: 3 of 21 files left out in all"]


def test_files_of_external_models_are_found(tmp_path):
    """`--model-files` and the environment lead to them; without, the remedy is the model's."""
    data = _digit_clips(tmp_path)
    models, files = tmp_path / "models", tmp_path / "files"
    write_tiny_clip(models / "small")
    (files / "theirs").mkdir(parents=True)
    (models / "small" / "model.tflite").rename(files / "theirs" / "model.tflite")
    said = {"files.model.external": "theirs", "remedy": "put them there"}
    change(models / "small", said, seal=False)
    command = ["evaluate", "small", "--models-dir", models, "--data", data]
    cache = tmp_path / "cache"
    refused = run_edge_build(*command, cache=cache)
    assert refused.returncode == 2
    assert "among the external files of theirs\n  remedy: put them there" in refused.stderr
    option = run_edge_build(*command, "--model-files", files, cache=cache)
    variable = run_edge_build(*command, cache=cache, EDGE_MODEL_FILES=str(files))
    assert (option.returncode, variable.returncode) == (0, 0), option.stderr
    assert _figures(option.stdout) == _figures(variable.stdout)
    verify = ["verify", "small", "--models-dir", models]
    assert run_edge_build(*verify, cache=cache).returncode == 2
    assert run_edge_build(*verify, "--model-files", files, cache=cache).returncode == 0


def test_unlabelled_audio_does_not_leak(tmp_path):
    """Audio that is tested on may not be learnt from without labels either."""
    data = _digit_clips(tmp_path)
    recipe = write_recipe(tmp_path, RECIPE.replace(r"^(r\d+)", r"^\d-(r\d+)-"))
    done = run_edge_build(
        *("evaluate", recipe, "--data", data, "--unlabelled", data / "tone-0"),
        cache=tmp_path / "cache",
    )
    assert done.returncode == 2
    assert "leaks" in done.stderr


def test_table_is_printed_where_it_cannot_be_written(tmp_path):
    """What was computed is seen, the file that fails is named, and the exit code is 1."""
    data = _digit_clips(tmp_path)
    write_tiny_clip(tmp_path / "models" / "small")
    (tmp_path / "out").mkdir()
    command = ["evaluate", tmp_path / "models" / "small", "--data", data]
    process = subprocess.Popen(
        [sys.executable, "-m", "edge_build", *map(str, command), "--out", tmp_path / "out" / "t"],
        env=environment(tmp_path / "cache"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if "reading" in line:
            (tmp_path / "out").rmdir()
            (tmp_path / "out").touch()
            break
    table, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "| small + head |" in table
    assert "cannot be written" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--out", "/proc/t.csv"), "--out: /proc cannot be written to"),
        (("--out", "d"), "--out: d is a directory"),
        (("--folds", "0"), "--folds 0: is no rule for folds"),
        (("no-such-model",), "no model called 'no-such-model'"),
        (("models/bare",), "the model shows no embedding"),
    ],
)
def test_what_cannot_be_done_is_said_before_the_work(tmp_path, arguments, says):
    """A model or place that cannot be used costs no learning on the others."""
    data = _digit_clips(tmp_path)
    recipe = write_recipe(tmp_path, RECIPE.replace(r"^(r\d+)", r"^\d-(r\d+)-"))
    write_tiny_clip(tmp_path / "models" / "bare")
    change(tmp_path / "models" / "bare", {"output.embedding": None})
    cache = tmp_path / "cache"
    command = ("evaluate", recipe, *arguments, "--data", data.name)
    done = run_edge_build(*command, cache=cache, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert "remedy:" in done.stderr
    assert not (cache / "codebook").exists()


def test_fewer_folds_than_asked_for_are_said(tmp_path):
    """More folds than recordings of a class cannot be dealt."""
    data = _digit_clips(tmp_path)
    write_tiny_clip(tmp_path / "models" / "small")
    command = ("evaluate", tmp_path / "models" / "small", "--data", data, "--folds", 100)
    done = run_edge_build(*command, cache=tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    assert "note: --folds 100: 6 folds were dealt; no class has more recordings\n" in done.stderr


def test_the_card_s_command_asks_for_files_that_do_not_ship(tmp_path):
    """Found by the environment, they are a folder for who runs the command to name."""
    data = _digit_clips(tmp_path)
    recipe = write_recipe(tmp_path, RECIPE.replace(r"^(r\d+)", r"^\d-(r\d+)-"))
    model, small, files = tmp_path / "tiny", tmp_path / "small", tmp_path / "files"
    write_tiny_clip(small)
    (files / "theirs").mkdir(parents=True)
    (small / "model.tflite").rename(files / "theirs" / "model.tflite")
    change(small, {"files.model.external": "theirs", "remedy": "put them there"}, seal=False)
    cache = tmp_path / "cache"
    made = run_edge_build("train", recipe, "--data", data, "--out", model, cache=cache)
    assert made.returncode == 0, made.stderr
    command = ["evaluate", small, "--data", data, "--card", model]
    done = run_edge_build(*command, cache=cache, EDGE_MODEL_FILES=str(files))
    assert done.returncode == 0, done.stderr
    shown = sorted(shown_commands(model / "MODEL_CARD.md"))[0]
    assert shown[-2:] == ["--model-files", "DIR"]


def test_a_report_of_pictures_and_tables(tmp_path):
    """Held-out scores, a class of one recording left out, and of each system what it confuses."""
    data = write_clips(tmp_path / "d", clips=6)
    (data / "lonely").mkdir()
    shutil.copy(data / "tone-0" / "r00.wav", data / "lonely" / "r77.wav")
    path = data / "lonely" / "r77.wav"
    path.write_bytes(path.read_bytes()[:-2] + b"\x07\x00")
    recipe = write_recipe(tmp_path, RECIPE.replace(r"^(r\d+)", r"^(r\d+)"))
    report = tmp_path / "report"
    done = run_edge_build(
        "evaluate",
        recipe,
        "--data",
        data,
        "--folds",
        "80/20",
        "--report",
        report,
        cache=tmp_path / "cache",
    )
    assert done.returncode == 0, done.stderr
    assert "lonely: is one recording, and is left out" in done.stderr
    for name in ("table.png", "tiny.confusion.png", "tiny.classes.png"):
        assert (report / name).read_bytes().startswith(b"\x89PNG")
    assert (report / "table.md").read_text() == done.stdout
    with (report / "tiny.classes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["tone-0", "tone-1", "tone-2"]
    assert all(int(row["clips"]) >= 1 for row in rows)


def test_the_figures_of_classes():
    """Precision, recall and F1 by class, as scikit-learn has them."""
    rng = np.random.default_rng(5)
    truth, said = rng.integers(0, 4, 200), rng.random((200, 5)).astype(np.float32)
    said[:, 4] = 0.0
    result = Result("x", tuple("abcde"), truth, said, 1.0, 1.0)
    counts = confusion_of(result)
    assert np.array_equal(confusion_matrix(truth, said.argmax(1), labels=range(5)), counts)
    expected = precision_recall_fscore_support(
        truth, said.argmax(1), labels=range(5), zero_division=np.nan
    )[:3]
    np.testing.assert_allclose(class_report(counts), np.stack(expected, axis=1), rtol=1e-6)

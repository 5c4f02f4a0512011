import csv
import re
import shutil

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score
from tiny_training import RECIPE, run_edge_build, write_clips, write_recipe

from edge.errors import InputError
from edge_build.dataset import find_labelled
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
    clips = find_labelled(_digit_clips(tmp_path))
    folds = folds_of(clips, FIRST_DIGIT, PATTERN, seed=1)
    assert [clip.path.name[0] for clip in clips] == folds


def test_table_names_folds(tmp_path):
    """A column of a table names the folds; a clip it lacks is an error."""
    clips = find_labelled(write_clips(tmp_path / "d", clips=2))
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
    clips = find_labelled(folder, recording=re.compile(r"^r(\d[0-9])"))
    folds = folds_of(clips, "4", PATTERN, seed=1)
    counts = [
        sum(f == fold and clip.label == label for f, clip in zip(folds, clips, strict=True))
        for fold in "1234"
        for label in ("tone-0", "tone-1", "tone-2")
    ]
    assert counts == [2] * 12


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
    clips = find_labelled(folder, recording=re.compile(r"^\d-(r\d+)-"))
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

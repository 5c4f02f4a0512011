"""What is checked before hours of work."""

import importlib.util
from pathlib import Path

from edge.batch.outputs import check_folder
from edge.errors import InputError
from edge_build.cache import CACHE_VARIABLE


def check_extra() -> None:
    """Make sure, before hours of work, that what makes models is installed."""
    missing = [name for name, module in _NEEDS.items() if not importlib.util.find_spec(module)]
    if missing:
        raise InputError(
            f"edge-build needs {', '.join(missing)}, which edge itself runs without",
            remedy="pip install 'edge-bioacoustics[build]'",
        )


def check_torch(what: str) -> None:
    """Make sure that torch is there for `what`, which is trained by it."""
    if not importlib.util.find_spec("torch"):
        raise InputError(
            f"{what} is trained by torch, which is not installed; edge runs it without",
            remedy="pip install 'edge-bioacoustics[build,torch]'",
        )


def check_drawing(what: str) -> None:
    """Make sure that pictures can be drawn by `what`, a command or an option."""
    if not importlib.util.find_spec("matplotlib"):
        raise InputError(
            f"{what} draws with matplotlib, which is not installed",
            remedy="pip install 'edge-bioacoustics[build]'",
        )


def check_pictures(option: str, folder: Path) -> None:
    """Make a folder of pictures and tables; see that it can be written to."""
    check_drawing(option)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise InputError(
            f"{option}: {folder} cannot be made: {reason.strerror}", remedy="name another folder"
        ) from None
    check_folder(option, folder)


def check_cache(folder: Path) -> None:
    """Make the cache's folder; see that it can be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise InputError(
            f"--cache: {folder} cannot be made: {reason.strerror}",
            remedy=f"name another folder, by --cache or ${CACHE_VARIABLE}",
        ) from None
    check_folder("--cache", folder)


_NEEDS = {"gensim": "gensim", "onnx": "onnx", "optuna": "optuna", "scikit-learn": "sklearn"}
"""What the extra `build` installs for these commands: from its name for pip to its module."""

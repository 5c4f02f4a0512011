"""Loading a model beside the one that runs."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from edge.config import Config, place
from edge.contracts import Model, PostProcessor
from edge.errors import ConfigError, EdgeError, ModelError
from edge.load import find_model, prove_model
from edge.model.folder import read_folder
from edge.model.manifest import MANIFEST_NAME
from edge.refine import PostSpec, build_post


class Asked(NamedTuple):
    """How a configuration asks for a model."""

    model: str
    models_dir: str | None
    model_files: tuple[str, ...]

    @classmethod
    def by(cls, config: Config) -> "Asked":
        """Take it out of a configuration."""
        return cls(config.model, config.models_dir, config.model_files)


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A model that has proved itself, and how the configuration asks for it."""

    asked: Asked
    files: Mapping[Path, tuple[int, int] | None]
    """Size and modification time of what it was loaded from."""
    model: Model
    threshold: float
    """The model's own, where the configuration gives none."""
    thresholds: Mapping[str, float]
    """The model's own, of single labels."""

    def changes(self) -> list[str]:
        """Name the files that are no longer what was loaded."""
        return [path.name for path, stamp in self.files.items() if _stamp(path) != stamp]

    def post(self, specs: Sequence[PostSpec]) -> list[PostProcessor]:
        """Make post-processors; the last word is a threshold, the configuration's or the model's.

        What smooths after a threshold would spread the scores again that it let pass.

        Thresholds for labels that the model does not have wait for one that does.
        """
        if not specs or specs[-1].threshold is None:
            specs = [*specs, PostSpec.threshold_of(self.threshold, self.thresholds)]
        return build_post(specs, self.model.info.labels)


def load(config: Config, *, beside: Path) -> Loaded:
    """Load the model that a configuration names, by hashes, shapes and golden vector.

    Args:
        config: The configuration.
        beside: The file it was read from: relative paths begin in its folder.

    Raises:
        EdgeError: No such model, or one that cannot be trusted or run here.
    """
    try:
        return _load(config, beside)
    except EdgeError:
        raise
    except Exception as reason:
        # The folder was changed while it was read, there is no room for two, or what runs the
        # model raised something of its own: none of it may end a station that listens.
        what = f"model {config.model}: {reason!r}"
        raise ModelError(what, remedy="see `edge models verify`") from reason


def load_before(config: Config, worked: Sequence[str], *, beside: Path) -> Loaded | None:
    """Load the first that works here of models that worked before.

    Args:
        config: Asks for another one, which does not.
        worked: `name@version` of each, the latest first.
        beside: The configuration's file.
    """
    models_dir = config.models_dir
    if models_dir is None and "/" in config.model:
        models_dir = str(Path(config.model).parent)
    if models_dir is not None and not place(models_dir, beside=beside).is_dir():
        models_dir = None
    for name in dict.fromkeys(model.partition("@")[0] for model in worked):
        if name in ("", config.model):
            continue
        try:
            return load(
                msgspec.structs.replace(config, model=name, models_dir=models_dir), beside=beside
            )
        except EdgeError:
            continue
    return None


def _load(config: Config, beside: Path) -> Loaded:
    models_dir = place(config.models_dir, beside=beside) if config.models_dir else None
    if models_dir is not None and not models_dir.is_dir():
        raise ConfigError(
            f"models_dir: {models_dir}: there is no such folder",
            remedy="give the folder that holds the model folders, or mount its disk",
        )
    name = str(place(config.model, beside=beside)) if "/" in config.model else config.model
    folder = find_model(name, models_dir=models_dir)
    manifest = folder / MANIFEST_NAME
    files = {manifest: _stamp(manifest)}
    read = read_folder(folder, external=[place(p, beside=beside) for p in config.model_files])
    files |= {path: _stamp(path) for path in read.files.values()}
    said = read.manifest
    return Loaded(Asked.by(config), files, prove_model(read), said.threshold, said.thresholds)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


class Switcher:
    """Loads models on a thread of its own, one at a time; the last one asked for wins.

    Args:
        wake: Called when a result is there.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._thread: threading.Thread | None = None
        self._wanted: tuple[Config, Path] | None = None
        self._result: tuple[Config, Loaded | EdgeError] | None = None

    def ask(self, config: Config, *, beside: Path) -> None:
        """Begin to load the model of a configuration."""
        self._wanted = (config, beside)
        self._start()

    def take(self) -> tuple[Config, Loaded | EdgeError] | None:
        """Return what was loaded, or why it could not be, with the configuration it is for."""
        if self._thread is None or self._thread.is_alive():
            return None
        self._thread.join()
        self._thread = None
        result, self._result = self._result, None
        if self._wanted is not None:
            # Asked for again meanwhile: this one is out of date.
            if result is not None and isinstance(result[1], Loaded):
                result[1].model.close()
            self._start()
            return None
        return result

    def close(self) -> None:
        """Let go of what is being loaded; wait a little for it, for stopping is not to be late."""
        self._wanted = None
        if self._thread is not None:
            self._thread.join(_LONGEST_GOODBYE_S)
            self._thread = None
        if self._result is not None and isinstance(self._result[1], Loaded):
            self._result[1].model.close()

    def _start(self) -> None:
        if self._thread is None and self._wanted is not None:
            config, beside = self._wanted
            self._wanted = None
            self._thread = threading.Thread(
                target=self._load, args=(config, beside), name="edge-load", daemon=True
            )
            self._thread.start()

    def _load(self, config: Config, beside: Path) -> None:
        try:
            self._result = (config, load(config, beside=beside))
        except EdgeError as error:
            self._result = (config, error)
        self._wake()


_LONGEST_GOODBYE_S = 2.0

"""Loading a model beside the one that runs."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.config import Config, place
from edge.contracts import Model, PostProcessor
from edge.errors import EdgeError
from edge.load import find_model, prove_model
from edge.model.folder import read_folder
from edge.refine import PostSpec, build_post


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A model that has proved itself, and how the configuration asks for it."""

    asked: str
    """As the configuration names it."""
    folder: Path
    model: Model
    threshold: float
    """The model's own, where the configuration gives none."""

    def post(self, specs: Sequence[PostSpec]) -> list[PostProcessor]:
        """Make post-processors; the last word is a threshold, the configuration's or the model's.

        Thresholds for labels that the model does not have wait for one that does.
        """
        if not any(spec.threshold for spec in specs):
            specs = [*specs, PostSpec.threshold_of(self.threshold)]
        return build_post(specs, self.model.info.labels)


def load(config: Config, *, beside: Path) -> Loaded:
    """Load the model that a configuration names, by hashes, shapes and golden vector.

    Args:
        config: The configuration.
        beside: The file it was read from: relative paths begin in its folder.

    Raises:
        EdgeError: No such model, or one that cannot be trusted or run here.
    """
    models_dir = place(config.models_dir, beside=beside) if config.models_dir else None
    folder = find_model(config.model, models_dir=models_dir)
    read = read_folder(folder, external=[place(p, beside=beside) for p in config.model_files])
    return Loaded(config.model, folder, prove_model(read), read.manifest.threshold)


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

    @property
    def busy(self) -> bool:
        """Whether something is being loaded or waits to be."""
        return self._thread is not None or self._wanted is not None

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
        """Wait for what is being loaded, and let it go."""
        self._wanted = None
        if self._thread is not None:
            self._thread.join()
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
        except (OSError, MemoryError) as reason:
            # The folder was taken away or changed while it was read, or there is no room for two.
            what = f"model {config.model}: {reason!r}"
            self._result = (config, EdgeError(what, remedy="see `edge models verify`"))
        self._wake()

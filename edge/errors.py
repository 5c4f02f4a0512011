"""The errors edge raises on purpose.

    EdgeError
    ├── ConfigError      a YAML file that does not say what it must
    ├── ModelError       a model folder that cannot be trusted or run here
    ├── AudioError       a file or stream that is no usable audio
    └── InputError       a command's arguments that lead nowhere

Each message says what is wrong, where, and what to do about it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any


class EdgeError(Exception):
    """Anything edge can explain to the person who runs it.

    Args:
        what: What is wrong, naming the file, key or value.
        remedy: What to do about it; empty when nothing can be done.
    """

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy

    def __reduce__(self) -> tuple[Callable[..., "EdgeError"], tuple[str], dict[str, Any]]:
        """Pickle, as an error is on its way from a worker process, with its remedy."""
        return partial(type(self), remedy=self.remedy), (self.what,), self.__dict__

    def __str__(self) -> str:
        return f"{self.what}\n  remedy: {self.remedy}" if self.remedy else self.what


class ConfigError(EdgeError):
    """A YAML file with an unknown key, a wrong type or a value out of range."""


class ModelError(EdgeError):
    """A model folder that is broken, changed, incomplete or not runnable here."""


class AudioError(EdgeError):
    """A file that holds no audio edge can read."""


class InputError(EdgeError):
    """Arguments of a command that name nothing to work on."""

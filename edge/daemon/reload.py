"""Seeing that the configuration was saved."""

import os
import time
from pathlib import Path

from edge.config import Config, read_config


class ConfigWatch:
    """Watches one file by its status, which works on every file system and with every editor.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._applied = _stamp(path)
        self._seen = self._applied
        self._looked_s = 0.0

    def changed(self) -> bool:
        """Tell whether it was saved and has been at rest for a moment since; looks once a second.

        An editor may truncate the file and write it in pieces.
        """
        now_s = time.monotonic()
        if now_s - self._looked_s < _LOOK_S:
            return False
        self._looked_s = now_s
        stamp = _stamp(self.path)
        at_rest = stamp == self._seen
        self._seen = stamp
        if not at_rest or stamp == self._applied:
            return False
        self._applied = stamp
        return True

    def read(self) -> Config:
        """Read the file as it is now.

        Raises:
            ConfigError: Naming the file, line, key and remedy.
        """
        self._applied = self._seen = _stamp(self.path)
        return read_config(self.path)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


_LOOK_S = 1.0

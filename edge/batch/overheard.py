"""What a worker process writes to its standard error."""

import os
import re
from collections import deque
from multiprocessing.connection import Connection


class Overheard:
    """Reads one process's standard error line by line; what is remembered of it is bounded.

    Lines that only say that all is well are dropped, and those of the MP3 decoder, because what
    was off in a file is among its notes.

    Args:
        pipe: The end to read from.
    """

    def __init__(self, pipe: "Connection[object, object]") -> None:
        self.pipe = pipe
        """What to wait for."""
        self._rest = b""
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self.ended = False
        """Whether nothing more will come."""
        os.set_blocking(pipe.fileno(), False)

    def read(self) -> list[str]:
        """Return the complete lines that came in and that a person should see."""
        if self.ended:
            return []
        try:
            content = os.read(self.pipe.fileno(), _READ_BYTES)
        except BlockingIOError:
            return []
        if not content:
            self.ended = True
            content = b"\n" if self._rest else b""
        *lines, rest = (self._rest + content).replace(b"\r", b"\n").split(b"\n")
        self._rest = rest[:_MOST_BYTES]
        return [text for line in lines if (text := self._remember(line))]

    def read_all(self) -> list[str]:
        """Return what is left of a process that ended."""
        lines = []
        for _ in range(_MOST_READS):
            lines += self.read()
            if self.ended:
                break
        return lines

    @property
    def last_words(self) -> str:
        """The last lines since `forget`, to follow on how the process died."""
        return f"; its last words: {' | '.join(self._last)}" if self._last else ""

    def forget(self) -> None:
        """Begin another task: what was written before has nothing to do with it."""
        self._last.clear()

    def close(self) -> None:
        """Hear no more."""
        self.ended = True
        self.pipe.close()

    def _remember(self, line: bytes) -> str:
        decoded = line[:_MOST_BYTES].decode("utf-8", "replace").strip()
        text = "".join(sign if sign.isprintable() else " " for sign in decoded)
        if not text or _ALL_IS_WELL.match(text):
            return ""
        self._last.append(text)
        return "" if _DECODER.match(text) else text


_ALL_IS_WELL = re.compile(r"INFO: |I\d{4} ")
_DECODER = re.compile(r"Note: |\[\S*libmpg123/")
_LAST_LINES = 3
_MOST_BYTES = 300
_READ_BYTES = 1 << 16
_MOST_READS = 64

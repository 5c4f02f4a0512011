"""Who takes from a watched folder in tests, clocks that are set, and recordings in pieces."""

import os
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge.sources.directory import Directory, DirectorySpec, FoundFile, read_fingerprint
from edge.sources.file import SUFFIXES

SETTLE_S = 10.0
PATIENCE_S = 180.0
"""How long a test waits for what must come; never how long something takes."""


class SetClock:
    """A clock that stands still until it is set; begins at the present."""

    def __init__(self) -> None:
        self._start = datetime.now(UTC)
        self.passed_s = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.passed_s)

    def monotonic_s(self) -> float:
        return self.passed_s


class Done:
    """What was done, as a store remembers it."""

    def __init__(self, *paths: Path) -> None:
        self.asked = 0
        self._files: dict[tuple[str, int, int], set[str]] = {}
        for path in paths:
            status = path.stat()
            fingerprint, _ = read_fingerprint(path)
            self.add(FoundFile(path, status.st_size, status.st_mtime_ns, fingerprint))

    def add(self, file: FoundFile) -> None:
        stamp = str(file.path), file.size, file.mtime_ns
        self._files.setdefault(stamp, set()).add(file.fingerprint)

    def fingerprints(self, path: str, size: int, mtime_ns: int) -> Collection[str]:
        self.asked += 1
        return self._files.get((path, size, mtime_ns), set())


class Taker:
    """Takes from a directory as a daemon does: sleeps until woken or until it is time to look."""

    def __init__(self, folder: Path, *, clock=None, known=None, finish=True, **spec) -> None:
        self.known: Done = known if known is not None else Done()
        self.woken = threading.Event()
        self.wakes = 0
        self.when_woken: Callable[[], object] = lambda: None
        self.got: list[FoundFile] = []
        self._finish = finish
        settings = {"settle_seconds": SETTLE_S, "sweep_seconds": 600.0} | spec
        self.directory = Directory(
            DirectorySpec(path=str(folder), **settings),
            suffixes=SUFFIXES,
            known_fingerprints=self.known.fingerprints,
            wake=self._wake,
            **({"now": clock.now, "monotonic_s": clock.monotonic_s} if clock else {}),
        )

    def _wake(self) -> None:
        self.wakes += 1
        self.when_woken()
        self.woken.set()

    @property
    def names(self) -> list[str]:
        """Names of what was taken so far, in order."""
        return [file.path.name for file in self.got]

    @property
    def waiting(self) -> list[str]:
        return [file.path.name for file in self.directory.waiting]

    def turn(self) -> bool:
        """Take once; return whether there was something."""
        file = self.directory.take()
        if file is None:
            return False
        self.got.append(file)
        if self._finish:
            self.known.add(file)
            self.directory.done(file)
        return True

    def until(self, condition: Callable[[], bool]) -> None:
        """Take until something is so."""
        end_s = time.monotonic() + PATIENCE_S
        while True:
            if self.turn():
                continue
            if condition():
                return
            left_s = end_s - time.monotonic()
            assert left_s > 0, (self.names, self.directory.waiting, self.directory.trouble)
            self.woken.wait(min(self.directory.next_look_s, left_s))
            self.woken.clear()

    def until_taken(self, *names: str) -> None:
        """Take until exactly these files were taken, in any order."""
        self.until(lambda: len(self.got) >= len(names))
        assert sorted(names) == sorted(self.names)

    def sweep(self) -> None:
        """Look through the whole folder once, at the clock's present."""
        self.until(lambda: self.directory.next_look_s > 0)


@contextmanager
def watch(folder: Path, **options) -> Iterator[Taker]:
    """A directory over its life; the first sweep is over when the body begins."""
    taker = Taker(folder, **options)
    with taker.directory:
        taker.sweep()
        yield taker


def wav(seconds: float = 1.0, *, promised: int | None = None, fill: int = 1) -> bytes:
    """A WAV of 8 kHz; `promised` is what its header claims of audio, in bytes."""
    audio = bytes([fill, 1]) * round(8_000 * seconds)
    claimed = len(audio) if promised is None else promised
    riff = min(36 + claimed, 0xFFFF_FFFF)
    return (
        struct.pack("<4sI8sIHHIIHH", b"RIFF", riff, b"WAVEfmt ", 16, 1, 1, 8_000, 16_000, 2, 16)
        + struct.pack("<4sI", b"data", claimed)
        + audio
    )


def count_watches() -> int:
    """How many inotify watches this process has, by the kernel's own account (proc(5))."""
    return sum(
        line.startswith("inotify wd:")
        for info in Path("/proc/self/fdinfo").iterdir()
        if info.exists()
        for line in info.read_text().splitlines()
    )


def set_age(path: Path, age_s: float) -> None:
    """Make a file look as if it was last written to so long ago."""
    at = time.time() - age_s
    os.utime(path, (at, at))


@contextmanager
def without_privilege() -> Iterator[Path]:
    """A folder that anybody may write to, and no more rights than anybody has."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65_534)
        try:
            yield Path(folder)
        finally:
            if root:
                os.seteuid(0)

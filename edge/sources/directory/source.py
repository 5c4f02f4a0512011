"""A watched folder as a queue of complete recordings."""

import math
import os
import threading
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from types import TracebackType

from edge.sources.directory.known import KnownFingerprints
from edge.sources.directory.queue import Queue
from edge.sources.directory.records import DirectorySpec, FoundFile, Trouble, WaitingFile
from edge.sources.directory.sweep import Sweep
from edge.sources.directory.watching import Watching


class Directory:
    """Finds the recordings in a folder and hands each out once it is complete.

    A file is complete when it was closed after writing or moved in, or has not changed for
    `settle_seconds`; and, if it is a WAV, when its header agrees with its size. One whose header
    promises more than is there has ten times as long to grow, and so has one that was not closed
    and whose header does not say its length. What waited so long in vain is handed out as it is.
    A file is known by its path, size, modification time and fingerprint: when one of them changes
    it is another, as on the card of another recorder with the same schedule. Of files that have the
    first three of one that is known the fingerprint is read once in the life of this object, and
    again when device, inode or change time are others.

    Folders that are missing, locked or unmounted are looked for again and stand in `trouble` while
    they are. Symbolic links are passed over, whatever they lead to, and names with a leading dot;
    the folder itself may be a link.

    Safe for several threads. All work on files is done by `take`, some hundredths of a second of it
    in a call.

    Args:
        spec: What to watch, and how long to wait.
        suffixes: In lower case, with their dot: what is taken for audio.
        known_fingerprints: Tells by path, size and modification time in nanoseconds which files
            were done before; an empty fingerprint stands for one that could not be read. It is
            asked on the thread that calls `take` or `done`, and must not wait for another thread
            that uses this object.
        wake: Called on the thread of events when `take` may have something to do; it must be short.
        now: Tells the time, UTC.
        monotonic_s: Tells seconds by a clock that is never set.
    """

    def __init__(
        self,
        spec: DirectorySpec,
        *,
        suffixes: Collection[str],
        known_fingerprints: KnownFingerprints,
        wake: Callable[[], None] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root = os.path.abspath(spec.path)
        self._recursive = spec.recursive
        self._settle_s = spec.settle_seconds
        self._sweep_s = spec.sweep_seconds
        self._monotonic_s = monotonic_s
        self._lock = threading.RLock()

        def is_audio(name: str) -> bool:
            return os.path.splitext(name)[1].lower() in suffixes and not name.startswith(".")

        self._watching = Watching(f"watching {self._root}", is_audio=is_audio, wake=wake)
        self._sweep = Sweep(
            self._root, recursive=spec.recursive, is_audio=is_audio, watching=self._watching
        )
        self._queue = Queue(
            settle_s=self._settle_s,
            known_fingerprints=known_fingerprints,
            now=now,
            monotonic_s=monotonic_s,
        )
        self._told: list[tuple[str, int]] = []
        self._sweep_due_s = -math.inf
        self._swept_s = -math.inf
        self._missed = False
        self._open = False

    def __enter__(self) -> "Directory":
        self._open = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._open = False
            self._sweep.stop()
            self._watching.close()

    def take(self) -> FoundFile | None:
        """Return the next complete file, or None when there is none now.

        It does not wait. While the whole folder is being listed it returns None, so that files
        come in the order of their paths: with recorders' names, the oldest first.
        """
        with self._lock:
            if not self._open:
                raise ValueError("enter the directory with `with` before taking from it")
            until_s = time.monotonic() + _TURN_S
            try:
                self._hear()
                self._work(until_s)
            except BaseException:
                # What was being looked at is found again by the sweep.
                self._sweep.stop()
                self._sweep_due_s = -math.inf
                raise
            return None if self._sweep.whole else self._queue.release(until_s)

    def done(self, file: FoundFile) -> None:
        """Say that a file is finished with; if it has changed since, it will come again."""
        with self._lock:
            self._queue.done(file)

    def later(self, file: FoundFile) -> None:
        """Say that a file changed while it was read; it comes again when it has settled anew."""
        with self._lock:
            self._queue.later(file)

    @property
    def next_look_s(self) -> float:
        """How long until `take` has something to do if nobody calls `wake`, in seconds."""
        with self._lock:
            if self._told or self._sweep.running or self._watching.has_news:
                return 0.0
            due_s = min(self._sweep_due_s, self._queue.next_due_s())
            return max(0.0, due_s - self._monotonic_s())

    @property
    def pending(self) -> int:
        """How many files were seen and not taken yet."""
        with self._lock:
            return self._queue.pending

    @property
    def waiting(self) -> list[WaitingFile]:
        """The files that are not complete yet."""
        with self._lock:
            return self._queue.waiting

    @property
    def idle(self) -> bool:
        """Whether nothing was seen that is not done; what may not be read is in `trouble`."""
        with self._lock:
            return self._queue.is_empty and not self._told and not self._watching.has_news

    @property
    def drained(self) -> bool:
        """Whether the folder was looked through and all in it is done.

        Files that are still growing are waited for; what may not be read or listed is not.
        """
        with self._lock:
            swept = self._swept_s > -math.inf and not self._missed and not self._sweep.running
            return swept and self.idle

    @property
    def trouble(self) -> list[Trouble]:
        """What is wrong now, with folders, files and watches."""
        with self._lock:
            return self._sweep.trouble + self._queue.trouble

    @property
    def polling(self) -> str:
        """Why the folder is looked through every `settle_seconds`; empty where it need not be."""
        with self._lock:
            return self._sweep.polling

    def _hear(self) -> None:
        """Take in what was told, and begin a sweep when one is due."""
        if not self._told and self._watching.has_news:
            news = self._watching.take()
            self._told = sorted(news.files.items(), reverse=True)
            for folder in news.folders:
                if folder != self._root and self._recursive:
                    self._sweep.add(folder)
            if news.lost or self._root in news.folders:
                # Not at once again where one has just ended: floods of events make no storm.
                self._missed = True
                self._sweep_due_s = min(self._sweep_due_s, self._swept_s + self._settle_s)
        if not self._sweep.whole and self._monotonic_s() >= self._sweep_due_s:
            self._sweep_due_s = math.inf
            self._missed = False
            self._sweep.start_whole()

    def _work(self, until_s: float) -> None:
        """Look at what was told of, what is due and what is being listed, for a while."""
        while time.monotonic() < until_s:
            if self._told:
                path, closed_ns = self._told.pop()
                self._queue.look(path, closed_ns=closed_ns)
            elif self._sweep.running:
                self._list()
            elif not self._queue.look_at_due():
                break

    def _list(self) -> None:
        whole = self._sweep.whole
        found = self._sweep.step()
        if found is not None:
            self._queue.meet(*found, trust_age=self._swept_s == -math.inf)
        if whole and not self._sweep.whole:
            often = self._sweep.polling or not self._sweep.is_root_listed
            self._swept_s = self._monotonic_s()
            wait_s = min(self._settle_s, self._sweep_s) if often else self._sweep_s
            self._sweep_due_s = min(self._sweep_due_s, self._swept_s + wait_s)


_TURN_S = 0.05

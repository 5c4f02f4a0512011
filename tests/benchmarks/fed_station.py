"""A daemon under measurement: a process of its own on the first core, all else on the others."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import soundfile
import yaml
from benchmarks.timing import environment

from edge.contracts import FloatArray
from edge.store.reader import StoreReader
from edge.store.schema import connect_read_only

PATIENCE_S = 120.0


@contextmanager
def off_the_first_core() -> Iterator[None]:
    """Leave the first core to the daemon, where there are others."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[1:] or allowed)
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


class Station:
    """`edge run` in a folder, from its start to its stop; ready once entered.

    Args:
        folder: Empty; takes the configuration, the store and the log.
        config: What the file says besides the store; a source that is piped in is told by `stdin`.
    """

    def __init__(self, folder: Path, **config: Any) -> None:
        self.folder = folder
        self.store = folder / "edge.db"
        self._config = {"store": {"path": str(self.store)}, **config}

    def __enter__(self) -> "Station":
        path = self.folder / "edge.yaml"
        path.write_text(yaml.safe_dump(self._config))
        cores = os.sched_getaffinity(0) | set(range(os.cpu_count() or 1))
        notify = self.folder / "notify"
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener,
            (self.folder / "log").open("wb") as log,
        ):
            listener.bind(str(notify))
            listener.settimeout(PATIENCE_S)
            started_s = time.perf_counter()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edge", "run", "-c", str(path)],
                env=environment() | {"NOTIFY_SOCKET": str(notify)},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
            os.sched_setaffinity(self._process.pid, [min(cores)])
            while b"READY=1" not in listener.recv(4096):
                pass
            self.ready_s = time.perf_counter() - started_s
            self.ready_cpu_s = self.cpu_s()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE_S)

    def write(self, sound: bytes) -> None:
        """Write to its standard input; waits while the pipe is full."""
        assert self._process.stdin is not None
        view = memoryview(sound)
        while view:
            view = view[os.write(self._process.stdin.fileno(), view) :]

    def cpu_s(self) -> float:
        """Processor time of all its threads so far, in seconds."""
        # The clock of another process, as clock_getcpuclockid(3) makes it.
        return time.clock_gettime((~self._process.pid << 3) | 2)

    def resident_mb(self) -> float:
        """What of it is in memory now, mapped files included, in MB."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def written(self) -> tuple[int, int]:
        """Bytes it handed to `write`, and bytes of pages sent to the disk; the log included."""
        said = Path(f"/proc/{self._process.pid}/io").read_text().splitlines()
        counts = dict(one.split(": ") for one in said)
        return int(counts["wchar"]), int(counts["write_bytes"])

    def log_bytes(self) -> int:
        """How long its log is."""
        return (self.folder / "log").stat().st_size

    def accounted(self) -> dict[str, int]:
        """Samples whose windows are committed, by source."""
        with _reading(self.store) as connection:
            return dict(connection.execute(_ACCOUNTED).fetchall())

    def wait_accounted(self, samples: int, *, tightly: bool = False) -> None:
        """Wait until the only source's windows are committed up to a sample.

        Args:
            samples: How many.
            tightly: Look as often as possible.
        """
        deadline_s = time.monotonic() + PATIENCE_S
        with _reading(self.store) as connection:
            version = -1
            while True:
                now = connection.execute("PRAGMA data_version").fetchone()[0]
                if now != version:
                    version = now
                    found = connection.execute(_ACCOUNTED).fetchone()
                    if found is not None and found[1] >= samples:
                        return
                if time.monotonic() > deadline_s:
                    raise RuntimeError(f"{samples} samples were never scored:\n{self.log()}")
                if not tightly:
                    time.sleep(0.01)

    def unheard(self) -> int:
        """How many windows are gaps, dropped or failed."""
        with StoreReader(self.store) as reader:
            return sum(r.range.windows for r in reader.ranges() if not r.range.model)

    def detections(self) -> int:
        """How many there are."""
        with StoreReader(self.store) as reader:
            return sum(1 for _ in reader.detections())

    def log(self) -> str:
        """The end of what it said."""
        return (self.folder / "log").read_text(errors="replace")[-4000:]


def read_minute(folder: Path) -> FloatArray:
    """Read the first of the benchmark's one-minute files [shape=(n,)]."""
    samples: FloatArray
    samples, _ = soundfile.read(min(folder.glob("*.ogg")), dtype="float32")
    return samples


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    connection = connect_read_only(path)
    try:
        yield connection
    finally:
        connection.close()


_ACCOUNTED = (
    "SELECT o.name, sum(s.accounted) FROM streams s JOIN sources o ON o.id = s.source "
    "GROUP BY o.name"
)

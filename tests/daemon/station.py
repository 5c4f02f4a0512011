"""A station in a folder: its configuration, its daemon as a process, its store."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import yaml

from edge.contracts import Detection
from edge.errors import EdgeError
from edge.store.reader import StoreReader, StreamRange
from edge.store.report import as_json

PATIENCE_S = 180.0


class Station:
    """Runs `edge` on one configuration.

    Args:
        folder: Holds the configuration, `edge.yaml`, and the store, `edge.db`.
        config: What the file says besides the store.
    """

    def __init__(self, folder: Path, **config: Any) -> None:
        self.folder = folder
        self.path = folder / "edge.yaml"
        self.config = {"store": {"path": "edge.db"}, **config}
        self.write()
        self.processes: list[subprocess.Popen[bytes]] = []

    def write(self, **changes: Any) -> None:
        """Save the configuration, as an editor does that replaces the file."""
        self.config |= changes
        new = self.path.with_suffix(".new")
        new.write_text(yaml.safe_dump(self.config))
        new.replace(self.path)

    def start(
        self,
        *arguments: str,
        stdin: int | IO[bytes] | None = subprocess.DEVNULL,
        environment: Mapping[str, str] | None = None,
    ) -> "subprocess.Popen[bytes]":
        """Start the daemon; its log is in `edge.log`."""
        with (self.folder / "edge.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "edge", "run", "-c", str(self.path), *arguments],
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, **(environment or {})},
            )
        self.processes.append(process)
        return process

    def run_once(self) -> None:
        """Let the daemon score what is there, and end."""
        process = self.start("--once")
        assert process.wait(PATIENCE_S) == 0, self.log()

    def stop(self, process: "subprocess.Popen[bytes]") -> None:
        """Stop the daemon as systemd does, and see that it ends as it should."""
        process.send_signal(signal.SIGTERM)
        assert process.wait(10.0) == 0, self.log()

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run another command of `edge` on the configuration."""
        command, *rest = arguments
        return subprocess.run(
            [sys.executable, "-m", "edge", command, "-c", str(self.path), *rest],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    def status(self) -> dict[str, Any]:
        """What `edge status --json` says."""
        done = self.command("status", "--json")
        assert done.returncode in (0, 3), done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def wait_for(self, what: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until the status is as wanted; return it."""
        return wait_until(lambda: s if what(s := self.status_now()) else None, self.log)

    @property
    def store(self) -> Path:
        """Where the store is."""
        return self.folder / self.config["store"]["path"]

    def status_now(self) -> dict[str, Any]:
        """The same from the store itself, at once; empty where there is no store yet."""
        try:
            with StoreReader(self.store) as reader:
                return as_json(reader.status(), now=datetime.now(UTC))
        except EdgeError:
            return _NOTHING

    def wait_for_fault(self, where: str, *words: str) -> dict[str, Any]:
        """Wait until a fault is open there that says the words; return it."""

        def found() -> dict[str, Any] | None:
            for fault in self.status_now()["faults"]:
                if fault["where"].startswith(where) and all(w in fault["what"] for w in words):
                    return dict(fault)
            return None

        return dict(wait_until(found, self.log))

    def wait_for_no_fault(self, where: str) -> None:
        """Wait until nothing is wrong there."""
        self.wait_for(lambda status: all(f["where"] != where for f in status["faults"]))

    def detections(self) -> list[Detection]:
        """All that was heard."""
        with StoreReader(self.store) as reader:
            return [*reader.detections()]

    def ranges(self) -> list[StreamRange]:
        """The fate of all windows."""
        with StoreReader(self.store) as reader:
            return [*reader.ranges()]

    def log(self) -> str:
        """What the daemon said."""
        return (self.folder / "edge.log").read_text(errors="replace")[-4000:]

    def end(self) -> None:
        """Leave no process behind."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def wait_until(condition: Callable[[], Any], log: Callable[[], str] = str) -> Any:
    """Wait until a condition gives something; fail after a minute."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline_s, log()
        time.sleep(0.05)


def resident_mb(process: "subprocess.Popen[bytes]") -> float:
    """Memory of a process, as the kernel counts it."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


_NOTHING: dict[str, Any] = {
    "running": False,
    "sources": [],
    "detections": 0,
    "faults": [],
    "model": None,
    "model_changes": [],
}

"""The installed service, as someone with a shell on the station sees it."""

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import soundfile
from machine import Machine

BUILT = "/opt/built"
"""The virtual environment that is given to the installer."""

RECORDER = "/media/recorder"
"""The folder that the example configuration listens to."""

LIVE = (
    "import sys, time\n"
    "for second in range(10**6):\n"
    "    open('/var/lib/edge/hang', 'a').close() if second == {hang_s} else None\n"
    "    time.sleep(1e6) if second == {hang_s} else None\n"
    "    sys.stdout.buffer.write(bytes(range(256)) * 250)\n"
    "    sys.stdout.buffer.flush()\n"
    "    time.sleep({pace_s})\n"
)
"""A program that writes a second of 32 kHz 16-bit sound at a time, and perhaps hangs."""

QUERY = (
    "import json, sqlite3, sys\n"
    "store = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True, timeout=10)\n"
    "print(json.dumps(store.execute(sys.argv[2]).fetchall()))\n"
)
"""Asks a store a question; run in the machine, since SQLite does not follow paths into it."""


class Service:
    """The unit `edge.service` of a machine.

    Args:
        machine: Where it is installed.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def clear(self) -> None:
        """Remove it, with all that it kept."""
        self.machine.run("/opt/checkout/deploy/remove.sh", "--purge")
        self.machine.run("rm", "-rf", RECORDER)

    def configure(self, **changed: object) -> None:
        """Change keys of the configuration; JSON is YAML."""
        config: dict[str, object] = {
            "models_dir": "/opt/edge/models",
            "model": "stsg-esc10",
            "source": {"directory": {"path": RECORDER}},
            "store": {"path": "/var/lib/edge/edge.db"},
        }
        path = self.machine.file("/etc/edge/edge.yaml")
        path.write_text(json.dumps({**config, **changed}, indent=1) + "\n")

    def listen(self, *, pace_s: float = 0.1, hang_s: int = -1) -> Mapping[str, object]:
        """Describe a source that writes a second of sound every `pace_s`, until it hangs."""
        program = LIVE.format(hang_s=hang_s, pace_s=pace_s)
        argv = ["/usr/bin/python3", "-c", program]
        return {"command": {"argv": argv, "sample_rate": 32000, "format": "s16le"}}

    def drop_in(self, text: str) -> None:
        """Change the unit, as `systemctl edit` does."""
        folder = self.machine.file("/etc/systemd/system/edge.service.d")
        folder.mkdir(exist_ok=True)
        (folder / "override.conf").write_text(text)
        self.machine.run("systemctl", "daemon-reload")

    def in_the_sandbox(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run another command in place of the daemon, within all that the unit allows."""
        line = " ".join(command)
        self.drop_in(f"[Service]\nType=oneshot\nRestart=no\nExecStart=\nExecStart={line}\n")
        return self.machine.call("systemctl", "start", "edge.service")

    def record(self, name: str, *, seconds: float) -> None:
        """Put a recording into the folder that the example configuration listens to."""
        rng = np.random.default_rng(len(name))
        folder = self.machine.file(RECORDER)
        folder.mkdir(exist_ok=True)
        written = folder / f"{name}.tmp"
        noise = 0.1 * rng.standard_normal(round(32000 * seconds))
        soundfile.write(written, noise.clip(-1, 1), 32000, format="WAV")
        written.rename(folder / name)

    def start(self) -> None:
        """Start it; this returns when it is ready."""
        done = self.machine.call("systemctl", "start", "edge.service")
        assert done.returncode == 0, self.journal()

    def stop(self) -> None:
        """Stop it; this returns when it has ended, or was killed for taking too long."""
        self.machine.run("systemctl", "stop", "edge.service")

    def show(self, name: str) -> str:
        """Return a property of the unit, as systemd has it."""
        return self.machine.run("systemctl", "show", "-P", name, "edge.service").strip()

    def status(self) -> str:
        """Return what `edge status` says."""
        config = ("-c", "/etc/edge/edge.yaml")
        return self.machine.call("edge", "status", *config).stdout

    def journal(self) -> str:
        """Return what it and systemd said."""
        return self.machine.run("journalctl", "-u", "edge.service", "--no-pager", "-o", "cat")

    def rows(self, query: str) -> list[list[object]]:
        """Ask the store; nothing where there is none yet."""
        done = self.machine.call("/usr/bin/python3", "-c", QUERY, "/var/lib/edge/edge.db", query)
        assert done.returncode == 0 or "OperationalError" in done.stderr, done.stderr
        return [] if done.returncode else json.loads(done.stdout)

    def windows(self, where: str = "state = 'predicted'") -> int:
        """Count the windows in the store."""
        rows = self.rows(f"SELECT coalesce(sum(windows), 0) FROM window_ranges WHERE {where}")
        return int(str(rows[0][0])) if rows else 0

    def wait(self, until: Callable[[], bool], *, what: str, seconds: float = 60) -> None:
        """Wait for something to be so; the journal is shown where it does not come."""
        end = time.monotonic() + seconds
        while not until():
            if time.monotonic() > end:
                raise AssertionError(f"waited in vain for {what}\n{self.journal()[-4000:]}")
            time.sleep(0.2)

    def all_is_accounted_for(self) -> bool:
        """Whether the store is whole, ended cleanly, and has a state for all that was received."""
        # Asked for first: whoever reads a store makes its log anew.
        closed = not self.path_exists("/var/lib/edge/edge.db-wal")
        return (
            closed
            and self.rows("PRAGMA integrity_check") == [["ok"]]
            and self.rows("SELECT count(*) FROM runs WHERE ended_us IS NULL") == [[0]]
            and self.rows("SELECT count(*) FROM streams WHERE received != accounted") == [[0]]
        )

    def path_exists(self, path: str) -> bool:
        """Whether the machine has a file."""
        return self.file(path).exists()

    def file(self, path: str) -> Path:
        """Return where a file of the machine can be reached from here."""
        return self.machine.file(path)

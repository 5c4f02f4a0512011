"""A machine with a systemd of its own: this system's files below, all changes in memory above.

The root is an overlay over `/` in a mount namespace that nobody else is in, and the machine ends
with the process that started it: whatever happens to the tests, nothing is left mounted or running.
"""

import os
import shlex
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

_NEEDS = ("systemd-nspawn", "nsenter", "setpriv", "unshare")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_ROOT = """
set -e
for group in $2; do echo $$ > "$group/cgroup.procs"; done
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
# What this system would start stays off: it may listen on the same ports, or write to mailboxes.
rm -rf "$1"/root/etc/systemd/system/*.wants "$1"/root/etc/rc?.d
shift 2
exec "$@"
"""


class NoMachineError(Exception):
    """This system cannot run one, and why."""


class Machine:
    """Booted by `with`, gone after it.

    Args:
        folder: An empty folder.
        binds: What the machine sees at other places, from its path there to the path here; it
            cannot change it.

    Raises:
        NoMachineError: Not root, a tool is missing, or it does not boot.
    """

    def __init__(self, folder: Path, binds: Mapping[str, Path]) -> None:
        if os.geteuid() != 0:
            raise NoMachineError("a systemd of its own needs root")
        if missing := [tool for tool in _NEEDS if shutil.which(tool) is None]:
            raise NoMachineError(f"no {', '.join(missing)}: apt-get install systemd-container")
        self._console = folder / "console"
        self._mount = folder / "machine"
        self._binds = binds
        self._leader = 0
        name = f"edge-{uuid.uuid4().hex}"
        self._groups = [group / name for group in _own_groups()]

    def __enter__(self) -> Self:
        self._mount.mkdir()
        try:
            for group in self._groups:
                group.mkdir()
        except OSError as reason:
            raise NoMachineError(f"no control group can be made: {reason}") from None
        binds = [f"--bind-ro={here}:{there}" for there, here in self._binds.items()]
        command = ["setpriv", "--pdeathsig", "KILL"]
        command += ["unshare", "--mount", "--propagation", "private"]
        command += ["sh", "-c", _ROOT, "sh", str(self._mount), " ".join(map(str, self._groups))]
        command += [
            "systemd-nspawn",
            "-q",
            "-D",
            str(self._mount / "root"),
            f"--uuid={uuid.uuid4()}",
        ]
        command += ["--register=no", "--keep-unit", "--boot", "--console=pipe", "--link-journal=no"]
        command += [*binds, "--", "systemd.unit=multi-user.target"]
        with self._console.open("wb") as console:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console
            )
        try:
            self._wait_for_boot()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def file(self, path: str) -> Path:
        """Return where a file of the machine can be reached from here."""
        return Path(f"/proc/{self._leader}/root") / path.removeprefix("/")

    def pid_here(self, pid: int) -> int:
        """Return the number that a process of the machine has here."""
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                lines = status.read_text().splitlines()
                same = os.readlink(status.parent / "ns/pid") == os.readlink(
                    f"/proc/{self._leader}/ns/pid"
                )
            except OSError:
                continue
            numbers = next(line.split()[1:] for line in lines if line.startswith("NSpid:"))
            if same and int(numbers[-1]) == pid:
                return int(numbers[0])
        raise LookupError(f"no process {pid} in the machine")

    def call(self, *command: str, timeout_s: float = 120) -> "subprocess.CompletedProcess[str]":
        """Run a command in the machine to its end."""
        return subprocess.run(
            [
                *("nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "-C"),
                *("env", "-i", f"PATH={_PATH}", "LC_ALL=C.UTF-8", "TERM=dumb", *command),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def run(self, *command: str, timeout_s: float = 120) -> str:
        """Run a command in the machine; return what it prints, and fail with it if it fails."""
        done = self.call(*command, timeout_s=timeout_s)
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _wait_for_boot(self) -> None:
        until = time.monotonic() + 90
        said = ""
        while time.monotonic() < until and self._process.poll() is None:
            self._leader = self._leader or self._find_leader()
            if self._leader:
                said = self.call("systemctl", "is-system-running").stdout.strip()
                if said in ("running", "degraded"):
                    return
            time.sleep(0.1)
        console = self._console.read_text(errors="replace")[-2000:]
        raise NoMachineError(f"systemd does not boot here ({said or 'no leader'}): {console}")

    def _find_leader(self) -> int:
        """Find the machine's first process: a child of nspawn, in a PID namespace of its own."""
        pid = self._process.pid
        try:
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                if os.readlink(f"/proc/{child}/ns/pid") != os.readlink("/proc/self/ns/pid"):
                    return int(child)
        except OSError:
            pass
        return 0

    def _end(self) -> None:
        if self._leader and self._process.poll() is None:
            # To systemd as the first process: power off.
            os.kill(self._leader, signal.SIGRTMIN + 4)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                os.kill(self._leader, signal.SIGKILL)
        if self._process.poll() is None:
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
        for group in self._groups:
            for folder, _, _ in os.walk(group, topdown=False):
                os.rmdir(folder)


def _own_groups() -> list[Path]:
    """Find the control groups of this process that a systemd rules: a second one needs others."""
    mounted = Path("/sys/fs/cgroup")
    unified = mounted if (mounted / "cgroup.procs").exists() else mounted / "unified"
    places = {"": unified, "name=systemd": mounted / "systemd"}
    found = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        place = places.get(controllers, mounted / "none") / path.lstrip("/")
        if (place / "cgroup.procs").exists():
            found.append(place)
    return found

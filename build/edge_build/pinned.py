"""The same bits again: one thread, and arithmetic that does not depend on the processor."""

import importlib
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PINNED_VARIABLE = "EDGE_BUILD_PINNED"
"""Environment variable: set in the process whose arithmetic is pinned."""

PACKAGES = ("numpy", "scipy", "soxr", "faiss-cpu", "gensim", "scikit-learn", "onnx")
"""Packages whose version may change what a fit yields."""


def library_versions() -> dict[str, str]:
    """Return the installed version of each of PACKAGES; empty where one is missing."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = ""
    return found


def pinned_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which the libraries choose code by name, not by processor.

    NumPy, SciPy, Faiss, OpenBLAS and the C library each pick routines by what the processor can
    do, and these differ in the last bits. Here each is told to use those that every x86-64
    processor since 2013 has: OpenBLAS those for Haswell, the others their baseline.

    Args:
        inherited: What the rest is taken from.
    """
    pinned = {
        PINNED_VARIABLE: "all",
        "OPENBLAS_CORETYPE": "Haswell",
        "FAISS_OPT_LEVEL": "generic",
        "FAISS_SIMD_LEVEL": "NONE",
        "NPY_DISABLE_CPU_FEATURES": " ".join(_numpy_dispatches()),
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=" + ",".join(f"-{name}" for name in _HIDDEN),
    }
    if platform.machine() != "x86_64":
        for name in ("OPENBLAS_CORETYPE", "FAISS_SIMD_LEVEL", "GLIBC_TUNABLES"):
            del pinned[name]
    return {**one_thread(inherited), **pinned}


def one_thread(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which the libraries start no threads of their own."""
    single = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    return {**inherited, PINNED_VARIABLE: "threads", "PYTHONHASHSEED": "0", **single}


def pinning() -> str:
    """Say how this process's arithmetic is pinned: `all`, `threads`, or empty for not at all."""
    return os.environ.get(PINNED_VARIABLE, "")


def rerun_pinned(arguments: Sequence[str], *, threads_only: bool = False) -> None:
    """Start this program again in the pinned environment, unless it already runs there.

    Does not return where it starts again: the process is replaced, keeping its number.

    Args:
        arguments: The command's arguments, without the program's name.
        threads_only: One thread alone; routines as the processor has them.
    """
    if pinning():
        return
    sys.stdout.flush()
    sys.stderr.flush()
    pinned = one_thread(os.environ) if threads_only else pinned_environment(os.environ)
    environment = dict(pinned)
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, "-m", "edge_build", *arguments]
    os.execve(sys.executable, command, environment)  # noqa: S606 (this very program)


def _numpy_dispatches() -> list[str]:
    """List the groups of instructions that NumPy would choose here beyond its baseline."""
    core: Any = importlib.import_module("numpy._core._multiarray_umath")
    return [name for name in core.__cpu_dispatch__ if core.__cpu_features__.get(name)]


_HIDDEN = ("AVX512F", "AVX512VL", "AVX2", "AVX2_Usable", "FMA", "FMA_Usable", "FMA4", "FMA4_Usable")

"""PyTorch, told to compute the same each time."""

import os
import platform
from importlib.metadata import version
from typing import Any


def load_torch() -> Any:
    """Import torch: one thread, no routine whose result may vary, one set of instructions.

    Call it before anything else of the process imports torch.
    """
    if platform.machine() == "x86_64":
        # As `pinned_environment` has it for the others: those of every x86-64 since 2013.
        os.environ.update(_PINNED)
    import torch  # noqa: PLC0415 (heavy, an extra)

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    return torch


def torch_version() -> str:
    """Return the version that is installed."""
    return version("torch")


_PINNED = {"ATEN_CPU_CAPABILITY": "avx2", "DNNL_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2"}

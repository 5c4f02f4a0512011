"""What the tests of live sources share."""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from edge.contracts import AudioBlock, LiveSource


def sound(n: int, *, seed: int = 0) -> np.ndarray:
    """Noise: float32 [shape=(n,)]."""
    return np.random.default_rng(seed).uniform(-0.5, 0.5, n).astype("<f4")


def joined(blocks: Sequence[AudioBlock]) -> np.ndarray:
    """The samples of blocks that follow one another from sample 0 on."""
    position = 0
    for block in blocks:
        assert position == block.start_sample
        assert len(block.samples) > 0
        position = block.end_sample
    return np.concatenate([np.empty(0, np.float32), *(block.samples for block in blocks)])


def stop_later(source: LiveSource, *, after_s: float = 0.3) -> threading.Thread:
    """Stop a source from another thread, more than once, while it waits."""

    def stop() -> None:
        time.sleep(after_s)
        source.stop()
        source.stop()

    thread = threading.Thread(target=stop, name="stopper")
    thread.start()
    return thread


def descriptors() -> set[str]:
    """The open descriptors of this process, and what they lead to."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.add(f"{entry.name} {os.readlink(entry)}")
        except OSError:
            continue
    return found


@contextmanager
def nothing_left() -> Iterator[None]:
    """Fail if a thread or a descriptor is left behind."""
    threads, open_before = set(threading.enumerate()), descriptors()
    yield
    assert set(threading.enumerate()) == threads
    assert descriptors() == open_before


def is_running(pid: int) -> bool:
    """Tell whether a process runs, a zombie not being one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone_soon(pid: int) -> bool:
    """Wait a while for a process to end; tell whether it did."""
    for _ in range(200):
        if not is_running(pid):
            return True
        time.sleep(0.05)
    return False

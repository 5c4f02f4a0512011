"""Starting and ending the process that fills a store."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).with_name("store_process.py")


def start(path, *, files, pause_s=0.0):
    """Start it; it prints `open` when it has the store and `done` when it has written all."""
    folders = [str(PROGRAM.parent), *filter(None, sys.path)]
    return subprocess.Popen(
        [sys.executable, PROGRAM, path, str(files), str(pause_s)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
    )


def run(path, *, files):
    """Let it come to its end."""
    process = start(path, files=files)
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, output, errors) == (0, "open\ndone\n", "")


def kill(process):
    """End it in the middle of whatever it does."""
    process.kill()
    process.communicate()

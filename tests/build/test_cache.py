import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_training import environment

from edge_build.cache import Cache

PROGRAM = """\
import sys, time
from pathlib import Path
from edge_build.cache import Cache

def make(part):
    print("making", flush=True)
    time.sleep(float(sys.argv[2]))
    part.write_text("made")

print(Cache(Path(sys.argv[1])).get("stage", "key", ".txt", make).read_text())
"""


def _start(cache: Path, seconds: float) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, cache, str(seconds)],
        env=environment(cache),
        stdout=subprocess.PIPE,
        text=True,
    )


def test_processes_make_a_result_once(tmp_path):
    """Of processes that want one result at a time, one makes it and the others wait for it."""
    started = [_start(tmp_path, 1.0) for _ in range(4)]
    said = sorted(process.communicate(timeout=60)[0] for process in started)
    assert said == ["made\n"] * 3 + ["making\nmade\n"]
    assert [path.name for path in (tmp_path / "stage").iterdir()] == ["key.txt"]


def test_a_killed_process_holds_nobody_up(tmp_path):
    """What it was making, the next one makes."""
    killed = _start(tmp_path, 1000.0)
    assert killed.stdout.readline() == "making\n"
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    assert _start(tmp_path, 0.0).communicate(timeout=60)[0] == "making\nmade\n"


def test_a_maker_that_fails_leaves_nothing(tmp_path):
    """Its error passes through; the result can be made afterwards."""

    def fail(part):
        part.write_text("half")
        raise OSError("full")

    cache = Cache(tmp_path)
    with pytest.raises(OSError, match="full"):
        cache.get("stage", "key", ".txt", fail)
    assert list((tmp_path / "stage").iterdir()) == []
    assert cache.get("stage", "key", ".txt", lambda part: part.touch()).is_file()

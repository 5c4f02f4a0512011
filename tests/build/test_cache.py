import signal
import subprocess
import sys
from pathlib import Path

import faiss
import numpy as np
import pytest
from tiny_training import environment

from edge.errors import InputError
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


def _numpy(part):
    with part.open("wb") as file:
        np.save(file, np.ones(1 << 20))


def _faiss(part):
    flat = faiss.IndexFlatL2(64)
    flat.add(np.ones((1 << 14, 64), dtype=np.float32))
    faiss.write_index(flat, str(part))


def _python(part):
    part.write_bytes(bytes(1 << 22))


@pytest.mark.parametrize("make", [_numpy, _faiss, _python])
def test_a_full_disk_is_told(small_disk, make):
    """Whoever writes, the error says where and what to do, and the room is given back."""
    place = small_disk(2)
    cache = Cache(place)
    with pytest.raises(InputError, match=f"^{place}/stage.*: the disk is full") as caught:
        cache.get("stage", "key", ".bin", make)
    assert "free some space" in caught.value.remedy
    with pytest.raises(InputError, match=f"^{place}/stage.*: the disk is full"):
        cache.get_by_steps("stage", "key", ".bin", lambda _, steps: steps.put("a", make))
    assert not [path for path in place.glob("**/*") if path.is_file()]


def test_steps_outlive_a_failure_and_not_the_result(tmp_path):
    """What was done before is found again, and is gone when the whole is done."""
    cache = Cache(tmp_path)
    made = []

    def make(part, steps):
        made.append(len(made))
        steps.get("first", lambda step: step.write_text(str(made)))
        if len(made) == 1:
            raise KeyboardInterrupt
        part.write_text((steps.folder / "first").read_text())

    with pytest.raises(KeyboardInterrupt):
        cache.get_by_steps("stage", "key", ".txt", make)
    assert cache.get_by_steps("stage", "key", ".txt", make).read_text() == "[0]"
    assert [path.name for path in (tmp_path / "stage").iterdir()] == ["key.txt"]

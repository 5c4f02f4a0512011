"""Sound through a named pipe."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from live_source import joined, nothing_left, sound, stop_later

from edge.dsp.pcm import PcmFormat
from edge.errors import AudioError
from edge.sources.fifo import Fifo, FifoSpec


@pytest.fixture
def spec(tmp_path):
    """A named pipe."""
    os.mkfifo(tmp_path / "mic")
    return FifoSpec(path=str(tmp_path / "mic"), sample_rate=8000, format=PcmFormat.F32LE)


def test_writers_come_and_go(spec, tmp_path):
    """Each writer's sound ends an opening; the pipe is opened again for the next one."""
    source = Fifo("mic", spec)
    for seed in range(3):
        samples = sound(30_000, seed=seed)
        (tmp_path / "raw").write_bytes(samples.tobytes() + b"\1" * seed)
        with nothing_left(), source:
            writer = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    f"import shutil; shutil.copyfileobj("
                    f"open('{tmp_path}/raw','rb'), open('{spec.path}','wb'))",
                ]
            )
            assert np.array_equal(samples, joined(list(source)))
            assert writer.wait() == 0


def test_a_writer_that_is_killed_ends_the_opening(spec):
    """Sound stops where the writer was killed, and iteration ends."""
    source = Fifo("mic", spec)
    with source:
        writer = subprocess.Popen(
            [
                sys.executable,
                "-c",
                f"import time; f = open('{spec.path}', 'wb', 0); "
                "f.write(bytes(4001)); time.sleep(600)",
            ]
        )
        blocks = []
        for block in source:
            blocks.append(block)
            if blocks[-1].end_sample == 1000:
                writer.kill()
        writer.wait()
    assert len(joined(blocks)) == 1000


def test_it_waits_for_a_writer_and_can_be_stopped(spec):
    """Without a writer neither opening nor closing hangs."""
    source = Fifo("mic", spec)
    with nothing_left():
        stopper = stop_later(source)
        with source:
            assert list(source) == []
        stopper.join()


def test_it_does_not_end_before_a_writer_came(spec):
    """A pipe that nobody has written to yet is not at its end."""
    source = Fifo("mic", spec)
    samples = sound(500)

    def write() -> None:
        with open(spec.path, "wb") as pipe:
            pipe.write(samples.tobytes())

    with source:
        late = threading.Timer(0.5, write)
        late.start()
        assert np.array_equal(samples, joined(list(source)))
        late.join()


def test_only_a_pipe_is_one(tmp_path):
    """A file, a folder and nothing at all are refused with what to do."""
    (tmp_path / "file").write_bytes(b"1234")
    for name, message in [
        ("file", "not a named pipe"),
        ("", "not a named pipe"),
        ("none", "cannot be opened: No such file"),
    ]:
        spec = FifoSpec(path=str(tmp_path / name), sample_rate=8000, format=PcmFormat.U8)
        with nothing_left(), pytest.raises(AudioError, match=f"{message}.*\n.*mkfifo"):
            Fifo("mic", spec).__enter__()

"""Sound piped in."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_source import joined, nothing_left, sound, stop_later
from structlog.testing import capture_logs

from edge.dsp.pcm import PcmFormat
from edge.errors import AudioError, ConfigError
from edge.sources.stdin import Stdin, StdinSpec
from edge.strict_yaml import parse

SPEC = StdinSpec(sample_rate=8000, format=PcmFormat.F32LE)

PROGRAM = """
import hashlib, sys
from edge.dsp.pcm import PcmFormat
from edge.sources.stdin import Stdin, StdinSpec
digest = hashlib.sha256()
with Stdin("pipe", StdinSpec(sample_rate=8000, format=PcmFormat.F32LE)) as source:
    for block in source:
        digest.update(block.samples.tobytes())
print(digest.hexdigest())
"""


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_whatever_the_chunks_the_sound_is_the_same(data):
    """Bytes written in any pieces come out as the same samples; half a sample is left out."""
    samples = sound(data.draw(st.integers(0, 20_000)))
    raw = samples.tobytes() + b"\0" * data.draw(st.integers(0, 3))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=20)))
    out, into = os.pipe()

    def write() -> None:
        for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
            os.write(into, raw[start:end])
        os.close(into)

    writer = threading.Thread(target=write)
    writer.start()
    with capture_logs() as logs, Stdin("pipe", SPEC, descriptor=out) as source:
        blocks = list(source)
    writer.join()
    os.close(out)
    assert np.array_equal(samples, joined(blocks))
    assert max((len(block.samples) for block in blocks), default=0) <= 2000
    assert bool(len(raw) % 4) == bool(logs)


def test_a_file_on_standard_input_of_a_process(tmp_path):
    """`program < file` reads it all and ends."""
    samples = sound(100_000)
    (tmp_path / "raw").write_bytes(samples.tobytes())
    with (tmp_path / "raw").open("rb") as file:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], stdin=file, capture_output=True, text=True, check=True
        )
    expected = subprocess.run(
        ["sha256sum", tmp_path / "raw"], capture_output=True, text=True, check=True
    )
    assert expected.stdout.split()[0] == done.stdout.strip()


@pytest.mark.parametrize("early", [True, False])
def test_it_can_be_stopped_while_nothing_comes(early):
    """Another thread ends a waiting iteration, or one that has not begun, and nothing is left."""
    out, into = os.pipe()
    with nothing_left():
        source = Stdin("pipe", SPEC, descriptor=out)
        if early:
            source.stop()
        stopper = stop_later(source)
        with source:
            assert list(source) == []
            assert list(source) == []
        stopper.join()
    os.close(out)
    os.close(into)


def test_a_terminal_is_no_sound():
    """Who forgot the pipe is told how to make one."""
    leader, terminal = os.openpty()
    with pytest.raises(AudioError, match=r"is a terminal.*\n.*arecord"):
        Stdin("pipe", SPEC, descriptor=terminal).__enter__()
    os.close(leader)
    os.close(terminal)


def test_closed_standard_input_is_said():
    """A descriptor that is not open is an error with a remedy."""
    out, into = os.pipe()
    os.close(out)
    os.close(into)
    with pytest.raises(AudioError, match="is closed"):
        Stdin("pipe", SPEC, descriptor=out).__enter__()


def test_what_the_yaml_may_say():
    """Rate and format are needed, the format is one of those known."""
    assert parse("{sample_rate: 8000, format: f32le}", StdinSpec, name="a") == SPEC
    for wrong in ("{sample_rate: 8000}", "{sample_rate: 8000, format: mp3}", "{format: u8}"):
        with pytest.raises(ConfigError):
            parse(wrong, StdinSpec, name="a")

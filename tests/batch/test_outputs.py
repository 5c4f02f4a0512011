"""What is read is never written over."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile
from tiny_stsg import write_tiny_stsg


@pytest.mark.parametrize("option", ["--out", "--report"])
def test_a_recording_is_never_written_over(tmp_path, option):
    """An output that names an input is refused, and the recording stays as it was."""
    model = tmp_path / "tiny"
    write_tiny_stsg(model)
    sound = tmp_path / "a.wav"
    soundfile.write(sound, np.zeros(32_000, np.float32), 32_000)
    before = sound.read_bytes()
    command = [sys.executable, "-m", "edge.batch", str(sound), "--model", str(model)]
    out = str(tmp_path / "scores.csv")
    outputs = ["--out", str(sound)] if option == "--out" else ["--out", out, option, str(sound)]
    run = subprocess.run([*command, *outputs], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert f"{option}: {sound} is an input" in run.stderr
    assert sound.read_bytes() == before

"""Decode every OGG file of a folder, and nothing else."""

import sys
from pathlib import Path

import soundfile

for path in sorted(Path(sys.argv[1]).glob("*.ogg")):
    samples, rate_hz = soundfile.read(path, dtype="float32")
    assert rate_hz == 32_000
    assert len(samples) == 1_920_000

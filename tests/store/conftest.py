"""A disk that is small."""

import os
import subprocess

import pytest


@pytest.fixture
def mount(tmp_path):
    """Mounts on a fresh folder, with arguments of `mount`, until the test is over."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    mounted = []

    def do(name, *arguments):
        place = tmp_path / name
        place.mkdir(exist_ok=True)
        done = subprocess.run(
            ["mount", *arguments, place], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
        if place not in mounted:
            mounted.append(place)
        return place

    yield do
    for place in reversed(mounted):
        subprocess.run(["umount", place], check=True)

"""What is installed is what is on disk."""

import configparser
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def options():
    """The [options] of setup.cfg."""
    config = configparser.ConfigParser()
    config.read(REPOSITORY / "setup.cfg")
    return config


def packages_on_disk():
    """Every folder with an `__init__.py` below the three that we ship, by its dotted name."""
    roots = {"edge": "edge", "edge_build": "build/edge_build", "edge_models": "models"}
    for package, place in roots.items():
        for init in (REPOSITORY / place).rglob("__init__.py"):
            inner = init.parent.relative_to(REPOSITORY / place).parts
            yield ".".join([package, *inner])


def test_every_package_on_disk_is_listed(options):
    """Nothing is left to discovery, so nothing may be forgotten."""
    assert sorted(packages_on_disk()) == sorted(options["options"]["packages"].split())


def test_build_is_not_a_package():
    """`build/__init__.py` would shadow PyPA's build."""
    assert not (REPOSITORY / "build" / "__init__.py").exists()


@pytest.mark.slow
def test_a_wheel_holds_every_module_and_every_shipped_model(tmp_path):
    """`pip install .` from a clean copy brings along all there is, the model folders too."""
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", tmp_path, REPOSITORY],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "edge", "build", "models"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    expected = {
        path.removeprefix("build/").replace("models/", "edge_models/", 1)
        if path.startswith(("build/", "models/"))
        else path
        for path in tracked
    }
    assert expected - held == set()

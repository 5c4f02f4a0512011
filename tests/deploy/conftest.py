"""A machine with edge installed on it, for the tests of the service."""

import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import Machine, NoMachineError
from service import BUILT, Service

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = {"edge": "edge", "edge_models": "models"}
"""Where the packages lie in the checkout."""


@pytest.fixture(scope="session")
def machine(tmp_path_factory) -> Iterator[Machine]:
    """A booted machine in which the checkout is `/opt/checkout`."""
    # The service sees nobody's home, where the Python that runs the tests may well be.
    python = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    if not Path(python).exists():
        pytest.skip(
            f"no real systemd: the service runs on the system's Python, and {python} is none"
        )
    binds = {"/opt/checkout": REPOSITORY, "/opt/libraries": Path(sysconfig.get_path("purelib"))}
    try:
        with Machine(tmp_path_factory.mktemp("machine"), binds) as booted:
            booted.run(python, "-m", "venv", "--without-pip", BUILT)
            libraries = booted.file(BUILT) / "lib" / Path(python).name / "site-packages"
            for package, place in PACKAGES.items():
                shutil.copytree(REPOSITORY / place, libraries / package)
            (libraries / "libraries.pth").write_text("/opt/libraries\n")
            yield booted
    except NoMachineError as reason:
        pytest.skip(f"no real systemd: {reason}")


@pytest.fixture
def service(machine) -> Iterator[Service]:
    """The service, newly installed, enabled and not yet started."""
    service = Service(machine)
    service.clear()
    machine.run("/opt/checkout/deploy/install.sh", "--venv", BUILT, "--no-start")
    yield service
    service.clear()

"""What is installed is what is on disk."""

import configparser
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

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


def test_no_two_files_of_tests_share_a_name():
    """Folders of tests are no packages: pytest takes a module's name for the whole of it."""
    names = Counter(path.name for path in (REPOSITORY / "tests").rglob("*.py"))
    del names["conftest.py"]
    assert [name for name, count in names.items() if count > 1] == []


def test_extras_get_along_with_what_edge_needs(options):
    """No package of an extra wants another version of one that edge itself runs on."""
    own = {Requirement(line).name for line in options["options"]["install_requires"].split()}
    extras = options["options.extras_require"].values()
    conflicts = []
    for name in {Requirement(line).name for extra in extras for line in extra.split()}:
        for wanted in map(Requirement, _wants(name)):
            needed = wanted.name in own and (not wanted.marker or wanted.marker.evaluate())
            if needed and not wanted.specifier.contains(version(wanted.name), prereleases=True):
                conflicts.append(f"{name} wants {wanted}")
    assert conflicts == []


def _wants(name):
    """What an installed package says that it needs; nothing of one that is not installed."""
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []


@pytest.mark.slow
def test_a_wheel_holds_every_module_and_every_shipped_model_and_nothing_else(tmp_path):
    """`pip install .` from a clean copy brings along all there is, the model folders too.

    In a copy, what an earlier build left in the scratch folder cannot pass for a module.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    files = [name for name in listed if (REPOSITORY / name).is_file()]
    copy = tmp_path / "copy"
    for name in files:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / name, copy / name)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", tmp_path, copy],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    shipped = [name for name in files if name.startswith(("edge/", "build/", "models/"))]
    expected = {
        path.removeprefix("build/").replace("models/", "edge_models/", 1)
        if path.startswith(("build/", "models/"))
        else path
        for path in shipped
    }
    assert expected == held

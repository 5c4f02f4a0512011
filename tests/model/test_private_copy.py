"""A private copy is out of reach of whoever writes to the file."""

import mmap
import os

import numpy as np
import pytest

from edge.model.private_copy import PrivateCopy


@pytest.mark.parametrize("size", [0, 1000, 5 << 20])
def test_it_holds_what_the_file_held(tmp_path, size):
    """Small or large, it is what was there, whatever becomes of the file."""
    content = np.random.default_rng(size).bytes(size)
    path = tmp_path / "table"
    path.write_bytes(content)
    with PrivateCopy(path) as copy:
        os.truncate(path, 0)
        assert copy.path.read_bytes() == content


@pytest.mark.parametrize("size", [1000, 5 << 20])
def test_what_is_mapped_stays_when_it_is_closed(tmp_path, size):
    """The mapping keeps the pages; no descriptor and no file is left."""
    content = np.random.default_rng(size).bytes(size)
    path = tmp_path / "table"
    path.write_bytes(content)
    before = sorted(os.listdir("/proc/self/fd"))
    with PrivateCopy(path) as copy, copy.path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    path.unlink()
    assert bytes(mapped) == content
    mapped.close()
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_where_no_disk_has_room_it_lies_in_memory(tmp_path, monkeypatch):
    """A folder that cannot be written to is no reason to fail."""
    content = bytes(range(256)) * (5 << 12)
    path = tmp_path / "table"
    path.write_bytes(content)
    monkeypatch.setattr("edge.model.private_copy._FOLDERS", (str(tmp_path / "missing"),))
    with PrivateCopy(path) as copy:
        assert "memfd" in os.readlink(copy.path)
        assert copy.path.read_bytes() == content

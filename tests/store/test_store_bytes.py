"""How many bytes an hour costs. Printed: run with `-s`."""

from dataclasses import replace
from pathlib import Path

import pytest
from entries_for_tests import done, file_done, heard, now, opened

from edge.store.store import Store

HOUR = 720
"""Windows of 5 s."""


def written():
    """Bytes that this process gave to `write` so far, and those that it made the disk write."""
    lines = Path("/proc/self/io").read_text().splitlines()
    counts = dict(line.split(": ") for line in lines)
    return int(counts["wchar"]), int(counts["write_bytes"])


@pytest.mark.parametrize(("every", "most"), [(0, 400_000), (10, 460_000), (1, 920_000)])
def test_an_hour_of_windows_committed_one_by_one_costs_less_than_a_megabyte(
    tmp_path, capsys, every, most
):
    """With no detection, one in ten windows and one in each, log and checkpoints together."""
    with Store.open(tmp_path / "edge.db", now=now) as store:
        stream = store.next_stream()
        store.write([opened(stream), done(stream, 0, heard(0))])
        before = written()
        for window in range(1, HOUR + 1):
            found = [heard(window)] if every and window % every == 0 else []
            store.write([done(stream, window, *found)])
        store.close()
        calls, disk = (after - was for after, was in zip(written(), before, strict=True))
    with capsys.disabled():
        print(
            f"\n{HOUR} windows, detections in {f'1 of {every}' if every else 'none'}: "
            f"{calls / 1e6:.3f} MB written, {calls / HOUR:.0f} bytes a window "
            f"(blocks: {disk / 1e6:.3f} MB)"
        )
    assert calls < most


def test_a_file_s_identity_costs_some_two_hundred_and_fifty_bytes(tmp_path, capsys):
    """What stays of a file for ever: its row and its places in two indexes."""
    count = 5000
    path = tmp_path / "edge.db"
    Store.open(path, now=now).close()
    before = path.stat().st_size
    made = [file_done(number) for number in range(count)]
    bare = [replace(entry, samples=0, ranges=(), heard=()) for entry in made]
    with Store.open(path, now=now) as store:
        for entry in bare:
            store.write([entry])
    each = (path.stat().st_size - before) / count
    with capsys.disabled():
        print(f"\n{each:.0f} bytes a file whose path has {len(bare[0].path)} characters")
    assert each < 260

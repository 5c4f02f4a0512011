"""The sinks that write files: exactly once, whatever happens to the file."""

import csv
import errno
import json
import os
import random
import resource
import subprocess

import pytest
from detections import detection

from edge import strict_yaml
from edge.errors import ConfigError
from edge.sinks.csv import CsvSpec
from edge.sinks.jsonl import JsonlSpec
from edge.table.context import Station
from edge.table.rows import COLUMNS

SPECS = {"jsonl": JsonlSpec, "csv": CsvSpec}


def build(kind, path, *, position="", **options):
    spec = SPECS[kind](path=str(path), **options)
    return spec.build(Station("s"), folder=path.parent, position=position)


def some(first, last):
    return [detection(number) for number in range(first, last + 1)]


def numbers(path):
    """The numbers of a file's rows; strict about everything else in it."""
    if path.suffix.endswith("jsonl") or ".jsonl" in path.name:
        return [json.loads(line)["number"] for line in path.read_text().splitlines()]
    with path.open(newline="") as file:
        lines = list(csv.reader(file, strict=True))
    assert list(COLUMNS) == lines[0]
    return [int(line[0]) for line in lines[1:]]


@pytest.fixture(params=SPECS)
def kind(request):
    return request.param


@pytest.fixture
def path(tmp_path, kind):
    return tmp_path / f"found.{kind}"


def test_detections_stand_in_the_file_when_write_returns(kind, path):
    """A line a detection, those that are not sure enough passed over."""
    with build(kind, path, min_confidence=0.5) as sink:
        sink.ready()
        sink.write([detection(1), detection(2, confidence=0.499), detection(3, confidence=0.5)])
        assert numbers(path) == [1, 3]
        sink.write([detection(4, confidence=0.1)])
        assert numbers(path) == [1, 3]


def test_what_was_written_after_the_last_kept_position_is_cut_off(kind, path):
    """After a kill, rows that nobody remembers are not doubled by writing them again."""
    with build(kind, path) as sink:
        sink.ready()
        sink.write(some(1, 3))
        kept = sink.position
        sink.write(some(4, 6))
    with path.open("ab") as file:
        file.write(b'{"number": 7, "half a li')
    with build(kind, path, position=kept) as sink:
        assert kept == sink.ready()
        sink.write(some(4, 5))
    assert numbers(path) == [1, 2, 3, 4, 5]


def test_file_that_is_there_is_added_to(kind, path):
    """Without a position nothing is cut off, and a line that has no end gets one."""
    with build(kind, path) as sink:
        sink.write(some(1, 2))
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    with build(kind, path) as sink:
        sink.write(some(3, 3))
    assert numbers(path) == [1, 2, 3]


def test_position_in_another_file_cuts_nothing(kind, path, tmp_path):
    """A file that was restored, edited or replaced keeps what it holds."""
    with build(kind, path) as sink:
        sink.write(some(1, 1))
        early = sink.position
        sink.write(some(2, 3))
    path.rename(tmp_path / "elsewhere")
    path.write_bytes((tmp_path / "elsewhere").read_bytes())
    with build(kind, path, position=early) as sink:
        sink.write(some(4, 4))
    assert numbers(path) == [1, 2, 3, 4]


def test_same_inode_with_other_content_is_another_file(kind, path):
    """What stands before a position must be what stood there."""
    with build(kind, path) as sink:
        sink.write(some(1, 2))
        kept = sink.position
    content = path.read_bytes()
    path.write_bytes(content.replace(b"Pica pica", b"PICA PICA"))
    with path.open("ab") as file:
        file.write(content.splitlines(keepends=True)[-1])
    with build(kind, path, position=kept) as sink:
        sink.write(some(3, 3))
    assert numbers(path) == [1, 2, 2, 3]


def test_moved_file_is_begun_anew(kind, path, tmp_path):
    """After logrotate's rename the next rows are in a new file, under a heading of their own."""
    moved = tmp_path / f"found.{kind}.1"
    with build(kind, path) as sink:
        sink.write(some(1, 2))
        path.rename(moved)
        sink.ready()
        sink.write(some(3, 4))
        os.unlink(path)
        sink.ready()
        sink.write(some(5, 5))
    assert numbers(moved) == [1, 2]
    assert numbers(path) == [5]


def test_position_does_not_move_between_ready_and_write(kind, path, tmp_path):
    """What was promised by `ready` holds: a file moved just then still gets the rows."""
    with build(kind, path) as sink:
        sink.ready()
        path.rename(tmp_path / f"found.{kind}.1")
        sink.write(some(1, 2))
    assert numbers(tmp_path / f"found.{kind}.1") == [1, 2]
    assert not path.exists()


def test_truncated_file_is_begun_anew(kind, path):
    """After logrotate's copytruncate the next rows follow a heading, without a hole before them."""
    with build(kind, path) as sink:
        sink.write(some(1, 9))
        os.truncate(path, 0)
        sink.ready()
        sink.write(some(10, 11))
        kept = sink.position
    assert numbers(path) == [10, 11]
    os.truncate(path, 0)
    with build(kind, path, position=kept) as sink:
        sink.write(some(12, 12))
    assert numbers(path) == [12]


def test_moved_file_is_cut_too(kind, path, tmp_path):
    """Rows that will be written again to a new file do not stay behind in the old one."""
    moved = tmp_path / f"found.{kind}.1"
    with build(kind, path) as sink:
        sink.write(some(1, 2))
        kept = sink.position
        sink.write(some(3, 4))
    path.rename(moved)
    with build(kind, path, position=kept) as sink:
        sink.write(some(3, 6))
    assert (numbers(moved), numbers(path)) == ([1, 2], [3, 4, 5, 6])


def test_file_of_another_name_is_not_cut(kind, path, tmp_path):
    """A deleted file's inode may come back under any name."""
    with build(kind, path) as sink:
        sink.write(some(1, 1))
        kept = sink.position
        sink.write(some(2, 2))
    path.rename(tmp_path / f"letter.{kind}")
    with build(kind, path, position=kept) as sink:
        sink.write(some(2, 3))
    assert numbers(tmp_path / f"letter.{kind}") == [1, 2]


def test_lines_of_others_are_kept(kind, path):
    """What someone else adds while the file is open stays, and the next row begins a line."""
    with build(kind, path) as sink:
        sink.write(some(1, 1))
        line = path.read_bytes().splitlines()[-1]
        with path.open("ab") as file:
            file.write(line)
        sink.ready()
        sink.write(some(2, 2))
    assert numbers(path) == [1, 1, 2]


def test_missing_folder_is_an_error_until_it_is_there(kind, tmp_path):
    """Nothing is made where a disk may only be missing."""
    path = tmp_path / "disk" / f"found.{kind}"
    with build(kind, path) as sink:
        with pytest.raises(FileNotFoundError):
            sink.ready()
        path.parent.mkdir()
        sink.ready()
        sink.write(some(1, 1))
    assert numbers(path) == [1]


def test_only_a_file_is_written_to(kind, path):
    """A pipe would wait for its reader for ever."""
    os.mkfifo(path)
    with build(kind, path) as sink, pytest.raises(OSError, match="is not a file"):
        sink.ready()


def test_table_with_other_columns_is_left_alone(tmp_path):
    """Rows are not put under a heading that is not theirs."""
    path = tmp_path / "found.csv"
    path.write_text("a,b\n1,2\n")
    with build("csv", path) as sink, pytest.raises(FileExistsError, match="other columns"):
        sink.ready()
    assert path.read_text() == "a,b\n1,2\n"


def test_heading_that_was_cut_short_is_written_again(tmp_path):
    """A kill in the middle of the first line leaves a table all the same."""
    path = tmp_path / "found.csv"
    path.write_text("number,time_u")
    with build("csv", path) as sink:
        sink.write(some(1, 1))
    assert numbers(path) == [1]


def test_full_disk_leaves_no_half_line(kind, path):
    """A write that cannot be finished is taken back, and is written when there is room."""
    with build(kind, path) as sink:
        sink.write(some(1, 1))
        before = path.read_bytes()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) * 3, limits[1]))
        try:
            with pytest.raises(OSError, match="File too large") as caught:
                sink.write(some(2, 50))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert (errno.EFBIG, str(path)) == (caught.value.errno, caught.value.filename)
        assert before == path.read_bytes()
        sink.ready()
        sink.write(some(2, 50))
    assert list(range(1, 51)) == numbers(path)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]
    if os.getuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a tmpfs, and not everywhere")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_sink_goes_on_when_a_full_disk_has_room_again(kind, small_disk):
    """No row is lost or doubled by a disk that was full."""
    path = small_disk / f"found.{kind}"
    filler = small_disk / "filler"
    filler.write_bytes(bytes(48 * 1024))
    written = 0

    def write_all(sink):
        nonlocal written
        while written < 100:
            sink.ready()
            sink.write(some(written + 1, written + 10))
            written += 10

    with build(kind, path) as sink:
        with pytest.raises(OSError, match="No space left"):
            write_all(sink)
        assert 0 < written < 100
        assert list(range(1, written + 1)) == numbers(path)
        filler.unlink()
        write_all(sink)
    assert list(range(1, 101)) == numbers(path)


@pytest.mark.parametrize("seed", range(10))
def test_every_row_is_there_once_after_any_history(kind, path, tmp_path, seed):
    """Writes, kept positions, kills and rotations in any order neither lose nor double a row."""
    dice = random.Random(seed)
    kept, written, rotated = (0, ""), 0, 0
    sink = build(kind, path)
    for _ in range(300):
        step = dice.choice(["write", "write", "write", "keep", "kill", "rotate"])
        if step == "write":
            position = sink.ready()
            if position.split(":")[0] != kept[1].split(":")[0]:
                kept = (written, position)
            count = dice.randint(1, 4)
            sink.write(some(written + 1, written + count))
            written += count
        elif step == "keep" and written:
            kept = (written, sink.position)
        elif step == "kill":
            sink.__exit__(None, None, None)
            written = kept[0]
            sink = build(kind, path, position=kept[1])
        elif step == "rotate" and path.exists() and dice.random() < 0.3:
            rotated += 1
            path.rename(tmp_path / f"found.{kind}.{rotated:03}")
    sink.ready()
    sink.__exit__(None, None, None)
    files = [*sorted(tmp_path.glob(f"found.{kind}.*")), path]
    found = [number for file in files for number in numbers(file)]
    assert list(range(1, written + 1)) == found
    assert rotated > 3


def test_spec_is_strict(kind):
    """YAML names the file, and nothing that is unknown."""
    spec = strict_yaml.parse("{path: x, min_confidence: 0.5}", SPECS[kind], name="y")
    assert SPECS[kind](path="x", min_confidence=0.5) == spec
    for text in ("{}", "{path: ''}", "{path: x, min_confidence: 2}", "{path: x, pth: y}"):
        with pytest.raises(ConfigError):
            strict_yaml.parse(text, SPECS[kind], name="y")

import os
import socket
from pathlib import Path

import pytest

from edge.batch.inputs import Recordings, find_recordings
from edge.errors import InputError


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def stems(recordings: Recordings) -> list[str]:
    return [recordings.stem(n) for n in range(len(recordings))]


def test_directories_are_searched_for_audio(tmp_path):
    """All below a directory with a known suffix, in any case, in the order of file names."""
    touch(tmp_path / "b.WAV", tmp_path / "sub" / "deep" / "a.flac", tmp_path / "c.Mp3")
    touch(tmp_path / "notes.txt", tmp_path / "._b.wav", tmp_path / "b.wav.bak")
    found = find_recordings([tmp_path])
    assert stems(found) == ["a", "b", "c"]
    (left_out,) = found.left_out
    assert left_out == (str(tmp_path / "._b.wav"), "is what macOS keeps beside a file, not audio")


def test_named_file_is_taken_whatever_its_suffix(tmp_path):
    """Who names a file means it."""
    touch(tmp_path / "a.raw")
    assert stems(find_recordings([tmp_path / "a.raw"])) == ["a"]


def test_file_reached_twice_counts_once(tmp_path):
    """By its folder, by name, by another spelling or by a link."""
    touch(tmp_path / "d" / "a.wav")
    (tmp_path / "d" / "link").symlink_to(tmp_path / "d")
    (tmp_path / "d" / "alias.wav").symlink_to("a.wav")
    ways = [tmp_path / "d", tmp_path / "d" / "a.wav", tmp_path / "d" / ".." / "d"]
    assert stems(find_recordings(ways)) == ["a"]


def test_equal_stems_take_their_path_below_the_input(tmp_path):
    """Only those that collide get longer names, as long as need be."""
    touch(tmp_path / "a.wav", tmp_path / "x" / "a.wav", tmp_path / "y" / "a.wav")
    touch(tmp_path / "y" / "a.ogg", tmp_path / "b.wav")
    found = find_recordings([tmp_path])
    expected = {"a", "x/a", "y/a.wav", "y/a.ogg", "b"}
    assert expected == set(stems(found))
    assert len(found.renamed) == 4


def test_equal_paths_below_two_inputs_stay_apart(tmp_path):
    """Where nothing shorter tells them apart, the whole path does."""
    touch(tmp_path / "1" / "a.wav", tmp_path / "2" / "a.wav")
    found = find_recordings([tmp_path / "1", tmp_path / "2"])
    assert [str(tmp_path / "1" / "a.wav"), str(tmp_path / "2" / "a.wav")] == stems(found)


def test_longer_name_does_not_run_into_another_stem(tmp_path):
    """A name with its suffix may be another file's stem."""
    touch(tmp_path / "a.wav", tmp_path / "a.ogg", tmp_path / "a.wav.flac")
    names = stems(find_recordings([tmp_path]))
    assert len(set(names)) == 3


def test_link_that_leads_nowhere_is_kept_to_be_reported(tmp_path):
    """It will fail, counted, instead of vanishing."""
    (tmp_path / "gone.wav").symlink_to("nowhere.wav")
    assert stems(find_recordings([tmp_path])) == ["gone"]


def test_what_is_no_file_is_left_out_and_said(tmp_path):
    """A pipe is never opened, which would wait for ever; nor is a link to one."""
    touch(tmp_path / "a.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "link.wav").symlink_to("pipe.wav")
    (tmp_path / "null.flac").symlink_to(os.devnull)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(os.path.relpath(tmp_path / "door.ogg"))
    found = find_recordings([tmp_path])
    assert stems(found) == ["a"]
    assert list(found.left_out) == [
        (str(tmp_path / "door.ogg"), "is a socket, not a file"),
        (str(tmp_path / "link.wav"), "is a pipe, not a file"),
        (str(tmp_path / "null.flac"), "is a device, not a file"),
        (str(tmp_path / "pipe.wav"), "is a pipe, not a file"),
    ]


def test_names_that_are_no_utf8_stay_apart(tmp_path):
    """A byte that is no text, and a name that reads like its escape, give different stems."""
    names = [os.fsdecode(b"a\xff.wav"), os.fsdecode(b"a\xfe.wav"), "a\\xff.wav"]
    touch(*[tmp_path / name for name in names])
    assert {"a\\xff", "a\\xfe", "a\\\\xff"} == set(stems(find_recordings([tmp_path])))


def test_nothing_to_score_is_an_error(tmp_path):
    """A directory without audio, and a path that leads nowhere."""
    touch(tmp_path / "notes.txt")
    with pytest.raises(InputError, match="no audio found"):
        find_recordings([tmp_path])
    os.mkfifo(tmp_path / "pipe.wav")
    for place in (tmp_path, tmp_path / "pipe.wav"):
        with pytest.raises(InputError, match=r"no audio found\n  left out: .*pipe\.wav: is a pipe"):
            find_recordings([place])
    with pytest.raises(InputError, match="does not exist"):
        find_recordings([tmp_path / "nowhere"])

"""Looking through a folder: what was there before, what stands in the way, what is no recording."""

import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from watched_folder import (
    SETTLE_S,
    Done,
    SetClock,
    Taker,
    count_watches,
    set_age,
    watch,
    wav,
    without_privilege,
)

from edge import strict_yaml
from edge.errors import ConfigError
from edge.sources.directory import DirectorySpec


def write(path: Path, *, age_s: float = 60.0) -> Path:
    """A complete recording, last written to a while ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wav())
    set_age(path, age_s)
    return path


def test_what_was_there_before_comes_at_once_and_in_order(tmp_path):
    """By path, and so by time with recorders' names; what is known does not come."""
    names = [f"2024050{day}/0{hour}0000.wav" for day in (1, 2, 3) for hour in (1, 2, 3)]
    for name in reversed(names):
        write(tmp_path / name)
    known = Done(*(tmp_path / name for name in names[:2]))
    with watch(tmp_path, clock=SetClock(), known=known) as taker:
        taker.until(lambda: taker.directory.drained)
        assert names[2:] == [str(file.path.relative_to(tmp_path)) for file in taker.got]


def test_what_was_there_before_and_is_young_has_to_settle(tmp_path):
    """Somebody may be writing to it; the age it has counts."""
    clock = SetClock()
    write(tmp_path / "a.wav", age_s=SETTLE_S / 2)
    write(tmp_path / "b.wav", age_s=0)
    with watch(tmp_path, clock=clock) as taker:
        assert taker.waiting == ["a.wav", "b.wav"]
        clock.passed_s += 0.6 * SETTLE_S
        taker.until_taken("a.wav")
        clock.passed_s += 0.6 * SETTLE_S
        taker.until_taken("a.wav", "b.wav")


@pytest.mark.parametrize("age_s", [60.0, 365 * 86_400.0])
def test_what_was_cut_off_long_ago_comes_at_once_only_if_it_is_old(tmp_path, age_s):
    """A header that disagrees is believed for ten settle times from the last writing."""
    clock = SetClock()
    (tmp_path / "a.wav").write_bytes(wav(promised=20_000))
    set_age(tmp_path / "a.wav", age_s)
    with watch(tmp_path, clock=clock) as taker:
        if age_s > 10 * SETTLE_S:
            taker.until_taken("a.wav")
        else:
            assert taker.waiting == ["a.wav"]


def test_a_file_from_the_future_has_to_settle(tmp_path):
    """The clock was set back: what was written before seems to come from later."""
    clock = SetClock()
    write(tmp_path / "a.wav", age_s=-365 * 86_400)
    with watch(tmp_path, clock=clock) as taker:
        assert taker.waiting == ["a.wav"]
        clock.passed_s += SETTLE_S
        taker.until_taken("a.wav")


def test_the_sweep_finds_what_nobody_told(tmp_path):
    """A hidden file that is linked under another name makes no sound; nor does a file in a loop."""
    clock = SetClock()
    (tmp_path / ".hidden").mkdir()
    with watch(tmp_path, clock=clock, sweep_seconds=50.0) as taker:
        write(tmp_path / ".hidden" / "a.wav")
        (tmp_path / ".hidden").rename(tmp_path / "seen")
        taker.until(lambda: taker.waiting == ["a.wav"])
        clock.passed_s += SETTLE_S
        taker.until_taken("a.wav")


def test_sub_folders_can_be_left_out(tmp_path):
    """With `recursive: false`, those that are there and those that come."""
    write(tmp_path / "a.wav")
    write(tmp_path / "old" / "b.wav")
    with watch(tmp_path, clock=SetClock(), recursive=False) as taker:
        write(tmp_path / "new" / "c.wav")
        write(tmp_path / "d.wav")
        taker.until_taken("a.wav", "d.wav")
        assert taker.directory.drained


def test_sub_folders_that_come_later_are_watched(tmp_path):
    """A recorder begins one for each day, and others below it."""
    clock = SetClock()
    with watch(tmp_path, clock=clock) as taker:
        write(tmp_path / "20240501" / "night" / "late" / "a.wav")
        taker.until(lambda: len(taker.got) + len(taker.waiting) == 1)
        clock.passed_s += SETTLE_S
        taker.until_taken("a.wav")
        # Watched by now, so that closing is enough.
        write(tmp_path / "20240501" / "night" / "late" / "b.wav")
        write(tmp_path / "20240501" / "c.wav")
        taker.until_taken("a.wav", "b.wav", "c.wav")


def test_a_renamed_folder_is_watched_under_its_new_name(tmp_path, tmp_path_factory):
    """And one that was moved away no more."""
    clock = SetClock()
    (tmp_path / "a" / "deep").mkdir(parents=True)
    away = tmp_path_factory.mktemp("away")
    with watch(tmp_path, clock=clock) as taker:
        (tmp_path / "a").rename(tmp_path / "b")
        (tmp_path / "a" / "deep").mkdir(parents=True)
        # Moved while it was written to: found under its new name, and has to settle.
        write(tmp_path / "b" / "deep" / "early.wav")
        taker.until(lambda: len(taker.got) + len(taker.waiting) == 1)
        clock.passed_s += SETTLE_S
        taker.until_taken("early.wav")
        write(tmp_path / "b" / "deep" / "x.wav")
        write(tmp_path / "a" / "deep" / "y.wav")
        taker.until(lambda: len(taker.got) + len(taker.waiting) == 3)
        clock.passed_s += SETTLE_S
        taker.until_taken("early.wav", "x.wav", "y.wav")
        assert {tmp_path / "b/deep/x.wav", tmp_path / "a/deep/y.wav"} <= {f.path for f in taker.got}
        (tmp_path / "b").rename(away / "b")
        write(away / "b" / "deep" / "z.wav")
        write(tmp_path / "end.wav")
        taker.until_taken("early.wav", "x.wav", "y.wav", "end.wav")
        assert taker.directory.idle


def test_hidden_names_are_passed_over(tmp_path):
    """Other systems leave `._name` beside a file, and bins with what was thrown away."""
    write(tmp_path / "._a.wav")
    write(tmp_path / ".Trashes" / "b.wav")
    with watch(tmp_path, clock=SetClock()) as taker:
        write(tmp_path / "._c.wav")
        write(tmp_path / ".Spotlight" / "d.wav")
        write(tmp_path / "e.wav")
        taker.until_taken("e.wav")
        assert taker.directory.drained


def test_links_are_passed_over(tmp_path, tmp_path_factory):
    """Circles, ways out, and second names for what is found by its own; before and later."""
    outside = tmp_path_factory.mktemp("outside")
    write(outside / "out.wav")
    write(tmp_path / "a" / "in.wav")

    def link(place: Path) -> None:
        (place / "circle").symlink_to(tmp_path)
        (place / "way out").symlink_to(outside)
        (place / "out.wav").symlink_to(outside / "out.wav")
        (place / "second.wav").symlink_to(tmp_path / "a" / "in.wav")
        (place / "nowhere.wav").symlink_to(tmp_path / "nothing")

    link(tmp_path / "a")
    with watch(tmp_path, clock=SetClock()) as taker:
        link(tmp_path)
        write(tmp_path / "b.wav")
        taker.until_taken("in.wav", "b.wav")
        assert taker.directory.drained
        assert taker.directory.trouble == []


def test_the_folder_itself_may_be_a_link(tmp_path):
    """It is followed again in each sweep, so that it may be turned elsewhere."""
    clock = SetClock()
    write(tmp_path / "one" / "a.wav")
    write(tmp_path / "two" / "b.wav")
    place = tmp_path / "place"
    place.symlink_to("one")
    before = count_watches()
    with watch(place, clock=clock, sweep_seconds=30.0) as taker:
        write(place / "c.wav")
        taker.until_taken("a.wav", "c.wav")
        assert taker.got[0].path == place / "a.wav"
        place.unlink()
        place.symlink_to("two")
        clock.passed_s += 30.0
        taker.until(lambda: taker.waiting == ["b.wav"])
        assert count_watches() == before + 1
        write(place / "d.wav")
        clock.passed_s += SETTLE_S
        taker.until_taken("a.wav", "c.wav", "b.wav", "d.wav")


def test_what_is_no_file_is_never_opened(tmp_path):
    """Pipes, sockets, devices and folders with an audio file's name."""

    def make(place: Path) -> None:
        os.mkfifo(place / "fifo.wav")
        (place / "folder.wav").mkdir()
        with socket.socket(socket.AF_UNIX) as listener:
            here = os.getcwd()
            os.chdir(place)
            listener.bind("socket.wav")
            os.chdir(here)
        if os.geteuid() == 0:
            os.mknod(place / "device.wav", stat.S_IFCHR | 0o666, os.makedev(1, 5))

    (tmp_path / "old").mkdir()
    make(tmp_path / "old")
    write(tmp_path / "old" / "folder.wav" / "a.wav")
    with watch(tmp_path, clock=SetClock()) as taker:
        make(tmp_path)
        write(tmp_path / "b.wav")
        taker.until_taken("a.wav", "b.wav")
        assert taker.directory.drained


@pytest.mark.parametrize(
    "name", [b"new\nline.wav", b"not \xff utf-8.wav", "gr\u00fcn.wav".encode()]
)
def test_any_name_will_do(tmp_path, name):
    """Found by the sweep or told by the kernel."""
    folder = os.fsencode(tmp_path)
    for place in (b"old", b"new"):
        os.mkdir(os.path.join(folder, place))
    old, new = (Path(os.fsdecode(os.path.join(folder, sub, name))) for sub in (b"old", b"new"))
    write(old)
    with watch(tmp_path, clock=SetClock()) as taker:
        write(new)
        taker.until(lambda: len(taker.got) == 2)
        assert {old, new} == {file.path for file in taker.got}


def test_a_missing_folder_is_trouble_until_it_is_there(tmp_path):
    """It is looked for each settle time."""
    clock = SetClock()
    place = tmp_path / "card"
    with watch(place, clock=clock) as taker:
        assert [(str(place), "is not there")] == [t[:2] for t in taker.directory.trouble]
        assert taker.directory.drained
        assert taker.directory.next_look_s == SETTLE_S
        write(place / "a.wav")
        clock.passed_s += SETTLE_S
        taker.until(lambda: not taker.directory.trouble)
        clock.passed_s += SETTLE_S
        taker.until_taken("a.wav")


def test_a_file_in_the_folders_place_is_trouble(tmp_path):
    """It says so."""
    place = write(tmp_path / "a.wav")
    with watch(place, clock=SetClock()) as taker:
        assert [(str(place), "is not a folder")] == [t[:2] for t in taker.directory.trouble]


def test_a_folder_deleted_and_made_again_is_watched_again(tmp_path):
    """That it went is noticed by itself; that it came back, at the next look."""
    clock = SetClock()
    place = tmp_path / "card"
    place.mkdir()
    with watch(place, clock=clock) as taker:
        for number in range(3):
            place.rmdir()
            clock.passed_s += SETTLE_S
            taker.until(lambda: len(taker.directory.trouble) == 1)
            place.mkdir()
            clock.passed_s += SETTLE_S
            taker.until(lambda: not taker.directory.trouble)
            path = write(place / f"{number}.wav")
            taker.until(lambda number=number: len(taker.got) == number + 1)
            path.unlink()


@pytest.mark.parametrize("sub", ["", "day"])
def test_a_folder_made_again_at_once_is_watched_again(tmp_path, sub):
    """Though the file system may give it the same inode."""
    clock = SetClock()
    place = tmp_path / "card" / sub
    place.mkdir(parents=True)
    with watch(tmp_path / "card", clock=clock) as taker:
        for number in range(5):
            taker.woken.clear()
            place.rmdir()
            place.mkdir()
            assert taker.woken.wait(60)
            clock.passed_s += SETTLE_S
            taker.sweep()
            path = write(place / f"{number}.wav")
            taker.until(lambda number=number: len(taker.got) == number + 1)
            path.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_folder_unmounted_and_mounted_again_is_watched_again(tmp_path):
    """What is on the disk below it is not what is on the card."""
    clock = SetClock()
    card, place = tmp_path / "card", tmp_path / "place"
    card.mkdir()
    place.mkdir()

    @contextmanager
    def mounted() -> Iterator[None]:
        made = subprocess.run(
            ["mount", "--bind", card, place], check=False, capture_output=True, text=True
        )
        if made.returncode:
            pytest.skip(f"nothing can be mounted here: {made.stderr.strip()}")
        try:
            yield
        finally:
            subprocess.run(["umount", place], check=True)

    write(card / "a.wav")
    with watch(place, clock=clock, sweep_seconds=30.0) as taker:
        with mounted():
            clock.passed_s += 30.0
            taker.until(lambda: taker.waiting == ["a.wav"])
            write(place / "b.wav")
            taker.until_taken("b.wav")
        clock.passed_s += 30.0
        taker.until(lambda: not taker.waiting)
        write(place / "c.wav")
        taker.until_taken("b.wav", "c.wav")
        with mounted():
            clock.passed_s += 30.0
            taker.until(lambda: taker.waiting == ["a.wav"])
            clock.passed_s += SETTLE_S
            taker.until_taken("a.wav", "b.wav", "c.wav")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_file_system_that_is_unmounted_under_way_is_noticed_by_itself(tmp_path):
    """The kernel tells that the watch is gone; a sweep follows."""
    clock = SetClock()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "none", tmp_path], check=False, capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"nothing can be mounted here: {made.stderr.strip()}")
    try:
        with watch(tmp_path, clock=clock) as taker:
            write(tmp_path / "a.wav")
            taker.until_taken("a.wav")
            clock.passed_s += SETTLE_S
            subprocess.run(["umount", tmp_path], check=True)
            taker.until(lambda: taker.woken.is_set() or taker.directory.next_look_s > 0)
            taker.sweep()
            ((where, what, remedy),) = taker.directory.trouble
            assert (where, what) == (
                str(tmp_path),
                "the disk that was mounted here was taken away",
            )
            assert "mount it again" in remedy
            write(tmp_path / "b.wav")
            taker.until(lambda: len(taker.got) + len(taker.waiting) == 2)
            subprocess.run(["mount", "-t", "tmpfs", "none", tmp_path], check=True)
            clock.passed_s += 600.0
            taker.until(lambda: not taker.directory.trouble)
    finally:
        subprocess.run(["umount", "-q", tmp_path], check=False, capture_output=True)


@pytest.mark.parametrize("mode", [0o000, 0o444, 0o111])
def test_a_locked_sub_folder_alone_is_trouble(mode):
    """The others are watched; it is, too, from when it is unlocked."""
    clock = SetClock()
    with without_privilege() as folder:
        locked = folder / "locked"
        write(locked / "a.wav")
        write(folder / "open" / "b.wav")
        locked.chmod(mode)
        with watch(folder, clock=clock, sweep_seconds=30.0) as taker:
            taker.until_taken("b.wav")
            assert [(str(locked), "may not be looked into")] == [
                t[:2] for t in taker.directory.trouble
            ]
            assert taker.directory.drained
            write(folder / "open" / "c.wav")
            taker.until_taken("b.wav", "c.wav")
            locked.chmod(0o755)
            clock.passed_s += 30.0
            taker.until(lambda: not taker.directory.trouble)
            clock.passed_s += SETTLE_S
            write(locked / "d.wav")
            taker.until_taken("a.wav", "b.wav", "c.wav", "d.wav")


def test_a_locked_sub_folder_that_goes_away_is_no_trouble():
    """The next sweep forgets it."""
    clock = SetClock()
    with without_privilege() as folder:
        locked = folder / "locked"
        locked.mkdir(mode=0)
        with watch(folder, clock=clock, sweep_seconds=30.0) as taker:
            assert len(taker.directory.trouble) == 1
            locked.rmdir()
            clock.passed_s += 30.0
            taker.until(lambda: not taker.directory.trouble)


def test_files_that_may_not_be_read_are_trouble_until_they_may():
    """One for each folder; nobody waits for them."""
    clock = SetClock()
    with without_privilege() as folder:
        for name in ("a.wav", "b.wav", "c.wav"):
            write(folder / name).chmod(0)
        write(folder / "d.wav")
        with watch(folder, clock=clock) as taker:
            taker.until_taken("d.wav")
            (trouble,) = taker.directory.trouble
            assert (str(folder), "holds recordings that may not be read") == trouble[:2]
            assert trouble.remedy.endswith(": a.wav and 2 others")
            assert taker.directory.drained
            assert taker.directory.pending == 0
            (folder / "a.wav").chmod(0o644)
            (folder / "b.wav").unlink()
            clock.passed_s += SETTLE_S
            taker.until_taken("a.wav", "d.wav")
            (trouble,) = taker.directory.trouble
            assert trouble.remedy.endswith(": c.wav")


def test_drained_waits_for_what_still_grows(tmp_path):
    """Only when all is done that is there."""
    write(tmp_path / "a.wav")
    taker = Taker(tmp_path, clock=SetClock())
    with taker.directory, (tmp_path / "b.wav").open("wb", buffering=0) as file:
        assert not taker.directory.drained
        file.write(wav()[:1_000])
        taker.until(lambda: taker.names == ["a.wav"] and taker.waiting == ["b.wav"])
        assert not taker.directory.drained
        file.write(wav()[1_000:])
        file.close()
        taker.until(lambda: taker.directory.drained)
        assert taker.names == ["a.wav", "b.wav"]


def test_an_error_of_the_caller_loses_no_file(tmp_path):
    """What was being looked at when `known_fingerprints` failed is looked at again."""
    for number in range(10):
        write(tmp_path / f"{number}.wav")

    class Failing(Done):
        def fingerprints(self, *stamp):
            if self.asked == 4:
                self.asked += 1
                raise OSError("disk I/O error")
            return super().fingerprints(*stamp)

    taker = Taker(tmp_path, clock=SetClock(), known=Failing())
    with taker.directory:
        with pytest.raises(OSError, match="disk I/O error"):
            taker.until(lambda: taker.directory.drained)
        taker.until(lambda: taker.directory.drained)
    assert [f"{number}.wav" for number in range(10)] == taker.names


def test_the_structure_of_a_configuration():
    """Every key but the path has a value of its own."""
    spec = strict_yaml.parse("{path: /var/lib/recorder}", DirectorySpec, name="x")
    assert spec == DirectorySpec(
        path="/var/lib/recorder",
        recursive=True,
        timezone=None,
        settle_seconds=10.0,
        sweep_seconds=60.0,
    )


@pytest.mark.parametrize("text", ["{path: ''}", "{path: x, settle_seconds: 0}", "{path: x, y: 1}"])
def test_a_configuration_out_of_range_is_refused(text):
    """An empty path, no time at all, an unknown key."""
    with pytest.raises(ConfigError):
        strict_yaml.parse(text, DirectorySpec, name="x")

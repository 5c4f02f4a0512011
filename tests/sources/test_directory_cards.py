"""Cards of several recorders at one folder: names, sizes and times agree, the sound does not."""

import os
import subprocess
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watched_folder import Done, SetClock, Taker, set_age, watch, wav, without_privilege

from edge.sources.directory import FoundFile, read_fingerprint

WRITTEN_NS = 1_558_504_800_000_000_000
SOUND = wav()
SOUNDS = [SOUND, b"".join([SOUND[:99], b"\0", SOUND[100:]]), SOUND[:-1] + b"\0"]
"""Of one size: another begins otherwise, another ends otherwise."""
NAMES = ["20190522_060000.WAV", "20190522_061000.WAV"]


def write_card(folder: Path, *sounds: bytes) -> Path:
    """A card whose files were written at the same time as those of every other one."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, sound in zip(NAMES, sounds, strict=False):
        (folder / name).write_bytes(sound)
        os.utime(folder / name, ns=(WRITTEN_NS, WRITTEN_NS))
    return folder


class Slot:
    """A folder at which one card of several is at a time."""

    def __init__(self, folder: Path, *cards: Path) -> None:
        self.folder = folder
        self._cards = cards
        self._inserted: Path | None = None

    def insert(self, number: int | None) -> None:
        """Take out what is there and put another card in, or none."""
        if self._inserted is not None:
            self.folder.rename(self._inserted)
        self._inserted = None if number is None else self._cards[number]
        if self._inserted is not None:
            self._inserted.rename(self.folder)


@pytest.fixture
def clock():
    return SetClock()


@pytest.fixture
def slot(tmp_path):
    """With two cards beside it, whose sounds begin otherwise."""
    cards = [write_card(tmp_path / f"card {n}", SOUNDS[n], SOUNDS[n]) for n in range(2)]
    return Slot(tmp_path / "slot", *cards)


def look(taker, clock):
    """Let sweeps go through the folder, and what they find settle."""
    for _ in range(2):
        clock.passed_s += 601.0
        taker.sweep()
    drain(taker, clock)


def drain(taker, clock):
    """Let time pass until all is done: the kernel may tell late that the folder was moved."""

    def drained() -> bool:
        clock.passed_s += 601.0
        return taker.directory.drained

    taker.until(drained)


@pytest.mark.parametrize("sounds", [(0, 1), (0, 2)])
@pytest.mark.parametrize("restart", [False, True])
def test_the_files_of_another_card_come_and_those_of_the_same_do_not(
    tmp_path, clock, sounds, restart
):
    """However often they are exchanged, each file of each comes once."""
    cards = [write_card(tmp_path / f"card {n}", SOUNDS[n], SOUNDS[n]) for n in sounds]
    slot = Slot(tmp_path / "slot", *cards)
    done = Done()
    got = []
    taker = Taker(slot.folder, clock=clock, known=done)
    taker.directory.__enter__()
    for number in (0, 1, 0, 1, 1, 0):
        slot.insert(number)
        look(taker, clock)
        got.append(len(taker.got))
        if restart:
            taker.directory.__exit__(None, None, None)
            taker = Taker(slot.folder, clock=clock, known=done)
            taker.directory.__enter__()
    taker.directory.__exit__(None, None, None)
    assert got == ([2, 2, 0, 0, 0, 0] if restart else [2, 4, 4, 4, 4, 4])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_cards_that_are_mounted_in_turn(tmp_path, clock):
    """Also where their files have the same inodes."""
    done = Done()
    with watch(tmp_path, clock=clock, known=done) as taker:
        for number, sound in enumerate(SOUNDS, start=1):
            made = subprocess.run(
                ["mount", "-t", "tmpfs", "none", tmp_path],
                check=False,
                capture_output=True,
                text=True,
            )
            if made.returncode:
                pytest.skip(f"nothing can be mounted here: {made.stderr.strip()}")
            try:
                write_card(tmp_path, sound, sound)
                look(taker, clock)
                assert len(taker.got) == 2 * number
            finally:
                subprocess.run(["umount", tmp_path], check=True)


def test_known_files_are_read_once_and_not_at_every_sweep(tmp_path, clock):
    """What a sweep reads of them does not grow with their number, until they are others."""
    count = 500
    for number in range(count):
        (tmp_path / f"{number:03}.wav").write_bytes(SOUND)
        set_age(tmp_path / f"{number:03}.wav", 60.0)

    def read_bytes() -> int:
        lines = Path("/proc/self/io").read_text().splitlines()
        return int(dict(line.split(": ") for line in lines)["rchar"])

    done = Done(*tmp_path.iterdir())
    taker = Taker(tmp_path, clock=clock, known=done)
    read = [read_bytes()]
    with taker.directory:
        for _ in range(3):
            clock.passed_s += 601.0
            taker.sweep()
            read.append(read_bytes())
        for path in tmp_path.iterdir():
            path.chmod(0o600)
        clock.passed_s += 601.0
        taker.sweep()
        read.append(read_bytes())
        assert taker.got == []
    ends = 2 * 4096 * count
    sweeps = [after - before for before, after in pairwise(read)]
    assert [round(each / ends) for each in sweeps] == [1, 0, 0, 1]


def test_a_card_exchanged_before_its_files_were_taken(slot, clock):
    """What is handed out is what is there; the other comes when it is there again."""
    slot.insert(0)
    taker = Taker(slot.folder, clock=clock)
    with taker.directory:
        while not taker.turn():
            assert taker.directory.next_look_s == 0
        assert taker.directory.pending == 1
        slot.insert(1)
        assert taker.turn()
        assert taker.got[1].fingerprint == read_fingerprint(slot.folder / NAMES[1])[0]
        look(taker, clock)
        slot.insert(0)
        look(taker, clock)
    assert Counter(NAMES * 2) == Counter(taker.names)
    assert len(set(taker.got)) == 4


def test_a_card_exchanged_before_its_file_was_done(slot, clock):
    """The file that is there then is not taken for it."""
    slot.insert(0)
    taker = Taker(slot.folder, clock=clock)
    with taker.directory:
        while (file := taker.directory.take()) is None:
            assert taker.directory.next_look_s == 0
        slot.insert(1)
        taker.known.add(file)
        taker.directory.done(file)
        look(taker, clock)
        assert Counter(NAMES) == Counter(taker.names)
        slot.insert(0)
        look(taker, clock)
        assert Counter([*NAMES, NAMES[1]]) == Counter(taker.names)
    assert len({file, *taker.got}) == 4


def test_another_cards_file_that_may_not_be_read_is_trouble(clock):
    """That one of its name was done says nothing of it."""
    with without_privilege() as folder:
        path = write_card(folder, SOUND) / NAMES[0]
        done = Done(path)
        path.chmod(0)
        with watch(folder, clock=clock, known=done) as taker:
            look(taker, clock)
            (trouble,) = taker.directory.trouble
            assert (str(folder), "holds recordings that may not be read") == trouble[:2]
            path.chmod(0o644)
            look(taker, clock)
            assert taker.directory.trouble == []


def test_a_file_that_could_not_be_read_and_was_done_so_is_known(clock):
    """Until it can be read."""
    with without_privilege() as folder:
        path = write_card(folder, SOUND) / NAMES[0]
        done = Done()
        done.add(FoundFile(path, len(SOUND), WRITTEN_NS, ""))
        path.chmod(0)
        with watch(folder, clock=clock, known=done) as taker:
            look(taker, clock)
            assert (taker.got, taker.directory.trouble) == ([], [])
            path.chmod(0o644)
            look(taker, clock)
            assert taker.names == [NAMES[0]]


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 8191, 8192, 8193, 50_000])
def test_a_fingerprint_is_of_both_ends(tmp_path, size):
    """A byte more, or another one in the first or last 4 KiB, makes another fingerprint."""
    content = bytes(range(256)) * 200
    contents = {content[:size], content[: size + 1]}
    for at in {0, 4095, size - 4096, size - 1} & set(range(size)):
        contents.add(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 : size])
    path = tmp_path / "a.wav"
    found = set()
    for one in contents:
        path.write_bytes(one)
        fingerprint, status = read_fingerprint(path)
        assert (len(one), 16) == (status.st_size, len(fingerprint))
        found.add(fingerprint)
    assert len(found) == len(contents)


@pytest.mark.parametrize("kind", ["nothing", "folder", "pipe", "link"])
def test_what_is_no_regular_file_has_no_fingerprint(tmp_path, kind):
    """Nobody waits for a pipe, and links are not followed."""
    path = tmp_path / "a.wav"
    (tmp_path / "b.wav").write_bytes(SOUND)
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("b.wav")
    with pytest.raises(OSError, match=r"a\.wav"):
        read_fingerprint(path)


actions = st.one_of(
    st.tuples(st.just("insert"), st.sampled_from([None, 0, 1, 2])),
    st.tuples(st.sampled_from(["take", "give back", "look", "restart"]), st.none()),
)
contents = st.lists(st.sampled_from([0, 1, 2]), max_size=2)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(st.tuples(contents, contents, contents), st.lists(actions, max_size=25))
def test_each_recording_of_each_card_is_read_once(cards, actions):
    """Whenever they are exchanged: before, while and after a file is read, and across restarts."""
    with tempfile.TemporaryDirectory() as folder:
        follow(Path(folder), cards, actions)


def follow(folder: Path, cards, actions) -> None:
    clock, done = SetClock(), Done()
    places = [
        write_card(folder / f"card {number}", *(SOUNDS[sound] for sound in card))
        for number, card in enumerate(cards)
    ]
    slot = Slot(folder / "slot", *places)
    read: Counter[tuple[str, bytes]] = Counter()

    def give_back(taker: Taker) -> None:
        """As the daemon does: keep what was read only if it is what was handed out."""
        for file in taker.got:
            try:
                content = file.path.read_bytes()
                same = read_fingerprint(file.path)[0] == file.fingerprint
            except OSError:
                same = False
            if same:
                read[file.path.name, content] += 1
                done.add(file)
                taker.directory.done(file)
            else:
                taker.directory.later(file)
        taker.got.clear()

    def look_and_read(taker: Taker) -> None:
        for _ in range(3):
            clock.passed_s += 601.0
            taker.sweep()
            give_back(taker)

    taker = Taker(slot.folder, clock=clock, known=done, finish=False)
    taker.directory.__enter__()
    try:
        for action, number in actions:
            if action == "insert":
                slot.insert(number)
            elif action == "take":
                taker.turn()
            elif action == "give back":
                give_back(taker)
            elif action == "look":
                look_and_read(taker)
            else:
                taker.directory.__exit__(None, None, None)
                taker = Taker(slot.folder, clock=clock, known=done, finish=False)
                taker.directory.__enter__()
        for number in range(len(cards)):
            slot.insert(number)
            look_and_read(taker)
            drain(taker, clock)
    finally:
        taker.directory.__exit__(None, None, None)
    expected = {
        (name, SOUNDS[sound]) for card in cards for name, sound in zip(NAMES, card, strict=False)
    }
    assert dict.fromkeys(expected, 1) == read

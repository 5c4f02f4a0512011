"""Files that arrive while a folder is watched: when each is complete."""

import os
import threading
from datetime import UTC, datetime

import pytest
from watched_folder import SETTLE_S, SetClock, Taker, set_age, watch, wav

from edge.sources.directory import FoundFile, read_fingerprint


@pytest.fixture
def clock():
    return SetClock()


@pytest.fixture
def taker(tmp_path, clock):
    """Time stands still: what is handed out was closed, or moved in, and not merely old."""
    with watch(tmp_path, clock=clock) as taker:
        yield taker


def let_pass(taker, clock, seconds):
    """Let time pass, a little less than a settle time at once, and see what comes of it."""
    end_s = clock.passed_s + seconds
    while clock.passed_s < end_s:
        clock.passed_s = min(end_s, clock.passed_s + 0.9 * SETTLE_S)
        taker.until(lambda: taker.directory.next_look_s > 0)


def test_a_closed_file_is_handed_out_at_once(taker, tmp_path):
    """With its size, modification time and fingerprint, before anything has settled."""
    path = tmp_path / "a.wav"
    path.write_bytes(wav())
    taker.until_taken("a.wav")
    fingerprint, status = read_fingerprint(path)
    assert taker.got == [FoundFile(path, 16_044, status.st_mtime_ns, fingerprint)]


@pytest.mark.parametrize("name", ["a.WAV", "a.flac", "a.ogg", "a b.Mp3"])
def test_files_are_known_by_their_suffix(taker, tmp_path, name):
    """In any case; what is inside is for the reader to say."""
    (tmp_path / "notes.txt").write_bytes(wav())
    (tmp_path / name).write_bytes(b"some bytes, and some more")
    taker.until_taken(name)


def test_a_file_moved_in_is_handed_out_at_once(taker, tmp_path, tmp_path_factory):
    """It came complete."""
    outside = tmp_path_factory.mktemp("outside") / "a.wav"
    outside.write_bytes(wav())
    outside.rename(tmp_path / "a.wav")
    taker.until_taken("a.wav")


def test_a_temporary_file_is_no_recording_until_it_is_renamed(taker, tmp_path):
    """Recorders and rsync write under another name first."""
    for name in ("a.wav.tmp", ".b.wav.Xa3f"):
        (tmp_path / name).write_bytes(wav())
    (tmp_path / "c.wav").write_bytes(wav())
    taker.until_taken("c.wav")
    assert taker.directory.idle
    (tmp_path / "a.wav.tmp").rename(tmp_path / "a.wav")
    (tmp_path / ".b.wav.Xa3f").rename(tmp_path / "b.wav")
    taker.until_taken("a.wav", "b.wav", "c.wav")


def test_a_file_that_grows_for_an_hour_is_left_alone(taker, clock, tmp_path):
    """It is listed as waiting since it began, and handed out when it is closed."""
    audio = memoryview(wav(3_600))
    with (tmp_path / "a.wav").open("wb", buffering=0) as file:
        file.write(wav(0, promised=len(audio) - 44))
        taker.until(lambda: taker.waiting == ["a.wav"])
        since = clock.now()
        for _ in range(600):
            file.write(audio[file.tell() :][:90_000])
            let_pass(taker, clock, 6.0)
        assert (taker.names, taker.waiting) == ([], ["a.wav"])
        assert [since] == [waiting.since for waiting in taker.directory.waiting]
        file.write(audio[file.tell() :])
    taker.until_taken("a.wav")
    assert taker.got[0].size == len(audio)


def test_writing_wakes_nobody(taker, tmp_path):
    """A file that grows costs a look each settle time, however often it is written to."""
    with (tmp_path / "a.flac").open("wb", buffering=0) as file:
        taker.until(lambda: taker.waiting == ["a.flac"])
        before = taker.wakes
        for _ in range(5_000):
            file.write(b"some bytes")
        assert taker.directory.take() is None
        assert taker.directory.next_look_s == SETTLE_S
        assert before == taker.wakes
    taker.until_taken("a.flac")


def test_a_file_held_open_is_complete_when_it_has_settled_and_its_header_agrees(
    taker, clock, tmp_path
):
    """Some programs keep a file open for ever."""
    with (tmp_path / "a.wav").open("wb", buffering=0) as file:
        file.write(wav())
        taker.until(lambda: taker.waiting == ["a.wav"])
        let_pass(taker, clock, 0.9 * SETTLE_S)
        assert taker.names == []
        let_pass(taker, clock, SETTLE_S)
        taker.until_taken("a.wav")


@pytest.mark.parametrize("promised", [0, 12_000, 40_000, 1 << 30, 0xFFFF_FFFF])
def test_a_header_that_disagrees_is_waited_for(taker, clock, tmp_path, promised):
    """Recorders set sizes at the end: one held open has ten settle times to do so."""
    with (tmp_path / "a.wav").open("wb", buffering=0) as file:
        file.write(wav(promised=promised) + b"\x01" * 20_000)
        taker.until(lambda: taker.waiting == ["a.wav"])
        let_pass(taker, clock, 9.5 * SETTLE_S)
        assert (taker.names, taker.waiting) == ([], ["a.wav"])
        let_pass(taker, clock, SETTLE_S)
        taker.until_taken("a.wav")


def test_a_header_set_right_in_place_is_noticed(taker, clock, tmp_path):
    """The size stays what it was, the header agrees now: no more is waited for."""
    with (tmp_path / "a.wav").open("wb", buffering=0) as file:
        file.write(wav(promised=0))
        taker.until(lambda: taker.waiting == ["a.wav"])
        let_pass(taker, clock, 5 * SETTLE_S)
        file.seek(0)
        file.write(wav()[:44])
        let_pass(taker, clock, 3.5 * SETTLE_S)
        taker.until_taken("a.wav")


def test_a_closed_file_may_leave_its_sizes_unset(taker, tmp_path):
    """Closed is closed: what was recorded to a pipe never learns its length."""
    for name, promised in (("a.wav", 0), ("b.wav", 0xFFFF_FFFF), ("c.wav", 0x7FFF_F000)):
        (tmp_path / name).write_bytes(wav(promised=promised))
    taker.until_taken("a.wav", "b.wav", "c.wav")


@pytest.mark.parametrize("there", [0, 10, 30, 44, 5_000])
def test_a_copy_in_pieces_is_one_file(taker, clock, tmp_path, there):
    """Closed with less than its header promises: more will come, and then it is whole at once."""
    path = tmp_path / "a.wav"
    path.write_bytes(wav()[:there])
    taker.until(lambda: taker.waiting == ["a.wav"])
    let_pass(taker, clock, 5 * SETTLE_S)
    assert taker.names == []
    with path.open("ab") as file:
        file.write(wav()[there:])
    taker.until_taken("a.wav")
    assert taker.got[0].size == len(wav())


def test_a_copy_that_goes_on_has_to_be_closed_again(taker, clock, tmp_path):
    """Or to settle; also where its time is set back, as copies do."""
    path = tmp_path / "a.wav"
    path.with_suffix(".tmp").write_bytes(wav()[:5_000])
    path.with_suffix(".tmp").rename(path)
    taker.until(lambda: taker.waiting == ["a.wav"])
    with path.open("ab", buffering=0) as file:
        file.write(wav()[5_000:])
        set_age(path, 3_600.0)
        clock.passed_s += SETTLE_S
        taker.until(lambda: taker.directory.next_look_s > 0)
        assert taker.names == []
        clock.passed_s += SETTLE_S
        taker.until_taken("a.wav")


@pytest.mark.parametrize("there", [0, 30, 44, 5_000])
def test_a_truncated_file_comes_in_the_end(taker, clock, tmp_path, there):
    """After ten settle times nothing more is expected."""
    (tmp_path / "a.wav").write_bytes(wav()[:there])
    taker.until(lambda: taker.waiting == ["a.wav"])
    let_pass(taker, clock, 9.5 * SETTLE_S)
    assert taker.names == []
    let_pass(taker, clock, SETTLE_S)
    taker.until_taken("a.wav")


def test_a_file_opened_again_before_it_was_taken_waits_again(tmp_path, clock):
    """It was complete, and nobody had come for it yet."""
    for name in ("a.flac", "b.flac"):
        (tmp_path / name).write_bytes(b"first half, ")
        set_age(tmp_path / name, 60.0)
    taker = Taker(tmp_path, clock=clock)
    with taker.directory:
        assert taker.turn()
        assert (taker.names, taker.directory.pending, taker.waiting) == (["a.flac"], 1, [])
        with (tmp_path / "b.flac").open("ab", buffering=0) as file:
            file.write(b"second half, ")
            let_pass(taker, clock, 0.9 * SETTLE_S)
            assert (taker.names, taker.waiting) == (["a.flac"], ["b.flac"])
            file.write(b"third half")
        taker.until_taken("a.flac", "b.flac")
        assert taker.got[1].size == (tmp_path / "b.flac").stat().st_size


def test_a_file_written_after_it_was_closed_is_not_taken_for_closed(taker, clock, tmp_path):
    """Its time tells: it was opened again before anybody looked."""
    with (tmp_path / "a.flac").open("wb") as file:
        file.write(b"enough bytes")
        file.flush()
        set_age(tmp_path / "a.flac", -5.0)
    taker.until(lambda: taker.waiting == ["a.flac"])
    let_pass(taker, clock, 0.9 * SETTLE_S)
    assert taker.names == []
    let_pass(taker, clock, SETTLE_S)
    taker.until_taken("a.flac")


def test_a_file_replaced_before_it_was_taken_comes_once(taker, tmp_path):
    """As what it is now."""
    path, other = tmp_path / "a.wav", tmp_path / "a.tmp"
    taker.woken.clear()
    path.write_bytes(wav())
    assert taker.woken.wait(20)
    other.write_bytes(wav(2.0))
    other.replace(path)
    taker.until(lambda: taker.directory.idle)
    assert [len(wav(2.0))] == [file.size for file in taker.got]


def test_a_file_replaced_after_it_was_done_comes_again(taker, tmp_path):
    """Another size or time under the same name is another recording."""
    path = tmp_path / "a.wav"
    for seconds in (1.0, 2.0):
        path.write_bytes(wav(seconds))
        taker.until(lambda seconds=seconds: taker.names == ["a.wav"] * int(seconds))
    assert [len(wav()), len(wav(2.0))] == [file.size for file in taker.got]


def test_opening_and_closing_a_done_file_changes_nothing(taker, tmp_path):
    """Nothing was written."""
    path = tmp_path / "a.wav"
    path.write_bytes(wav())
    taker.until_taken("a.wav")
    taker.woken.clear()
    path.open("ab").close()
    assert taker.woken.wait(20)
    taker.until(lambda: taker.directory.idle)
    assert taker.names == ["a.wav"]


def test_a_file_deleted_before_it_was_taken_is_forgotten(taker, clock, tmp_path):
    """Whether it was complete or not."""
    taker.woken.clear()
    (tmp_path / "a.wav").write_bytes(wav())
    assert taker.woken.wait(20)
    (tmp_path / "a.wav").unlink()
    (tmp_path / "b.wav").write_bytes(wav()[:100])
    taker.until(lambda: taker.waiting == ["b.wav"])
    assert taker.directory.pending == 1
    (tmp_path / "b.wav").unlink()
    let_pass(taker, clock, SETTLE_S)
    assert taker.directory.drained
    assert taker.names == []


@pytest.fixture
def slow_taker(tmp_path, clock):
    """It does not say that it is done."""
    with watch(tmp_path, clock=clock, finish=False) as taker:
        yield taker


def test_what_changed_while_it_was_read_comes_again_when_it_has_settled_anew(
    slow_taker, clock, tmp_path
):
    """Closing it does not count: whoever wrote to it once may do so again."""
    path = tmp_path / "a.flac"
    path.write_bytes(b"enough bytes")
    slow_taker.until_taken("a.flac")
    path.write_bytes(b"another twelve bytes")
    slow_taker.directory.later(slow_taker.got[0])
    assert slow_taker.waiting == ["a.flac"]
    assert not slow_taker.directory.idle
    clock.passed_s += 0.9 * SETTLE_S
    # The news of the second closing may come before or after it was given back.
    let_pass(slow_taker, clock, 0.2 * SETTLE_S)
    slow_taker.until_taken("a.flac", "a.flac")
    assert [file.size for file in slow_taker.got] == [12, 20]


def test_what_changed_before_it_was_done_comes_again(slow_taker, clock, tmp_path):
    """Also where nobody noticed while reading."""
    path = tmp_path / "a.flac"
    path.write_bytes(b"enough bytes")
    slow_taker.until_taken("a.flac")
    with path.open("ab", buffering=0) as file:
        file.write(b", and more")
        slow_taker.directory.done(slow_taker.got[0])
        assert slow_taker.waiting == ["a.flac"]
        let_pass(slow_taker, clock, 1.1 * SETTLE_S)
        slow_taker.until_taken("a.flac", "a.flac")


def test_a_file_in_hand_is_not_handed_out_twice(slow_taker, clock, tmp_path):
    """However long it is in hand, and however often the folder is looked through."""
    (tmp_path / "a.wav").write_bytes(wav())
    slow_taker.until_taken("a.wav")
    let_pass(slow_taker, clock, 200 * SETTLE_S)
    assert not slow_taker.directory.idle
    assert slow_taker.directory.pending == 0
    slow_taker.directory.done(slow_taker.got[0])
    assert slow_taker.directory.drained
    let_pass(slow_taker, clock, 200 * SETTLE_S)
    assert slow_taker.names == ["a.wav"]


def test_giving_back_what_was_not_taken_is_an_error(taker, tmp_path):
    """The second time, too."""
    (tmp_path / "a.wav").write_bytes(wav())
    taker.until_taken("a.wav")
    for give_back in (taker.directory.done, taker.directory.later):
        with pytest.raises(ValueError, match="was not taken"):
            give_back(taker.got[0])


def test_a_sleeping_taker_is_woken(tmp_path):
    """It need not look by itself: the next look is a minute away."""
    with watch(tmp_path, sweep_seconds=60.0) as taker:
        taker.woken.clear()
        assert taker.directory.next_look_s > 30
        (tmp_path / "a.wav").write_bytes(wav())
        assert taker.woken.wait(20)
        taker.until_taken("a.wav")


def test_real_time_settles_files(tmp_path):
    """The machine's own clock serves."""
    with (
        watch(tmp_path, settle_seconds=0.1) as taker,
        (tmp_path / "a.wav").open("wb", buffering=0) as file,
    ):
        began = datetime.now(UTC)
        file.write(wav())
        taker.until_taken("a.wav")
        assert (datetime.now(UTC) - began).total_seconds() >= 0.1


def test_several_threads_share_the_files(tmp_path):
    """Each file goes to one of them."""
    with watch(tmp_path) as taker:
        got = []

        def work():
            while len(got) < 200 and not enough.is_set():
                file = taker.directory.take()
                if file is not None:
                    got.append(file.path.name)
                    taker.directory.done(file)

        enough = threading.Event()
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(200):
            (tmp_path / f"{number:03d}.wav").write_bytes(wav(0.1))
        for thread in threads:
            thread.join(20)
        enough.set()
        assert [f"{number:03d}.wav" for number in range(200)] == sorted(got)


def test_nothing_is_left_behind(tmp_path):
    """No thread, no open file, however often it is opened; before it is open, it gives nothing."""
    before = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with watch(tmp_path) as taker:
            assert f"watching {tmp_path}" in [thread.name for thread in threading.enumerate()]
    assert before == (threading.active_count(), len(os.listdir("/proc/self/fd")))
    for directory in (taker.directory, Taker(tmp_path).directory):
        with pytest.raises(ValueError, match="enter the directory"):
            directory.take()

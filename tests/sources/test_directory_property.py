"""Whatever recorders do, each complete recording is handed out once, and none before it is."""

import random
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from watched_folder import SETTLE_S, Done, SetClock, Taker, wav

CONTENT = {number: wav(0.1 + number / 100, fill=number + 1) for number in range(6)}


class Recorder:
    """Writes one recording step by step, in one of the ways that recorders have.

    Args:
        path: Where it is to be in the end.
        content: What it is to hold.
        way: `sizes first`, perhaps closed between the pieces; `sizes last`, held open; `renamed`
            when complete; `no header`, held open.
        pieces: In how many pieces.
        between: Whether the file is closed between pieces, where that makes it no other recording.
    """

    def __init__(self, path: Path, content: bytes, way: str, pieces: int, between: bool) -> None:
        self.path = path.with_suffix(".flac") if way == "no header" else path
        self.content = content[44:] if way == "no header" else content
        self._way = way
        self._place = path.with_suffix(".wav.tmp") if way == "renamed" else self.path
        self._pieces = pieces
        self._between = between and way in ("sizes first", "renamed")
        self._written = 0
        self._file = None
        self.complete = False
        self.deleted = False

    def step(self) -> None:
        """Write a piece; the last step completes the recording."""
        if self.complete or self.deleted:
            return
        if self._file is None:
            self._place.parent.mkdir(exist_ok=True)
            self._file = self._place.open("r+b" if self._written else "wb", buffering=0)
        if self._written < len(self.content):
            size = len(self.content) // self._pieces + 1
            piece = self.content[self._written : self._written + size]
            if self._way == "sizes last" and not self._written:
                piece = wav(0, promised=0) + piece[44:]
            self._file.seek(self._written)
            self._file.write(piece)
            self._written += len(piece)
            # A piece that ends with the content makes a file that is complete already.
            self.complete = self._way == "sizes first" and self._written == len(self.content)
            if self._between or self.complete:
                self._let_go()
            return
        if self._way == "sizes last":
            self._file.seek(0)
            self._file.write(self.content[:44])
        self.complete = True
        self._let_go()
        if self._way == "renamed":
            self._place.rename(self.path)

    def delete(self) -> None:
        """Take the file away, whatever became of it."""
        self._let_go()
        self._place.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        self.deleted = True

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


recorders = st.tuples(
    st.sampled_from(["sizes first", "sizes last", "renamed", "no header"]),
    st.integers(1, 4),
    st.booleans(),
    st.sampled_from(["", "day"]),
)
actions = st.one_of(
    st.tuples(st.just("step"), st.integers(0, 5)),
    st.tuples(st.just("step"), st.integers(0, 5)),
    st.tuples(st.just("step"), st.integers(0, 5)),
    st.tuples(st.sampled_from(["take", "wait", "pass", "restart"]), st.just(0)),
    st.tuples(st.just("delete"), st.integers(0, 5)),
)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.lists(recorders, min_size=1, max_size=6), st.lists(actions, max_size=60))
def test_each_complete_recording_comes_once_and_none_before(ways, actions):
    """Created, appended to, closed, renamed and deleted in any order, across restarts."""
    with tempfile.TemporaryDirectory() as folder:
        follow(Path(folder), ways, actions)


def follow(folder: Path, ways, actions) -> None:
    clock = SetClock()
    known = Done()
    works = [
        Recorder(folder / day / f"{number}.wav", CONTENT[number], way, pieces, between)
        for number, (way, pieces, between, day) in enumerate(ways)
    ]
    by_path = {work.path: work for work in works}
    times: Counter[Path] = Counter()

    def check(taker: Taker) -> None:
        for file in taker.got:
            # Still held open, perhaps, but all is there.
            assert len(by_path[file.path].content) == file.size
            assert by_path[file.path].content == file.path.read_bytes()
            times[file.path] += 1
        taker.got.clear()

    taker = Taker(folder, clock=clock, known=known)
    taker.directory.__enter__()
    try:
        for action, number in actions:
            if action == "step" and number < len(works):
                works[number].step()
            elif action == "delete" and number < len(works):
                works[number].delete()
            elif action == "take" and taker.turn():
                check(taker)
            elif action == "wait":
                taker.until(lambda taker=taker: taker.directory.next_look_s > 0)
                check(taker)
            elif action == "pass" and clock.passed_s < 0.8 * SETTLE_S:
                clock.passed_s += 0.1 * SETTLE_S
            elif action == "restart":
                taker.directory.__exit__(None, None, None)
                taker = Taker(folder, clock=clock, known=known)
                taker.directory.__enter__()
        for work in works:
            while not work.complete and not work.deleted:
                work.step()
        for _ in range(3):
            clock.passed_s += 601.0
            taker.until(lambda taker=taker: taker.directory.next_look_s > 0)
            check(taker)
        assert taker.directory.drained
        for work in works:
            # What was deleted may have been handed out before.
            assert times[work.path] in ((0, 1) if work.deleted else (1,))
    finally:
        taker.directory.__exit__(None, None, None)
        for work in works:
            work.delete()


def test_recorders_at_work_while_others_are_taken(tmp_path):
    """In real time, six recorders on threads of their own."""
    rng = random.Random(7)
    plans = [
        [
            Recorder(
                tmp_path / f"{recorder}" / f"{recorder}-{number:03d}.wav",
                wav(0.1 + number / 100, fill=recorder + 1),
                rng.choice(["sizes first", "sizes last", "renamed", "no header"]),
                rng.randint(1, 4),
                rng.random() < 0.5,
            )
            for number in range(25)
        ]
        for recorder in range(6)
    ]
    seeds = [rng.random() for _ in plans]

    def record(plan: list[Recorder], seed: float) -> None:
        pauses = random.Random(seed)
        for work in plan:
            while not work.complete:
                work.step()
                time.sleep(pauses.random() * 0.01)

    threads = [
        threading.Thread(target=record, args=pair) for pair in zip(plans, seeds, strict=True)
    ]
    contents = {work.path: work.content for plan in plans for work in plan}
    read = {}
    taker = Taker(tmp_path, settle_seconds=1.0, finish=False)
    with taker.directory:
        for thread in threads:
            thread.start()
        while len(read) < len(contents):
            taker.until(lambda: bool(taker.got))
            for file in taker.got:
                assert file.path not in read
                read[file.path] = file.path.read_bytes()
                taker.directory.done(file)
            taker.got.clear()
        for thread in threads:
            thread.join()
        taker.until(lambda: taker.directory.drained)
    assert read == contents

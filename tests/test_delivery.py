import errno
import json
import os
import random
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from detections import detection

from edge.delivery import Cursor, Delivery
from edge.sinks.jsonl import JsonlSpec
from edge.table.context import Station

FRESH = Cursor(0, "")


class Store:
    """Detections 1 to `last`, as a store's reader gives them, and the cursor that is kept."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.cursor = FRESH

    def read(self, after: int, limit: int):
        return [detection(n) for n in range(after + 1, min(after + limit, self.last) + 1)]

    def keep(self, cursor: Cursor) -> None:
        self.cursor = cursor


class List:
    """A sink that keeps what it gets, after `hold` is set, and fails as often as it is told."""

    position = ""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.numbers: list[int] = []
        self.entered = 0
        self.hold = threading.Event()
        self.hold.set()

    def __enter__(self):
        self.entered += 1
        return self

    def __exit__(self, *_):
        pass

    def ready(self) -> str:
        return ""

    def write(self, detections):
        self.hold.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.numbers += [d.number for d in detections]


def wait_until(come) -> None:
    for _ in range(2000):
        if come():
            return
        time.sleep(0.005)
    pytest.fail("it did not come about in 10 s")


def pump(delivery: Delivery, store: Store) -> None:
    """Do what the owner does in its loop."""
    if (cursor := delivery.take_cursor()) is not None:
        store.keep(cursor)
        delivery.saved(cursor)


def test_all_that_is_committed_goes_out_in_order():
    """A cursor leads on from what was sent before; batches are as large as allowed."""
    store, sink = Store(1000), List()
    delivery = Delivery("list", sink, store.read, cursor=Cursor(10, ""), batch=64)
    delivery.notify(1000)
    assert delivery.close(10, store.keep)
    assert list(range(11, 1001)) == sink.numbers
    assert (delivery.delivered, delivery.waiting, delivery.trouble) == (990, 0, None)
    assert Cursor(1000, "") == store.cursor
    assert delivery.take_cursor() is None


def test_what_is_committed_later_is_sent_without_being_asked_for():
    """Each notice wakes the thread."""
    store, sink = Store(0), List()
    delivery = Delivery("list", sink, store.read, cursor=FRESH)
    for last in (1, 5, 6):
        store.last = last
        delivery.notify(last)
        wait_until(lambda last=last: len(sink.numbers) == last)
    assert delivery.close(10, store.keep)
    assert sink.numbers == [1, 2, 3, 4, 5, 6]


def test_slow_sink_holds_up_nobody():
    """Notices return at once while the sink is busy, and say how many wait."""
    store, sink = Store(5), List()
    sink.hold.clear()
    delivery = Delivery("list", sink, store.read, cursor=FRESH)
    for last in range(6, 106):
        store.last = last
        delivery.notify(last)
    assert (delivery.delivered, delivery.waiting) == (0, 105)
    sink.hold.set()
    assert delivery.close(10, store.keep)
    assert list(range(1, 106)) == sink.numbers


def test_failing_sink_is_tried_again_and_says_since_when():
    """Nothing is lost or doubled by failures; the trouble keeps its beginning until it is over."""
    full = [OSError(errno.ENOSPC, "No space left on device", "/x/found.jsonl")] * 3
    store, sink = Store(4), List(*full, OSError("strange"))
    times = iter(datetime(2024, 5, 1, hour, tzinfo=UTC) for hour in range(24))
    seen = []
    delivery = Delivery(
        "list",
        sink,
        store.read,
        cursor=FRESH,
        now=lambda: next(times),
        least_wait_s=0.05,
        most_wait_s=0.1,
    )
    delivery.notify(4)

    def look() -> bool:
        trouble = delivery.trouble
        if trouble is not None and (not seen or trouble != seen[-1]):
            seen.append(trouble)
        return sink.numbers == [1, 2, 3, 4]

    wait_until(look)
    assert delivery.close(10, store.keep)
    assert seen[0].what == "sink list: /x/found.jsonl: No space left on device"
    assert seen[0].remedy == "free space on that disk; what waits is written then"
    assert seen[-1].what == "sink list: strange"
    assert {datetime(2024, 5, 1, 0, tzinfo=UTC)} == {trouble.since for trouble in seen}
    assert delivery.trouble is None
    assert sink.entered == 5


def test_sink_that_stays_away_does_not_hold_up_the_end():
    """Closing tries once more, then leaves the rest to the next start."""
    store, sink = Store(3), List(*[ConnectionRefusedError("away")] * 99)
    delivery = Delivery("list", sink, store.read, cursor=FRESH)
    delivery.notify(3)
    wait_until(lambda: delivery.trouble is not None)
    assert delivery.close(10, store.keep)
    assert (len(sink.failures), sink.numbers, delivery.waiting) == (97, [], 3)
    assert store.cursor == FRESH


def test_thread_that_cannot_end_is_left_behind():
    """A call that does not return does not hold up the end of the program."""
    store, sink = Store(3), List()
    sink.hold.clear()
    delivery = Delivery("list", sink, store.read, cursor=FRESH)
    delivery.notify(3)
    assert not delivery.close(0.05, store.keep)
    sink.hold.set()
    wait_until(lambda: "sink list" not in [thread.name for thread in threading.enumerate()])


def test_several_can_be_ended_at_once():
    """After `finish`, the threads end side by side."""
    stores, sinks = [Store(9), Store(9)], [List(), List()]
    both = [
        Delivery(f"list {n}", sink, store.read, cursor=FRESH)
        for n, (sink, store) in enumerate(zip(sinks, stores, strict=True))
    ]
    for delivery in both:
        delivery.notify(9)
        delivery.finish(10)
    for delivery, store in zip(both, stores, strict=True):
        assert delivery.close(10, store.keep)
    assert [list(range(1, 10))] * 2 == [sink.numbers for sink in sinks]


def test_deleted_detections_do_not_count_as_waiting():
    """Numbers that retention took away are not waited for."""
    store, sink = Store(0), List()
    delivery = Delivery("list", sink, store.read, cursor=FRESH)
    delivery.notify(500)
    wait_until(lambda: delivery.waiting == 0)
    assert delivery.close(10, store.keep)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_fault_of_our_own_is_shown_not_hidden():
    """A thread that ends by a mistake says so where people look."""
    store, sink = Store(1), List(ZeroDivisionError("oops"))
    delivery = Delivery("list", sink, store.read, cursor=FRESH)
    delivery.notify(1)
    wait_until(lambda: delivery.trouble is not None)
    assert delivery.trouble.what == "sink list: has ended: ZeroDivisionError('oops')"
    assert delivery.close(10, store.keep)


def test_nothing_is_written_to_a_file_before_its_position_is_kept(tmp_path):
    """At the first start and after a rotation the owner keeps the place first."""
    path, store = tmp_path / "found.jsonl", Store(2)
    sink = JsonlSpec(path="found.jsonl").build(Station(), folder=tmp_path)
    delivery = Delivery("jsonl", sink, store.read, cursor=FRESH)
    delivery.notify(2)
    wait_until(path.exists)
    time.sleep(0.1)
    assert path.read_bytes() == b""
    wait_until(lambda: pump(delivery, store) or store.cursor.number == 2)
    path.rename(tmp_path / "found.jsonl.1")
    store.last = 3
    delivery.notify(3)
    wait_until(path.exists)
    time.sleep(0.1)
    assert path.read_bytes() == b""
    assert delivery.close(10, store.keep)
    assert json.loads(path.read_text())["number"] == 3
    assert store.cursor.number == 3


def start(folder: Path, kind: str, last: int, **options) -> subprocess.Popen:
    program = Path(__file__).with_name("delivering_process.py")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, program, folder, kind, str(last)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, **options)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_killed_program_delivers_every_row_once(tmp_path, kind):
    """After SIGKILL at random moments, and rotations in between, each row is in one file, once."""
    dice = random.Random(kind)
    path, last, rotated = tmp_path / f"found.{kind}", 60_000, 0

    def rotate() -> None:
        nonlocal rotated
        if path.exists() and path.stat().st_size:
            rotated += 1
            path.rename(tmp_path / f"found.{kind}.{rotated:03}")

    for _ in range(50 if os.environ.get("EDGE_SOAK") else 12):
        process = start(tmp_path, kind, last)
        assert process.stderr.readline() == "ready\n"
        time.sleep(dice.uniform(0, 0.08))
        if dice.random() < 0.4:
            rotate()
            time.sleep(dice.uniform(0, 0.03))
        process.kill()
        process.communicate()
        if dice.random() < 0.3:
            rotate()
    process = start(tmp_path, kind, last)
    _, said = process.communicate(timeout=120)
    assert said.splitlines()[-1].startswith("ended True ")
    assert said.endswith(" 0 \n")
    lines = [
        line
        for file in [*sorted(tmp_path.glob(f"found.{kind}.*")), path]
        for line in file.read_text().splitlines()
        if not line.startswith("number,")
    ]
    numbers = [
        json.loads(line)["number"] if kind == "jsonl" else int(line.split(",")[0]) for line in lines
    ]
    assert list(range(1, last + 1)) == numbers
    assert rotated > 0


def test_reader_that_goes_away_does_not_end_the_program(tmp_path):
    """A closed standard output is a trouble; what nobody read is not counted as delivered."""
    out, into = os.pipe()
    process = start(tmp_path, "stdout", 5000, stdout=into)
    os.close(into)
    with os.fdopen(out) as reader:
        assert [json.loads(reader.readline())["number"] for _ in range(3)] == [1, 2, 3]
    _, said = process.communicate(timeout=60)
    _, ended, delivered, waiting, *what = said.splitlines()[-1].split(" ")
    assert (process.returncode, ended, int(delivered) + int(waiting)) == (0, "True", 5000)
    assert int(delivered) < 5000
    assert " ".join(what) == "sink stdout: standard output: Broken pipe"

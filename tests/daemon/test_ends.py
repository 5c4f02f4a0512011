"""How it ends: as it is told, killed, beside another one, and on a disk that is full."""

import contextlib
import os
import signal
import subprocess

import pytest
from recordings import RATE_HZ, noise, record
from station import wait_until

PCM = {"sample_rate": RATE_HZ, "format": "s16le"}
SECOND = (noise(1.0) * 32000).astype("<i2").tobytes()


def by_state(status):
    """Windows of the first source by their state."""
    found = {}
    for count in status["sources"][0]["windows"]:
        found[count["state"]] = found.get(count["state"], 0) + count["windows"]
    return found


@pytest.mark.parametrize(("seconds", "tail"), [(13, "predicted"), (10.5, "skipped")])
def test_told_to_stop_in_the_middle_of_a_window(watching, seconds, tail):
    """What has come is scored, or skipped where it is too short; all is committed; exit code 0."""
    here = watching(source={"stdin": PCM}, sinks=[{"jsonl": {"path": "heard.jsonl"}}])
    process = here.start(stdin=subprocess.PIPE)
    process.stdin.write((int(2 * seconds) * SECOND)[: int(seconds * len(SECOND))])
    process.stdin.flush()
    here.wait_for(lambda s: s["sources"] and by_state(s).get("predicted") == 2)
    here.stop(process)
    status = here.status()
    assert not status["running"]
    assert status["ended_at"]
    source = status["sources"][0]
    assert source["received"] == source["accounted"] == round(seconds * RATE_HZ)
    expected = {"predicted": 3} if tail == "predicted" else {"predicted": 2, "skipped": 1}
    assert by_state(status) == expected
    assert len((here.folder / "heard.jsonl").read_text().splitlines()) == status["detections"]
    done = here.command("status")
    assert done.returncode == 3
    assert "stopped as it should" in done.stdout


def test_killed(watching, card):
    """The status says that it did not end as it should, and all committed before is there."""
    here = watching()
    process = here.start()
    record(card / "a.wav")
    here.wait_for(lambda status: status["detections"] == 5)
    process.kill()
    process.wait()
    done = here.command("status")
    assert done.returncode == 3
    assert "did not end as it should" in done.stdout
    assert "5" in done.stdout
    assert here.status()["detections"] == 5
    process = here.start()
    here.wait_for(lambda status: status["running"])
    assert here.status()["pid"] == process.pid
    here.stop(process)


def test_two_daemons_on_one_store(watching):
    """The second ends with 2 and names the first, which goes on."""
    here = watching()
    process = here.start()
    here.wait_for(lambda status: status["running"])
    second = here.start()
    assert second.wait(30) == 2
    assert f"in use by process {process.pid}" in here.log()
    assert process.poll() is None
    here.stop(process)


def test_told_to_stop_while_it_starts(watching):
    """A stop during the start is heeded and is no failure."""
    here = watching()
    process = here.start()
    wait_until((here.folder / "edge.db.lock").exists, here.log)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0, here.log()
    assert here.status()["ended_at"]


def test_a_pipe_that_ends_is_the_end(watching):
    """With nothing left to hear it ends by itself, with all committed."""
    here = watching(source={"stdin": PCM})
    process = here.start(stdin=subprocess.PIPE)
    process.stdin.write(7 * SECOND)
    process.stdin.close()
    assert process.wait(20) == 0
    assert by_state(here.status()) == {"predicted": 2}


@pytest.fixture
def disk(tmp_path):
    """A disk of 2 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    yield place
    # A daemon that is still there would hold it.
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk(watching, disk, card):
    """It hears on and says so; with room again everything is in the store and in the sink."""
    here = watching(
        store={"path": str(disk / "edge.db")},
        source=[
            {"name": "mic", "stdin": PCM},
            {"directory": {"path": str(card), "settle_seconds": 0.2}},
        ],
        sinks=[{"jsonl": {"path": str(disk / "heard.jsonl")}}],
    )
    process = here.start(stdin=subprocess.PIPE)
    process.stdin.write(11 * SECOND)
    process.stdin.flush()
    wait_until(lambda: (s := here.status_now()) and s["detections"] == 10, here.log)
    with (disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(4096))

    def trouble():
        # So much is heard that even the log's own place is full.
        process.stdin.write(100 * SECOND)
        process.stdin.flush()
        written.append(100)
        return here.status_now()["trouble"]

    written = [11]
    assert "no room on disk" in wait_until(trouble, here.log)
    assert "no room on disk" in here.command("status").stdout
    record(card / "a.wav", seed=9)
    process.stdin.write(100 * SECOND)
    process.stdin.flush()
    written.append(100)
    assert process.poll() is None
    (disk / "filler").unlink()
    seconds = sum(written)
    here.wait_for(
        lambda status: (
            not status["trouble"]
            and any(source["files"] for source in status["sources"])
            and status["detections"] >= 5 * (seconds // 5) + 5
        )
    )
    assert process.poll() is None
    here.wait_for_no_fault("store")
    here.stop(process)
    status = here.status()
    by_name = {source["source"]: source for source in status["sources"]}
    assert by_name["mic"]["received"] == by_name["mic"]["accounted"] == seconds * RATE_HZ
    assert by_name["directory"]["files"] == {"done": 1}
    assert not status["trouble"]
    windows = -(-seconds // 5) + 1
    assert status["detections"] == 5 * windows
    assert len((disk / "heard.jsonl").read_text().splitlines()) == 5 * windows


@pytest.mark.parametrize("end", ["told", "killed"])
def test_a_start_on_a_full_disk(watching, disk, card, end):
    """With a store, closed or not, it listens at once, and keeps all when there is room again."""
    here = watching(
        store={"path": str(disk / "edge.db")},
        source=[
            {"name": "mic", "stdin": PCM},
            {"directory": {"path": str(card), "settle_seconds": 0.2}},
        ],
        sinks=[{"jsonl": {"path": "heard.jsonl"}}],
    )
    record(card / "a.wav")
    process = here.start(stdin=subprocess.PIPE)
    process.stdin.write(10 * SECOND + SECOND[: len(SECOND) // 2])
    process.stdin.flush()
    here.wait_for(lambda status: status["detections"] == 15)
    wait_until(lambda: len((here.folder / "heard.jsonl").read_bytes().splitlines()) == 15)
    if end == "told":
        here.stop(process)
    else:
        process.kill()
        process.wait()
    (disk / "edge.db-shm").unlink(missing_ok=True)
    with (disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(4096))
    process = here.start(stdin=subprocess.PIPE)
    wait_until(lambda: here.log().count('"ready"') == 2 or process.poll() is not None)
    assert process.poll() is None, here.log()
    process.stdin.write(10 * SECOND + SECOND[: len(SECOND) // 2])
    process.stdin.flush()
    record(card / "b.wav", seed=9)
    assert "no room on disk" in here.log()
    (disk / "filler").unlink()
    here.wait_for(lambda status: status["detections"] == 2 * 15)
    here.wait_for_no_fault("store")
    here.stop(process)
    status = here.status()
    by_name = {source["source"]: source for source in status["sources"]}
    assert by_name["directory"]["files"] == {"done": 2}
    assert by_name["mic"]["received"] == by_name["mic"]["accounted"] == 21 * RATE_HZ
    # None was delivered twice.
    assert len((here.folder / "heard.jsonl").read_text().splitlines()) == status["detections"]


@pytest.mark.parametrize("pattern", ["edge.db*", "edge.db"])
def test_the_store_is_deleted_while_it_runs(watching, card, pattern):
    """It is there again with all it held, a fault says so, and no second daemon may have it."""
    here = watching()
    process = here.start()
    record(card / "a.wav")
    here.wait_for(lambda status: status["detections"] == 5)
    for place in here.folder.glob(pattern):
        place.unlink()
    record(card / "b.wav", seed=9)
    here.wait_for(lambda status: status["detections"] == 10)
    fault = here.wait_for_fault("store: its file", "was deleted or moved away")
    assert fault["since"]
    second = here.start()
    assert second.wait(30) == 2
    here.stop(process)
    (source,) = here.status()["sources"]
    assert source["files"] == {"done": 2}
    assert here.status()["detections"] == 10

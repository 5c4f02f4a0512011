"""Live sources that die, fall silent or come too fast: everything is told and accounted for."""

import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from recordings import RATE_HZ, noise
from slow_model import write_slow_model
from station import resident_mb, wait_until

PCM = {"sample_rate": RATE_HZ, "format": "s16le"}
DEAD = ["nothing", "zeros", *(["a flat line", "NaN"] if os.environ.get("EDGE_SOAK") else [])]
SECOND = (noise(1.0) * 32000).astype("<i2").tobytes()


@pytest.fixture
def hearing(station, models):
    """Makes stations that hear one live source, with `tiny`."""

    def make(source, **config):
        return station(
            **{
                "model": "tiny",
                "models_dir": str(models),
                "source": source,
                "post": [{"threshold": {"default": 0.0}}],
                **config,
            }
        )

    return make


def only_source(status):
    """The one source of a status; empty while there is none."""
    return status["sources"][0] if status["sources"] else {"received": 0, "windows": []}


def windows_of(status, state):
    """How many windows ended in a state."""
    return sum(w["windows"] for w in only_source(status)["windows"] if w["state"] == state)


def assert_whole(here):
    """The ranges of each stream follow one another, and every received sample is in one."""
    status = here.status()
    assert all(s["received"] == s["accounted"] for s in status["sources"])
    ends = {}
    for part in here.ranges():
        assert part.range.start_sample == ends.get(part.number, 0)
        ends[part.number] = part.range.end_sample
    return status


def test_a_program_that_dies_again_and_again(hearing, tmp_path):
    """Each death is a gap and counted; what it said is told; healthy again, the fault is over."""
    mended = tmp_path / "mended"
    script = (
        "import os, sys, time, pathlib\n"
        f"second = {SECOND!r}\n"
        "write = lambda b: (sys.stdout.buffer.write(b), sys.stdout.flush())\n"
        "for _ in range(20000): print('overrun!' * 10, file=sys.stderr)\n"
        f"if not pathlib.Path({str(mended)!r}).exists():\n"
        "    write(second + b'x'); sys.exit('the camera hung up')\n"
        "while True: write(second); time.sleep(0.6)\n"
    )
    listening = {"first_wait_s": 0.1, "longest_wait_s": 0.3, "healthy_s": 1.0}
    here = hearing(
        {
            "name": "camera",
            "command": {"argv": [sys.executable, "-c", script], **PCM},
            "listening": listening,
        }
    )
    process = here.start()
    fault = here.wait_for_fault("camera", "ended with status 1")
    assert "the camera hung up" in fault["remedy"]
    assert fault["since"]
    here.wait_for(lambda status: windows_of(status, "gap") >= 3)
    mended.touch()
    here.wait_for_no_fault("camera")
    before = windows_of(here.status(), "predicted")
    here.wait_for(lambda status: windows_of(status, "predicted") > before)
    here.stop(process)
    status = assert_whole(here)
    gaps = [w for w in only_source(status)["windows"] if w["state"] == "gap"]
    assert {gap["reason"] for gap in gaps} == {"nothing was received"}
    assert sum(gap["samples"] for gap in gaps) == 0


def test_a_pipe_whose_writers_come_and_go(hearing, tmp_path):
    """Each writer is heard to its last sample; between them lies a gap."""
    pipe = tmp_path / "mic"
    os.mkfifo(pipe)
    listening = {"first_wait_s": 0.1, "longest_wait_s": 0.2, "healthy_s": 0.2}
    here = hearing({"fifo": {"path": str(pipe), **PCM}, "listening": listening})
    process = here.start()
    for writer in range(3):
        with pipe.open("wb") as file:
            for _ in range(6):
                file.write(SECOND)
                file.flush()
        # The end of a writer is noticed when the next one comes.
        here.wait_for(lambda status, n=writer: only_source(status)["received"] >= 40_000 * (n + 1))
    assert process.poll() is None
    here.stop(process)
    status = assert_whole(here)
    assert only_source(status)["received"] == 18 * RATE_HZ
    assert windows_of(status, "predicted") == 6
    assert windows_of(status, "gap") == 2


@pytest.fixture
def supervisor(tmp_path):
    """The socket that a service manager listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(30)
        yield listener


def wait_for_word(listener, word):
    """Wait until the service manager is told it."""
    while word not in listener.recv(4096).decode().split("\n"):
        pass


def is_told(listener, word, *, within_s):
    """Whether the service manager is told it in the time to come."""
    until = time.monotonic() + within_s
    while (left_s := until - time.monotonic()) > 0:
        listener.settimeout(left_s)
        try:
            if word in listener.recv(4096).decode().split("\n"):
                return True
        except TimeoutError:
            break
        finally:
            listener.settimeout(30)
    return False


@pytest.mark.slow
@pytest.mark.parametrize("dead", DEAD)
def test_a_microphone_that_is_dead(hearing, tmp_path, supervisor, dead):
    """It is a fault and does not feed the watchdog; sound feeds it again and ends the fault."""
    pcm = {"sample_rate": RATE_HZ, "format": "f32le"}
    alive = noise(0.5).tobytes()
    what = {
        "zeros": np.zeros(RATE_HZ // 2, "<f4").tobytes(),
        "a flat line": np.full(RATE_HZ // 2, 0.25, "<f4").tobytes(),
        "NaN": np.full(RATE_HZ // 2, np.nan, "<f4").tobytes(),
        "nothing": b"",
    }[dead]
    here = hearing(
        {"name": "mic", "stdin": pcm, "listening": {"nothing_s": 0.8, "lifeless_s": 0.8}}
    )
    process = here.start(
        stdin=subprocess.PIPE, environment={"NOTIFY_SOCKET": str(tmp_path / "notify")}
    )

    def play(content, *, until):
        while not until():
            process.stdin.write(content)
            process.stdin.flush()
            time.sleep(0.3)

    def heard(word):
        return lambda: is_told(supervisor, word, within_s=0.1)

    play(alive, until=heard("WATCHDOG=1"))
    told = dead if dead != "nothing" else "delivers nothing"

    def faults():
        return [f["what"] for f in here.status_now()["faults"] if f["where"] == "mic: hearing"]

    play(what, until=lambda: any(told in fault for fault in faults()))
    while is_told(supervisor, "WATCHDOG=1", within_s=0.01):
        pass
    from_s = time.monotonic()
    play(what, until=lambda: time.monotonic() - from_s > 3.0)
    assert not is_told(supervisor, "WATCHDOG=1", within_s=0.5)
    play(alive, until=heard("WATCHDOG=1"))
    play(alive, until=lambda: not faults())
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(10) == 0
    assert_whole(here)


def test_a_model_that_is_too_slow(hearing, models, tmp_path):
    """Whole windows are dropped and counted, memory is bounded, and it stops in time."""
    write_slow_model(models / "slow")
    here = hearing({"name": "mic", "stdin": PCM, "listening": {"buffer_s": 15.0}}, model="slow")
    process = here.start(stdin=subprocess.PIPE)
    began_s = time.monotonic()
    memory_mb = []
    here.wait_for(lambda status: status["running"])
    while windows_of(here.status_now(), "gap") < 2:
        # Faster than life, but not so fast that it must be a recording: what a busy machine holds
        # up is not made up for.
        process.stdin.write(SECOND)
        process.stdin.flush()
        time.sleep(1 / 1.8)
        memory_mb.append(resident_mb(process))
        assert time.monotonic() - began_s < 120, here.log()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    process.stdin.close()
    status = assert_whole(here)
    assert windows_of(status, "predicted") > 0
    gaps = [part.range for part in here.ranges() if part.range.state == "gap"]
    dropped = [gap for gap in gaps if gap.reason == "dropped: the model is too slow"]
    assert sum(gap.windows for gap in dropped) >= 2
    for gap in dropped:
        assert gap.received == gap.end_sample - gap.start_sample == gap.windows * 5 * RATE_HZ
        assert gap.start_sample % (5 * RATE_HZ) == 0
    assert max(memory_mb[len(memory_mb) // 2 :]) - memory_mb[len(memory_mb) // 2] < 20


def test_a_daemon_that_is_held_for_a_while(hearing):
    """Stopped and continued, it hears on: nothing that came meanwhile is lost."""
    here = hearing({"stdin": PCM})
    process = here.start(stdin=subprocess.PIPE)
    for _ in range(6):
        process.stdin.write(SECOND)
    process.stdin.flush()
    here.wait_for(lambda status: windows_of(status, "predicted") == 1)
    process.send_signal(signal.SIGSTOP)
    for _ in range(3):
        process.stdin.write(SECOND)
    process.stdin.flush()
    time.sleep(1.0)
    process.send_signal(signal.SIGCONT)
    for _ in range(11):
        process.stdin.write(SECOND)
    process.stdin.close()
    assert process.wait(10) == 0
    assert windows_of(assert_whole(here), "predicted") == 4


def test_a_source_that_cannot_be_opened(hearing):
    """A program that is not there is a fault with a remedy; the daemon stays and tries."""
    here = hearing({"command": {"argv": ["/no/such/arecord"], **PCM}})
    process = here.start()
    fault = here.wait_for_fault("command", "no program called")
    assert "install it" in fault["remedy"]
    assert process.poll() is None
    here.stop(process)


def test_ears_that_fail_do_not_harm_another(hearing, tmp_path):
    """One source that is away leaves the other one's windows alone, and the watchdog fed."""
    here = hearing(
        [
            {"name": "broken", "command": {"argv": ["false"], **PCM}},
            {"name": "mic", "stdin": PCM},
        ]
    )
    process = here.start(stdin=subprocess.PIPE)
    here.wait_for_fault("broken", "ended with status 1")
    process.stdin.write(11 * SECOND)
    process.stdin.flush()
    status = here.wait_for(lambda status: windows_of(status, "predicted") == 2)
    assert [source["source"] for source in status["sources"]] == ["mic"]
    here.stop(process)
    wait_until(lambda: process.poll() is not None)


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("EDGE_SOAK"), reason="takes two minutes: make soak")
def test_a_rate_that_is_not_the_configured_one(hearing):
    """Sound of 44.1 kHz under a configuration of 48 kHz is heard, and a fault tells."""
    here = hearing({"name": "mic", "stdin": {"sample_rate": 48_000, "format": "u8"}})
    process = here.start(stdin=subprocess.PIPE)
    began_s = time.monotonic()
    written = 0
    while time.monotonic() < began_s + 110:
        come = round(44_100 * (time.monotonic() - began_s)) - written
        process.stdin.write(os.urandom(come))
        process.stdin.flush()
        written += come
        time.sleep(0.25)
    fault = here.wait_for_fault("mic: sample rate", "48000 Hz", "about 44")
    assert "channels" in fault["remedy"]
    process.stdin.close()
    assert process.wait(60) == 0
    assert_whole(here)

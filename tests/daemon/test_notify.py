"""Tests of what systemd is told, over real sockets."""

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.daemon.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def supervisor(request, tmp_path) -> Iterator[tuple[socket.socket, str]]:
    """A socket such as systemd listens on, and its name as `NOTIFY_SOCKET` has it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@edge-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name.replace("@", "\0", 1) if request.param == "abstract" else name)
        listener.settimeout(10)
        yield listener, name


def heard(listener: socket.socket) -> list[str]:
    """Take one datagram, as lines."""
    return listener.recv(4096).decode().split("\n")


def hear_until(listener: socket.socket, beginning: str) -> str:
    """Take datagrams until a line of one begins so; return that line."""
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        for line in heard(listener):
            if line.startswith(beginning):
                return line
    raise AssertionError(f"never told: {beginning}")


def drain(listener: socket.socket) -> None:
    """Take all datagrams that wait."""
    listener.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            listener.recv(4096)
    listener.settimeout(10)


def test_each_message_is_what_systemd_reads(supervisor):
    """Each method sends one datagram of the assignments that sd_notify(3) names."""
    listener, name = supervisor
    with Notifier.from_environment({"NOTIFY_SOCKET": name}) as notifier:
        notifier.ready("2 sources, stsg-esc10@1")
        assert heard(listener) == ["READY=1", "STATUS=2 sources, stsg-esc10@1"]
        notifier.status("17 windows")
        assert heard(listener) == ["STATUS=17 windows"]
        notifier.alive()
        assert heard(listener) == ["WATCHDOG=1"]
        notifier.stopping()
        assert heard(listener) == ["STOPPING=1"]


def test_more_time_is_asked_for_while_it_is_needed(supervisor):
    """At once nothing, then again and again, not beyond the most, and no more afterwards."""
    listener, name = supervisor
    with Notifier(name) as notifier:
        with notifier.more_time(every_s=60.0):
            pass
        with notifier.more_time(every_s=0.05):
            assert heard(listener) == ["EXTEND_TIMEOUT_USEC=300000"]
            assert heard(listener) == ["EXTEND_TIMEOUT_USEC=300000"]
        drain(listener)
        with notifier.more_time(every_s=0.01, most_s=0.005):
            time.sleep(0.1)
        notifier.alive()
        assert heard(listener) == ["WATCHDOG=1"]


def test_a_daemon_tells_of_its_faults(watching, tmp_path):
    """Its line for systemd says how many sources it has and what is wrong, as it comes and goes."""
    recorder = tmp_path / "recorder"
    command = {"argv": [str(recorder)], "sample_rate": 32000, "format": "s16le"}
    here = watching(source={"command": command})
    expected = "STATUS=tiny@1, 1 source; 1 fault: command: there is no program called "
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(30)
        process = here.start(environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        hear_until(listener, "READY=1")
        hear_until(listener, f"{expected}'{recorder}'")
        here.write(source={"directory": {"path": str(tmp_path / "away")}, "name": "card"})
        hear_until(listener, f"STATUS=tiny@1, 1 source; 1 fault: {tmp_path / 'away'}: ")
        (tmp_path / "away").mkdir()
        assert hear_until(listener, "STATUS=tiny@1, 1 source") == "STATUS=tiny@1, 1 source"
        here.stop(process)


def test_a_reload_carries_its_time(supervisor):
    """RELOADING=1 comes with the monotonic clock's microseconds at the time."""
    listener, name = supervisor
    before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    with Notifier(name) as notifier:
        notifier.reloading()
    after_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    state, stamp = heard(listener)
    assert state == "RELOADING=1"
    assert before_us <= int(stamp.removeprefix("MONOTONIC_USEC=")) <= after_us


def test_a_status_stays_one_short_line(supervisor):
    """Line ends, great length and names that are not Unicode make no other assignment."""
    listener, name = supervisor
    with Notifier(name) as notifier:
        notifier.status("a\nREADY=1\r\n \udcff" + "é" * 5000)
    (line,) = heard(listener)
    assert line.startswith("STATUS=a READY=1 ?é")
    assert len(line) < 1100


def test_a_full_socket_delays_and_never_blocks(supervisor):
    """What a full socket does not take goes with the next message, the newest of each kind."""
    listener, name = supervisor
    with Notifier(name) as notifier:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.setblocking(False)
            other.connect("\0" + name[1:] if name.startswith("@") else name)
            with contextlib.suppress(BlockingIOError):
                while True:
                    other.send(b"X_OTHER=1")
        notifier.ready("first")
        notifier.reloading()
        notifier.ready("second")
        notifier.alive()
        drain(listener)
        notifier.alive()
        assert heard(listener) == ["READY=1", "STATUS=second", "WATCHDOG=1"]
        notifier.alive()
        assert heard(listener) == ["WATCHDOG=1"]


def test_a_supervisor_that_goes_and_comes_back_is_told_then(tmp_path):
    """A missing socket harms nothing, and what it missed is told when it is there."""
    name = tmp_path / "notify"
    with Notifier(str(name)) as notifier:
        notifier.ready("listening")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(str(name))
            listener.settimeout(10)
            notifier.alive()
            assert heard(listener) == ["READY=1", "STATUS=listening", "WATCHDOG=1"]


@pytest.mark.parametrize("name", ["", "vsock:2:1234", "relative/path", "/" + "long" * 100])
def test_no_socket_that_can_be_used_is_no_fault(name):
    """Without a usable socket every message is silently left out."""
    with Notifier.from_environment({"NOTIFY_SOCKET": name} if name else {}) as notifier:
        notifier.ready("listening")
        notifier.alive()
        notifier.stopping()
    notifier.status("closed")


def test_a_closed_notifier_leaves_nothing(tmp_path):
    """Closing closes the socket: no file descriptor stays behind."""
    before = sorted(Path("/proc/self/fd").iterdir())
    with Notifier(str(tmp_path / "notify")) as notifier:
        notifier.alive()
    assert sorted(Path("/proc/self/fd").iterdir()) == before

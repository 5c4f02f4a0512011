"""Waking the main thread."""

import os
import select
import signal
import threading
import time

from recordings import RATE_HZ

from edge.daemon.wakeup import Wakeup


def test_it_wakes_once_for_each_time():
    """Set before or during a wait it ends it; taken, it does not end the next one."""
    wakeup = Wakeup()
    wakeup.wake()
    wakeup.wake()
    wakeup.wait(60.0)
    assert wakeup.take() == set()
    began_s = time.monotonic()
    wakeup.wait(0.05)
    assert time.monotonic() - began_s >= 0.05
    threading.Timer(0.05, wakeup.wake).start()
    wakeup.wait(60.0)
    assert wakeup.take() == set()


def test_no_wakening_is_lost():
    """Whatever was done before `wake` is seen by who takes and then looks."""
    wakeup, done, seen = Wakeup(), [], 0

    def work():
        for number in range(20_000):
            done.append(number)
            wakeup.wake()

    thread = threading.Thread(target=work)
    thread.start()
    deadline_s = time.monotonic() + 30
    while seen < 20_000:
        assert time.monotonic() < deadline_s
        wakeup.wait(5.0)
        wakeup.take()
        seen = len(done)
    thread.join()


def test_signals_are_told_and_handlers_put_back():
    """Their numbers come with the wakening; afterwards they do what they did."""
    wakeup = Wakeup()
    before = signal.getsignal(signal.SIGHUP)
    with wakeup.heeding(signal.SIGHUP, signal.SIGTERM):
        os.kill(os.getpid(), signal.SIGHUP)
        wakeup.wait(60.0)
        assert wakeup.take() == {signal.SIGHUP}
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGHUP)
        wakeup.wait(60.0)
        assert wakeup.take() == {signal.SIGHUP, signal.SIGTERM}
    assert signal.getsignal(signal.SIGHUP) == before


def test_a_storm_of_signals(station, models):
    """Hundreds of them, at any moment of a busy loop, and then one that stops it."""
    here = station(
        model="tiny",
        models_dir=str(models),
        source={
            "command": {
                "argv": ["cat", "/dev/urandom"],
                "sample_rate": RATE_HZ,
                "format": "u8",
            }
        },
        post=[{"threshold": {"default": 1.0}}],
    )
    process = here.start()
    here.wait_for(lambda status: status["sources"] and status["sources"][0]["received"])
    for _ in range(1000):
        process.send_signal(signal.SIGHUP)
        time.sleep(0.002)
    here.stop(process)
    (source,) = here.status()["sources"]
    assert source["received"] == source["accounted"] > 0


def test_what_wakes_while_it_is_taken_does_not_stop_the_next(monkeypatch):
    """A thread that comes between the looking and the beginning anew is not the last to wake."""
    wakeup = Wakeup()
    wakeup.wake()
    read = os.read

    def read_and_wake(descriptor, size):
        found = read(descriptor, size)
        wakeup.wake()
        return found

    monkeypatch.setattr("edge.daemon.wakeup.os.read", read_and_wake)
    wakeup.take()
    monkeypatch.undo()
    wakeup.wake()
    poller = select.poll()
    poller.register(wakeup._reader, select.POLLIN)
    assert poller.poll(0)

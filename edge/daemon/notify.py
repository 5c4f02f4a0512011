"""Tells systemd how the service is: ready, alive, reloading, stopping.

The protocol of sd_notify(3): datagrams of `NAME=value` lines to the socket that `NOTIFY_SOCKET`
names. Where there is none, nothing is sent and nothing else changes.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Self

# systemd takes datagrams of up to 4 096 bytes.
_LONGEST_STATUS = 1000


class Notifier:
    """A line to whoever supervises this process; for one thread.

    No method waits or raises. What could not be sent goes with the next message, so that a busy
    supervisor hears late rather than never.

    Args:
        address: Socket to send to, as `NOTIFY_SOCKET` writes it; empty for none.
    """

    def __init__(self, address: str = "") -> None:
        # A leading @ stands for the NUL of an abstract socket.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        if address.startswith(("@", "/")):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
        self._unsent: dict[str, str] = {}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read `NOTIFY_SOCKET`."""
        return cls(environment.get("NOTIFY_SOCKET", ""))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket; nothing is sent any more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def ready(self, status: str) -> None:
        """Say that it listens: after the start, or after `reloading`."""
        self._send(state="READY=1", status=_status(status))

    def status(self, text: str) -> None:
        """Say in one line how it is, for `systemctl status`."""
        self._send(status=_status(text))

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send(alive="WATCHDOG=1")

    def reloading(self) -> None:
        """Say that another configuration is being applied; `ready` ends it."""
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(state=f"RELOADING=1\nMONOTONIC_USEC={now_us}")

    def stopping(self) -> None:
        """Say that it ends."""
        self._send(state="STOPPING=1")

    @contextmanager
    def more_time(self, *, every_s: float = 10.0, most_s: float = 3600.0) -> Iterator[None]:
        """Ask for more time to become ready, again and again while the `with` block goes on.

        Checking a large store on a slow card takes minutes. Nothing else may be sent meanwhile.

        Args:
            every_s: How often; each time for six times as much more.
            most_s: For how long.
        """
        done = threading.Event()

        def ask() -> None:
            until_s = time.monotonic() + most_s
            while not done.wait(every_s) and time.monotonic() < until_s:
                self._send(extend=f"EXTEND_TIMEOUT_USEC={round(6e6 * every_s)}")

        thread = threading.Thread(target=ask, name="more time")
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _send(self, **assignments: str) -> None:
        """Send assignments, and those of before that are not superseded."""
        if self._socket is None:
            return
        self._unsent.update(assignments)
        message = "\n".join(self._unsent.values())
        try:
            self._socket.sendto(message.encode(), self._address)
        except OSError:
            return
        self._unsent.clear()


def _status(text: str) -> str:
    # A second line would be another assignment; a file's name need not be Unicode.
    line = " ".join(text.split())[:_LONGEST_STATUS]
    return "STATUS=" + line.encode(errors="replace").decode()

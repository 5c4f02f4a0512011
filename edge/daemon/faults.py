"""What is wrong, where and since when: in the log at once, in the store without flooding it."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from edge.store.entries import Entry, FaultEnded, FaultSeen


class Faults:
    """The open faults, by where they are.

    Args:
        now: Gives the time, UTC.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._log = structlog.get_logger()
        self._open: dict[str, dict[str, datetime]] = {}
        self._entries: list[Entry] = []

    def seen(self, where: str, what: str, remedy: str = "") -> None:
        """Note a fault; the same again is written once a minute."""
        now = self._now()
        here = self._open.setdefault(where, {})
        last = here.get(what)
        if last is None:
            self._log.warning("fault", where=where, what=what, remedy=remedy)
        if last is None or abs(now - last) >= _AGAIN:
            here[what] = now
            self._entries.append(FaultSeen(where, what, remedy, now))

    def ended(self, where: str) -> None:
        """Note that nothing is wrong there any more; nothing was, mostly."""
        if self._open.pop(where, None) is not None:
            self._log.info("fault ended", where=where)
            self._entries.append(FaultEnded(where, self._now()))

    def passed(self, where: str, what: str, remedy: str = "") -> None:
        """Note a fault that was over at once, such as a recording that cannot be read."""
        now = self._now()
        self._log.warning("fault", where=where, what=what, remedy=remedy)
        self._entries += [FaultSeen(where, what, remedy, now), FaultEnded(where, now)]

    def repeat(self, fault: FaultSeen | FaultEnded) -> None:
        """Note what another thread saw."""
        if isinstance(fault, FaultSeen):
            self.seen(fault.where, fault.what, fault.remedy)
        else:
            self.ended(fault.where)

    def take(self) -> list[Entry]:
        """Hand over what is to be kept."""
        entries, self._entries = self._entries, []
        return entries


_AGAIN = timedelta(minutes=1)

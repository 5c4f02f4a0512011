"""What is wrong, where and since when: in the log at once, in the store without flooding it."""

from collections.abc import Callable, Iterable
from datetime import datetime

import structlog

from edge.store.entries import Entry, FaultEnded, FaultSeen


class Faults:
    """The open faults, by where they are.

    Args:
        now: Gives the time, UTC.
        monotonic_s: The clock that is never set, in seconds.
        inherited: Faults that an earlier run left open in the store: where, and what. They go on if
            they are seen again; `disinherit` ends the others.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        monotonic_s: Callable[[], float],
        *,
        inherited: Iterable[tuple[str, str]] = (),
    ) -> None:
        self._now = now
        self._monotonic_s = monotonic_s
        self._log = structlog.get_logger()
        self._open: dict[str, dict[str, float]] = {}
        self._inherited: dict[str, set[str]] = {}
        for where, what in inherited:
            self._inherited.setdefault(where, set()).add(what)
        self._passed: dict[str, float] = {}
        """Until when each stands, the first to end first."""
        self._entries: list[Entry] = []

    def seen(self, where: str, what: str, remedy: str = "") -> None:
        """Note a fault; the same again is written once a minute."""
        # Of many errors the message begins with the place, which is told beside it.
        what = what.removeprefix(f"{where}: ")
        now_s = self._monotonic_s()
        here = self._open.setdefault(where, {})
        last_s = here.get(what)
        if last_s is None:
            self._log.warning("fault", where=where, what=what, remedy=remedy)
        if last_s is None or now_s - last_s >= _AGAIN_S:
            here[what] = now_s
            self._entries.append(FaultSeen(where, what, remedy, self._now()))

    def only(self, where: str, what: str, remedy: str = "") -> None:
        """Note what is wrong there now; whatever else was is over."""
        what = what.removeprefix(f"{where}: ")
        if (self._open.get(where, {}).keys() | self._inherited.get(where, set())) - {what}:
            self.ended(where)
        self.seen(where, what, remedy)

    def ended(self, where: str) -> None:
        """Note that nothing is wrong there any more; nothing was, mostly."""
        was_open = self._open.pop(where, None) is not None
        was_inherited = self._inherited.pop(where, None) is not None
        if was_open or was_inherited:
            self._log.info("fault ended", where=where)
            self._entries.append(FaultEnded(where, self._now()))

    def passed(self, where: str, what: str, remedy: str = "") -> None:
        """Note a fault that was over at once, such as a recording that cannot be read.

        It stands for an hour, so that who looks finds it; of many, the latest.
        """
        self.seen(where, what, remedy)
        self._passed.pop(where, None)
        self._passed[where] = self._monotonic_s() + _STANDS_S
        if len(self._passed) > _MOST_PASSED:
            self._end_first()

    def is_open(self, where: str) -> bool:
        """Tell whether something is wrong there."""
        return where in self._open

    def summary(self) -> str:
        """Say in a line how many are open, and the last of them; nothing where none is."""
        found = [(where, what) for where, whats in self._open.items() for what in whats]
        if not found:
            return ""
        where, what = found[-1]
        return f"{len(found)} fault{'s' if len(found) > 1 else ''}: {where}: {what}"

    def repeat(self, fault: FaultSeen | FaultEnded) -> None:
        """Note what another thread saw of its one source."""
        if isinstance(fault, FaultSeen):
            self.only(fault.where, fault.what, fault.remedy)
        else:
            self.ended(fault.where)

    @property
    def any_open(self) -> bool:
        """Whether anything is wrong."""
        return bool(self._open)

    def disinherit(self) -> None:
        """End what an earlier run left open and nobody has seen since."""
        for where in sorted(self._inherited.keys() - self._open.keys()):
            self.ended(where)
        self._inherited.clear()

    def take(self) -> list[Entry]:
        """Hand over what is to be kept."""
        now_s = self._monotonic_s()
        while self._passed and next(iter(self._passed.values())) <= now_s:
            self._end_first()
        entries, self._entries = self._entries, []
        return entries

    def _end_first(self) -> None:
        where = next(iter(self._passed))
        del self._passed[where]
        self.ended(where)


_AGAIN_S = 60.0
_STANDS_S = 3600.0
_MOST_PASSED = 100

"""A watched folder: each recording through the model, its windows kept together."""

from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import datetime, tzinfo
from pathlib import Path

import structlog

from edge.contracts import Model, PostProcessor
from edge.daemon.faults import Faults
from edge.daemon.files import FileChangedError, FileInHandError, FileTask, score_file
from edge.daemon.hearing import BROKE
from edge.handover import Relay
from edge.sources.directory import Directory, FoundFile
from edge.store.entries import Entry, FileDone, FileState
from edge.store.store import Store


class Recordings:
    """The recordings of one folder, one after the other.

    Args:
        name: The source's name.
        directory: Finds them; entered by its owner.
        zone: Of recorders that do not say theirs.
        store: Knows what was scored before.
        faults: Where trouble is told.
        labels: Of each model in use, by its `name@version`; kept up to date by the owner.
        open_relay: Opens a stream through the model of the moment.
        in_hand: Contents that any source is scoring; shared by all.
        monotonic_s: The clock that is never set.
    """

    def __init__(
        self,
        name: str,
        directory: Directory,
        *,
        zone: tzinfo,
        store: Store,
        faults: Faults,
        labels: Mapping[str, Sequence[str]],
        open_relay: Callable[[], Relay],
        in_hand: set[str],
        monotonic_s: Callable[[], float],
    ) -> None:
        self.name = name
        self._directory = directory
        self._zone = zone
        self._store = store
        self._faults = faults
        self._labels = labels
        self._open_relay = open_relay
        self._in_hand = in_hand
        self._monotonic_s = monotonic_s
        self._log = structlog.get_logger()
        self._found: FoundFile | None = None
        self._relay: Relay | None = None
        self._job: Generator[float, None, FileDone] | None = None
        self._previous: datetime | None = None
        self._moved_at_s = monotonic_s()
        self._troubles: set[str] = set()
        self._polling = ""
        self._waiting = 0

    @property
    def models(self) -> tuple[Model, ...]:
        """The models in use."""
        return self._relay.models if self._relay else ()

    @property
    def finished(self) -> bool:
        """Whether everything that is there was scored."""
        return self._job is None and self._directory.drained

    def switch(self, model: Model, post: Sequence[PostProcessor]) -> None:
        """Let another model begin at the next border, also within a recording."""
        if self._relay is not None:
            self._relay.switch(model, post=post)

    def step(self) -> list[Entry] | None:
        """Score some seconds of sound; return what is to be kept, or None when there is none."""
        self._tell_trouble()
        if self._job is None and not self._next():
            # What was looked for may have shown what is wrong.
            self._tell_trouble()
            return None
        assert self._job is not None
        assert self._found is not None
        try:
            next(self._job)
        except StopIteration as end:
            return [self._keep(end.value)]
        except FileChangedError as change:
            self._faults.passed(
                self._place(self._found.path),
                str(change),
                "nothing of it is kept; it is scored once it is there and complete",
            )
            self._directory.later(self._found)
            self._let_go()
        except FileInHandError:
            self._directory.later(self._found)
            self._let_go()
        self._moved_at_s = self._monotonic_s()
        return []

    def deaf(self) -> str | None:
        """Say why nothing is heard, where something should be; an empty folder is rightly quiet."""
        if self._job is not None and self._monotonic_s() - self._moved_at_s > _STUCK_S:
            return "a recording does not get on"
        return None

    def stop(self) -> None:
        """Do nothing: what is there can be scored by the next run."""

    def close(self, *, within_s: float) -> list[Entry]:
        """Leave the recording that is being scored as if it was never begun."""
        if self._job is not None:
            self._job.close()
        self._let_go()
        self._directory.__exit__(None, None, None)
        for where in self._troubles:
            self._faults.ended(where)
        return []

    def _next(self) -> bool:
        if self._store.trouble:
            # What cannot be kept is better scored later than twice.
            return False
        while True:
            found = self._directory.take()
            if found is None:
                self._tell_waiting()
                return False
            path = str(found.path)
            known = self._store.known_fingerprints(path, found.size, found.mtime_ns)
            if found.fingerprint not in known:
                break
            self._directory.done(found)
        self._found = found
        self._moved_at_s = self._monotonic_s()
        self._relay = self._open_relay()
        self._job = score_file(
            FileTask(
                found=found,
                source=self.name,
                zone=self._zone,
                relay=self._relay,
                labels=self._labels,
                known_content=self._store.known_content,
                in_hand=self._in_hand,
                previous=self._previous,
            )
        )
        return True

    def _tell_waiting(self) -> None:
        """Tell of files that are there, but not complete yet, once each time their number grows."""
        waiting = self._directory.waiting
        if len(waiting) > self._waiting:
            self._log.info(
                "recordings that are not complete yet",
                source=self.name,
                count=len(waiting),
                such_as=str(waiting[-1].path),
            )
        self._waiting = len(waiting)

    def _keep(self, done: FileDone) -> FileDone:
        assert self._found is not None
        self._directory.done(self._found)
        self._let_go()
        self._previous = done.started_at or self._previous
        if done.state in (FileState.FAILED, FileState.UNHEARD) or BROKE in _reasons(done):
            self._faults.passed(self._place(done.path), _why_unheard(done), "look at the file")
        else:
            self._faults.ended(self._place(done.path))
        self._log.info(
            "recording",
            source=self.name,
            path=done.path,
            state=done.state.value,
            seconds=round(done.samples / done.sample_rate_hz, 1) if done.sample_rate_hz else 0,
            detections=len(done.heard),
            started_at=done.started_at.isoformat() if done.started_at else None,
            time_source=done.time_source,
        )
        return done

    def _place(self, path: Path | str) -> str:
        return f"{self.name}: {path}"

    def _let_go(self) -> None:
        self._job = self._relay = self._found = None

    def _tell_trouble(self) -> None:
        troubles = self._directory.trouble
        for where, what, remedy in troubles:
            self._faults.seen(where, what, remedy)
        over = self._troubles - {where for where, _, _ in troubles}
        for where in over:
            self._faults.ended(where)
        self._troubles = {where for where, _, _ in troubles}
        if self._directory.polling != self._polling:
            self._polling = self._directory.polling
            why = self._polling or "over: the system tells of what comes"
            self._log.info("looking through the folder again and again", source=self.name, why=why)


def _why_unheard(done: FileDone) -> str:
    return done.reason or "; ".join(_reasons(done)) or "no window could be scored"


def _reasons(done: FileDone) -> list[str]:
    """Why windows were not scored, each reason once."""
    return [*dict.fromkeys(part.reason for part in done.ranges if part.reason)]


_STUCK_S = 120.0

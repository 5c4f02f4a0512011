"""From a source in the configuration to the line that attends to it."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec

from edge.config import SourceSpec, place
from edge.contracts import LiveSource, Model, PostProcessor
from edge.daemon.faults import Faults
from edge.daemon.listening import Listening
from edge.daemon.recordings import Recordings
from edge.handover import Relay
from edge.live.intake import Intake
from edge.recorder.zone import parse_zone
from edge.sources.command import Command
from edge.sources.directory import Directory
from edge.sources.fifo import Fifo
from edge.sources.file import SUFFIXES
from edge.sources.soundcard import Soundcard
from edge.sources.stdin import Stdin
from edge.store.entries import Entry
from edge.store.store import Store


class Line(Protocol):
    """One source of the configuration, attended to a step at a time from the main thread."""

    @property
    def models(self) -> tuple[Model, ...]:
        """The models in use."""
        ...

    @property
    def finished(self) -> bool:
        """Whether all that is there was scored; more may come of a folder."""
        ...

    def switch(self, model: Model, post: Sequence[PostProcessor]) -> None:
        """Let another model begin at the next window's border."""
        ...

    def step(self) -> list[Entry] | None:
        """Do a little; return what is to be kept, or None when there was nothing to do."""
        ...

    def deaf(self) -> str | None:
        """Say why nothing is heard; None where it is, or where it is rightly quiet."""
        ...

    def stop(self) -> None:
        """Hear no more, without waiting; say it to all before closing one."""
        ...

    def close(self, *, within_s: float) -> list[Entry]:
        """End; return what is to be kept.

        Args:
            within_s: For scoring what has come; the rest is accounted for unscored.
        """
        ...


def open_live(spec: SourceSpec, *, beside: Path) -> LiveSource:
    """Make the live source that a specification names; it is opened by entering it."""
    if spec.stdin is not None:
        return Stdin(spec.label, spec.stdin)
    if spec.command is not None:
        return Command(spec.label, spec.command)
    if spec.fifo is not None:
        path = str(place(spec.fifo.path, beside=beside))
        return Fifo(spec.label, msgspec.structs.replace(spec.fifo, path=path))
    assert spec.soundcard is not None
    return Soundcard(spec.label, spec.soundcard)


def open_line(
    spec: SourceSpec,
    *,
    beside: Path,
    store: Store,
    faults: Faults,
    labels: Mapping[str, Sequence[str]],
    open_relay: Callable[[], Relay],
    in_hand: set[str],
    wake: Callable[[], None],
) -> Line:
    """Open a source; what it cannot do yet it goes on trying, and tells.

    Args:
        spec: The source; a folder's says the zone.
        beside: The configuration's file: relative paths begin in its folder.
        store: Where everything is kept.
        faults: Where trouble is told.
        labels: Of each model in use, by its `name@version`.
        open_relay: Opens a stream through the model of the moment.
        in_hand: Contents of files that any source is scoring; shared by all.
        wake: Called from any thread when there is something to do.
    """
    if spec.directory is not None:
        path = str(place(spec.directory.path, beside=beside))
        directory = Directory(
            msgspec.structs.replace(spec.directory, path=path),
            suffixes=SUFFIXES,
            known_fingerprints=store.known_fingerprints,
            wake=wake,
        )
        return Recordings(
            spec.label,
            directory.__enter__(),
            zone=parse_zone(spec.directory.timezone or "UTC"),
            store=store,
            faults=faults,
            labels=labels,
            open_relay=open_relay,
            in_hand=in_hand,
            monotonic_s=time.monotonic,
        )
    intake = Intake(
        spec.label,
        open_live(spec, beside=beside),
        now=lambda: datetime.now(UTC),
        monotonic_s=time.monotonic,
        wake=wake,
        spec=spec.listening,
    )
    return Listening(
        intake.__enter__(),
        store=store,
        faults=faults,
        labels=labels,
        open_relay=open_relay,
        monotonic_s=time.monotonic,
    )

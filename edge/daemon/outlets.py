"""The sinks of the configuration, each with its thread and its cursor in the store."""

import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from edge.config import Config, SinkSpec, Station
from edge.contracts import Detection
from edge.daemon.faults import Faults
from edge.delivery import Cursor, Delivery
from edge.store.reader import StoreReader
from edge.store.store import Store


class Outlets:
    """Opens, closes and attends to the deliveries; used from the daemon's main thread.

    Args:
        store: Keeps the cursors.
        path: The store's file, which the sinks' threads read.
        beside: The configuration's file: relative paths begin in its folder.
        faults: Where trouble is told.
    """

    def __init__(self, store: Store, path: Path, *, beside: Path, faults: Faults) -> None:
        self._store = store
        self._beside = beside
        self._path = path
        self._faults = faults
        self._deliveries: dict[str, tuple[_Place, Delivery]] = {}
        self._notified = 0

    def __enter__(self) -> "Outlets":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish(within_s=0.0)

    @property
    def names(self) -> list[str]:
        """Of the sinks that are open."""
        return [*self._deliveries]

    def apply(self, config: Config) -> None:
        """Close sinks that are gone or changed, open new ones, leave the others alone."""
        wanted = {spec.label: (spec, config.station) for spec in config.sinks}
        for name in [*self._deliveries]:
            place, delivery = self._deliveries[name]
            if wanted.get(name) != place:
                self._close(name, delivery, within_s=_LAST_WORDS_S)
        station = config.station.as_context()
        for name, place in wanted.items():
            if name in self._deliveries:
                continue
            cursor = Cursor(*self._store.cursor(name))
            sink = place[0].sink.build(
                station, folder=self._beside.parent, position=cursor.position
            )
            delivery = Delivery(name, sink, self._read, cursor=cursor)
            delivery.notify(self._store.last_number)
            self._deliveries[name] = (place, delivery)

    def step(self) -> None:
        """Wake the sinks for what was committed; keep their cursors; tell their trouble."""
        last = self._store.last_number
        for name, (_, delivery) in self._deliveries.items():
            if last > self._notified:
                delivery.notify(last)
            cursor = delivery.take_cursor()
            if cursor is not None:
                self._save(name, delivery, cursor)
            trouble = delivery.trouble
            if trouble is not None:
                self._faults.only(f"sink {name}", trouble.what, trouble.remedy)
            else:
                self._faults.ended(f"sink {name}")
        self._notified = last

    def finish(self, *, within_s: float) -> None:
        """Hand on what is committed, if it can be done in time, and close every sink."""
        for _, delivery in self._deliveries.values():
            delivery.finish(within_s)
        until_s = time.monotonic() + within_s
        for name in [*self._deliveries]:
            left_s = max(0.0, until_s - time.monotonic())
            self._close(name, self._deliveries[name][1], within_s=left_s)

    def _close(self, name: str, delivery: Delivery, *, within_s: float) -> None:
        delivery.close(within_s, lambda cursor: self._store.set_cursor(name, *cursor))
        del self._deliveries[name]
        self._faults.ended(f"sink {name}")

    def _save(self, name: str, delivery: Delivery, cursor: Cursor) -> None:
        self._store.set_cursor(name, *cursor)
        delivery.saved(cursor)

    def _read(self, after_number: int, limit: int) -> Sequence[Detection]:
        """Read from a sink's thread, by a connection of its own."""
        with StoreReader(self._path) as reader:
            return [*reader.detections(after_number=after_number, limit=limit)]


_Place = tuple[SinkSpec, Station]
_LAST_WORDS_S = 2.0

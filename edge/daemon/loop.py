"""The loop of the daemon: sound in, entries out, and everything that may change meanwhile."""

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import msgspec
import structlog

from edge.allocator import give_back_freed_memory, keep_freed_memory, use_one_arena
from edge.config import Config, SourceSpec, place
from edge.contracts import Model
from edge.daemon.faults import Faults
from edge.daemon.lines import Line, open_line
from edge.daemon.notify import Notifier
from edge.daemon.outlets import Outlets
from edge.daemon.recordings import Recordings
from edge.daemon.reload import ConfigWatch
from edge.daemon.switching import Loaded, Switcher, load
from edge.errors import EdgeError
from edge.handover import Relay
from edge.store.entries import Entry, ModelChanged
from edge.store.retention import Limits, Retention
from edge.store.store import Store


class Daemon:
    """Listens until it is told to stop.

    Args:
        config: What to do.
        path: The file it was read from; watched for changes.
        once: Stop when what is there was scored.
        notifier: Tells the service manager.
    """

    def __init__(self, config: Config, path: Path, *, once: bool, notifier: Notifier) -> None:
        self._config = config
        self._path = path
        self._once = once
        self._notifier = notifier
        self._log = structlog.get_logger()
        self._wake = threading.Event()
        self._faults = Faults(_now)
        self._stop = False
        self._reload = False
        self._lines: dict[str, tuple[SourceSpec, Line]] = {}
        self._labels: dict[str, Sequence[str]] = {}
        self._retired: list[Model] = []
        self._housekept_s = 0.0
        self._fed_s = 0.0
        self._trouble = ""
        self._retention: tuple[Limits, Retention] | None = None

    def run(self) -> None:
        """Start, listen, stop.

        Raises:
            EdgeError: It cannot start: the model or the store.
        """
        use_one_arena()
        keep_freed_memory()
        with ExitStack() as stack:
            path = place(self._config.store.path, beside=self._path)
            self._store = stack.enter_context(Store.open(path, now=_now))
            for note in self._store.notes:
                self._faults.passed("store", note)
            self._loaded = self._first_model()
            stack.callback(self._close_model)
            self._labels[self._loaded.model.info.id] = self._loaded.model.info.labels
            give_back_freed_memory()
            self._watch = ConfigWatch(self._path)
            self._switcher = Switcher(self._wake.set)
            stack.callback(self._switcher.close)
            self._outlets = stack.enter_context(
                Outlets(self._store, path, beside=self._path, faults=self._faults)
            )
            self._outlets.apply(self._config)
            self._handle_signals(stack)
            stack.callback(self._close_lines)
            self._apply_sources()
            self._notifier.ready(self._summary())
            self._log.info("ready", model=self._loaded.model.info.id, sources=[*self._lines])
            self._loop()
            self._notifier.stopping()
            self._end()

    def _loop(self) -> None:
        while not self._stop:
            self._wake.clear()
            entries: list[Entry] = []
            moved = False
            for name in [*self._lines]:
                _, line = self._lines[name]
                found = line.step()
                moved |= found is not None
                entries += found or []
            entries += self._changes()
            self._keep(entries)
            self._feed()
            self._housekeep()
            if all(self._is_over(line) for _, line in self._lines.values()):
                return
            if not moved:
                self._wake.wait(_LONGEST_WAIT_S)

    def _is_over(self, line: Line) -> bool:
        """Tell whether nothing more is to come: a folder may always be added to."""
        return line.finished and (self._once or not isinstance(line, Recordings))

    def _keep(self, entries: list[Entry]) -> None:
        """Write what happened, all at once; tell the sinks."""
        entries += self._faults.take()
        if entries:
            self._store.write(entries)
        elif self._store.trouble:
            self._store.retry()
        trouble = self._store.trouble or ""
        if bool(trouble) != bool(self._trouble):
            # The store keeps this fault itself.
            self._log.warning("store", trouble=trouble or "over")
        self._trouble = trouble
        self._outlets.step()

    def _changes(self) -> Iterator[Entry]:
        """Take in another configuration, another model."""
        if self._reload or self._watch.changed():
            self._reload = False
            self._notifier.reloading()
            self._read_config()
            self._notifier.ready(self._summary())
        result = self._switcher.take()
        if result is not None:
            config, loaded = result
            yield self._switch(config, loaded)
        self._retire()

    def _read_config(self) -> None:
        try:
            config = self._watch.read()
        except EdgeError as error:
            self._faults.seen("configuration", error.what, error.remedy)
            return
        self._faults.ended("configuration")
        if config == self._config:
            return
        before, self._config = self._config, config
        if config.store != before.store:
            self._faults.passed(
                "configuration", "store: a change takes effect at the next start", "restart edge"
            )
        if (config.model, config.models_dir, config.model_files) != (
            before.model,
            before.models_dir,
            before.model_files,
        ):
            self._switcher.ask(config, beside=self._path)
        elif config.post != before.post:
            self._hand_over(self._loaded)
        self._outlets.apply(config)
        self._apply_sources()
        self._log.info("configuration applied", model=config.model)

    def _switch(self, config: Config, loaded: Loaded | EdgeError) -> Entry:
        before = self._loaded.model.info.id
        if isinstance(loaded, EdgeError):
            self._faults.seen("model", loaded.what, loaded.remedy)
            return ModelChanged(_now(), before, config.model, failed=loaded.what)
        self._faults.ended("model")
        self._retired.append(self._loaded.model)
        self._hand_over(loaded)
        after = loaded.model.info.id
        self._log.info("model switched", before=before, after=after)
        return ModelChanged(_now(), before, after)

    def _hand_over(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._labels[loaded.model.info.id] = loaded.model.info.labels
        for _, line in self._lines.values():
            line.switch(loaded.model, loaded.post(self._config.post))

    def _retire(self) -> None:
        """Close models that no stream uses any more."""
        in_use = {id(self._loaded.model)}
        in_use |= {id(model) for _, line in self._lines.values() for model in line.models}
        done = [model for model in self._retired if id(model) not in in_use]
        if done:
            self._retired = [model for model in self._retired if id(model) in in_use]
            while done:
                # By no name any more, or its memory would not be free yet.
                done.pop().close()
            give_back_freed_memory()

    def _apply_sources(self) -> None:
        """Close sources that are gone or changed, open new ones, leave the others alone."""
        wanted = {spec.label: spec for spec in self._config.sources}
        for name in [*self._lines]:
            if wanted.get(name) != self._lines[name][0]:
                _, line = self._lines.pop(name)
                self._keep(line.close())
                self._faults.ended(name)
        for name, spec in wanted.items():
            if name not in self._lines:
                line = open_line(
                    spec,
                    station=self._config.station,
                    beside=self._path,
                    store=self._store,
                    faults=self._faults,
                    labels=self._labels,
                    open_relay=self._open_relay,
                    wake=self._wake.set,
                )
                self._lines[name] = (spec, line)

    def _open_relay(self) -> Relay:
        return Relay(self._loaded.model, post=self._loaded.post(self._config.post))

    def _first_model(self) -> Loaded:
        """Load the model that is asked for, or else the last one that worked here.

        A station far away that restarts with a broken model still listens, and says so.
        """
        last = self._store.last_model() or ""
        try:
            loaded = load(self._config, beside=self._path)
        except EdgeError as error:
            self._log.error("model", what=error.what, remedy=error.remedy)
            try:
                before = msgspec.structs.replace(self._config, model=last.partition("@")[0])
                loaded = load(before, beside=self._path)
            except EdgeError:
                raise error from None
            self._faults.seen("model", error.what, error.remedy)
        if last != loaded.model.info.id:
            self._store.write([ModelChanged(_now(), last, loaded.model.info.id)])
        return loaded

    def _feed(self) -> None:
        """Feed the watchdog where at least one source is heard, or is rightly quiet."""
        now_s = time.monotonic()
        if now_s - self._fed_s < _FEED_S:
            return
        hearing = False
        for name, (_, line) in self._lines.items():
            why = line.deaf()
            if why is None:
                hearing = True
                self._faults.ended(f"{name}: hearing")
            else:
                self._faults.seen(f"{name}: hearing", why, "check the device, its cable and level")
        if hearing or not self._lines:
            self._fed_s = now_s
            self._notifier.alive()

    def _housekeep(self) -> None:
        now_s = time.monotonic()
        if now_s - self._housekept_s < _HOUSEKEEPING_S:
            return
        self._housekept_s = now_s
        self._notifier.status(self._summary())
        store = self._config.store
        limits = Limits(
            days=store.retention_days,
            size_bytes=round(store.max_mb * 1e6) if store.max_mb else None,
            hard_bytes=round(2 * store.max_mb * 1e6) if store.max_mb else None,
        )
        if self._retention is None or self._retention[0] != limits:
            self._retention = (limits, Retention(self._store, limits))
        pruned = self._retention[1].prune(at=_now(), sinks=self._outlets.names)
        if pruned.more:
            self._housekept_s = 0.0

    def _summary(self) -> str:
        return f"{self._loaded.model.info.id}, {len(self._lines)} sources"

    def _end(self) -> None:
        self._close_lines()
        self._keep([])
        self._outlets.finish(within_s=_LAST_DELIVERY_S)
        self._keep([])
        self._log.info("stopped")

    def _close_model(self) -> None:
        for model in (*self._retired, self._loaded.model):
            model.close()

    def _close_lines(self) -> None:
        while self._lines:
            _, (_, line) = self._lines.popitem()
            self._keep(line.close())

    def _handle_signals(self, stack: ExitStack) -> None:
        def stop(number: int, frame: FrameType | None) -> None:
            self._stop = True
            self._wake.set()

        def reload(number: int, frame: FrameType | None) -> None:
            self._reload = True
            self._wake.set()

        for number, handler in (
            (signal.SIGTERM, stop),
            (signal.SIGINT, stop),
            (signal.SIGHUP, reload),
        ):
            stack.callback(signal.signal, number, signal.signal(number, handler))


def _now() -> datetime:
    return datetime.now(UTC)


_LONGEST_WAIT_S = 0.5
_FEED_S = 2.0
_HOUSEKEEPING_S = 60.0
_LAST_DELIVERY_S = 3.0

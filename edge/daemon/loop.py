"""The loop of the daemon: sound in, entries out, and everything that may change meanwhile."""

import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

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
from edge.daemon.switching import Asked, Loaded, Switcher, load, load_before
from edge.daemon.wakeup import Wakeup
from edge.errors import EdgeError
from edge.handover import Relay
from edge.store.entries import Entry, ModelChanged
from edge.store.reader import StoreReader
from edge.store.retention import Limits, Retention
from edge.store.status import StoreStatus
from edge.store.store import Store


class Daemon:
    """Listens until it is told to stop.

    Args:
        watch: The configuration's file; read at once, and when it is saved.
        once: Stop when what is there was scored.
        notifier: Tells the service manager.

    Raises:
        ConfigError: The file does not say what it must.
    """

    def __init__(self, watch: ConfigWatch, *, once: bool, notifier: Notifier) -> None:
        self._watch = watch
        self._path = watch.path
        self._config = watch.read()
        self._once = once
        self._notifier = notifier
        self._log = structlog.get_logger()
        self._wakeup = Wakeup()
        self._broken_s: dict[str, float] = {}
        """When each source broke that is left alone."""
        self._reopened_s: dict[str, float] = {}
        """When each source that broke was opened again."""
        """When the lines broke that are to be opened again."""
        self._called: deque[str] = deque()
        self._toured_s = 0.0
        self._reload = False
        self._lines: dict[str, tuple[SourceSpec, Line]] = {}
        self._labels: dict[str, Sequence[str]] = {}
        self._in_hand: set[str] = set()
        self._retired: list[Model] = []
        self._began_s = self._housekept_s = self._looked_s = self._told_s = time.monotonic()
        self._told = ""
        self._fed_s = 0.0
        self._trouble = ""
        self._retention: tuple[Limits, Retention] | None = None

    def run(self) -> bool:
        """Start, listen, stop; return whether nothing was wrong when it came to the end.

        Raises:
            EdgeError: It cannot start: the model or the store.
        """
        use_one_arena()
        keep_freed_memory()
        with ExitStack() as stack:
            stack.enter_context(self._wakeup.heeding(signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
            path = self._store_path = place(self._config.store.path, beside=self._path)
            with self._notifier.more_time():
                self._store = stack.enter_context(Store.open(path, now=_now))
            before = _status(path)
            self._faults = Faults(
                _now, time.monotonic, inherited=_open_faults(before, path) if before else ()
            )
            for note in self._store.take_notes():
                self._faults.passed("store: its last end", note)
            self._loaded = self._first_model(before)
            stack.callback(self._close_model)
            self._labels[self._loaded.model.info.id] = self._loaded.model.info.labels
            give_back_freed_memory()
            self._switcher = Switcher(self._wakeup.wake)
            stack.callback(self._switcher.close)
            self._outlets = stack.enter_context(
                Outlets(self._store, path, beside=self._path, faults=self._faults)
            )
            self._outlets.apply(self._config)
            stack.callback(self._close_lines)
            self._apply_sources()
            self._notifier.ready(self._summary())
            self._log.info("ready", model=self._loaded.model.info.id, sources=[*self._lines])
            self._loop()
            well = not self._faults.any_open
            self._notifier.stopping()
            self._end()
        return well

    def _loop(self) -> None:
        moved: set[str] = set()
        while True:
            came = self._wakeup.take()
            self._reload |= signal.SIGHUP in came
            if came & {signal.SIGTERM, signal.SIGINT}:
                return
            due = moved | self._due()
            moved = set()
            entries: list[Entry] = []
            for name in [name for name in self._lines if name in due]:
                found = self._step(name)
                if found is not None:
                    moved.add(name)
                    entries += found
            entries += self._changes()
            self._keep(entries)
            self._feed()
            self._housekeep()
            over = all(self._is_over(line) for _, line in self._lines.values())
            if over and (self._once or not self._broken_s):
                return
            if not moved:
                self._wakeup.wait(_LONGEST_WAIT_S)

    def _step(self, name: str) -> list[Entry] | None:
        """Let a line do a little; one that breaks is closed, and opened again after a while.

        What breaks it is a mistake, in edge or in what runs the model: the other lines go on.
        """
        _, line = self._lines[name]
        try:
            return line.step()
        except Exception as reason:
            self._set_by(name, reason)
            del self._lines[name]
            line.stop()
            with suppress(Exception):
                # Accounted for, but not shown to the model again.
                return line.close(within_s=0.0)
            return []

    def _set_by(self, name: str, reason: Exception) -> None:
        """Leave a line that broke alone for a while, and tell why."""
        self._log.exception("a source broke", source=name)
        self._faults.only(name, f"{_MISTAKE}: {reason!r}", _REPORT)
        self._broken_s[name] = time.monotonic()

    def _due(self) -> set[str]:
        """Name the lines to attend to: those that called, and now and then all of them."""
        now_s = time.monotonic()
        called = set()
        while self._called:
            called.add(self._called.popleft())
        if now_s - self._toured_s < _LONGEST_WAIT_S:
            return called
        self._toured_s = now_s
        return {*self._lines}

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
            yield from self._switch(*result)
        self._retire()

    def _read_config(self) -> None:
        try:
            config = self._watch.read()
        except EdgeError as error:
            self._faults.only("configuration", error.what, error.remedy)
            return
        self._faults.ended("configuration")
        before, self._config = self._config, config
        if place(config.store.path, beside=self._path) == self._store_path:
            self._faults.ended("configuration: store.path")
        else:
            self._faults.only(
                "configuration: store.path",
                f"{config.store.path} is for the next start; until then {self._store_path} is used",
                "restart edge, or put the old path back",
            )
        if config.post != before.post:
            self._hand_over(self._loaded)
        if self._loaded.asked != Asked.by(config) or self._loaded.changes():
            self._switcher.ask(config, beside=self._path)
        else:
            self._faults.ended("model")
        try:
            self._outlets.apply(config)
        except Exception as reason:
            self._log.exception("the sinks cannot be applied")
            self._faults.only("configuration", f"sinks: {_MISTAKE}: {reason!r}", _REPORT)
        self._apply_sources()
        if config != before:
            self._log.info("configuration applied", model=config.model)

    def _switch(self, config: Config, loaded: Loaded | EdgeError) -> Iterator[Entry]:
        before = self._loaded.model.info
        if Asked.by(config) != Asked.by(self._config):
            # Another one was asked for meanwhile: how this one is no longer matters.
            if isinstance(loaded, Loaded):
                loaded.model.close()
            return
        if isinstance(loaded, Loaded):
            after = loaded.model.info
            if after.id == before.id and after.labels != before.labels:
                loaded.model.close()
                loaded = EdgeError(
                    f"model {config.model}: has other labels than the {before.id} that runs",
                    remedy="give it another version in its model.yaml",
                )
        if isinstance(loaded, EdgeError):
            self._faults.only("model", loaded.what, _then_again(loaded.remedy))
            yield ModelChanged(_now(), before.id, config.model, failed=loaded.what)
            return
        self._faults.ended("model")
        self._faults.ended("model: files")
        self._retired.append(self._loaded.model)
        self._hand_over(loaded)
        self._log.info("model switched", before=before.id, after=loaded.model.info.id)
        yield ModelChanged(_now(), before.id, loaded.model.info.id)

    def _hand_over(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._labels[loaded.model.info.id] = loaded.model.info.labels
        for _, line in self._lines.values():
            line.switch(loaded.model, loaded.post(self._config.post))

    def _retire(self) -> None:
        """Close models that no stream uses any more."""
        if not self._retired:
            return
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
        zone = self._config.station.timezone
        wanted = {spec.label: spec.in_zone(zone) for spec in self._config.sources}
        for name in [*self._lines]:
            if wanted.get(name) != self._lines[name][0]:
                _, line = self._lines.pop(name)
                line.stop()
                self._keep(line.close(within_s=_LAST_WINDOWS_S))
                for where in (name, f"{name}: hearing", f"{name}: sample rate"):
                    self._faults.ended(where)
        for name, broke_s in [*self._broken_s.items()]:
            if name not in wanted:
                del self._broken_s[name]
                self._faults.ended(name)
            elif time.monotonic() - broke_s >= _LEFT_ALONE_S:
                del self._broken_s[name]
                self._reopened_s[name] = time.monotonic()
        for name, spec in wanted.items():
            if name in self._lines or name in self._broken_s:
                continue
            try:
                line = open_line(
                    spec,
                    beside=self._path,
                    store=self._store,
                    faults=self._faults,
                    labels=self._labels,
                    open_relay=self._open_relay,
                    in_hand=self._in_hand,
                    wake=partial(self._call, name),
                )
            except Exception as reason:
                self._set_by(name, reason)
            else:
                self._lines[name] = (spec, line)

    def _call(self, name: str) -> None:
        """Ask for a line to be attended to; from any thread."""
        self._called.append(name)
        self._wakeup.wake()

    def _open_relay(self) -> Relay:
        return Relay(self._loaded.model, post=self._loaded.post(self._config.post))

    def _first_model(self, before: StoreStatus | None) -> Loaded:
        """Load the model that is asked for, or else the last one that worked here.

        A station far away that restarts with a broken model still listens, and says so.
        """
        last = self._store.last_model() or ""
        try:
            loaded = load(self._config, beside=self._path)
        except EdgeError as error:
            if self._once:
                # Whoever waits for it can mend it.
                raise
            self._log.error("model", what=error.what, remedy=error.remedy)
            changes = before.model_changes if before else ()
            worked = [last, *(change.after for change in changes if not change.failed)]
            found = load_before(self._config, worked, beside=self._path)
            if found is None:
                raise
            loaded = found
            self._faults.only("model", error.what, _then_again(error.remedy))
            failed = ModelChanged(_now(), last, self._config.model, failed=error.what)
            self._store.write([failed])
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
            hearing |= why is None
            if why is None or self._faults.is_open(name):
                # What it is away for is told already.
                self._faults.ended(f"{name}: hearing")
            else:
                self._faults.only(f"{name}: hearing", why, "check the device, its cable and level")
        if hearing or not (self._lines or self._broken_s):
            self._fed_s = now_s
            self._notifier.alive()

    def _housekeep(self) -> None:
        now_s = time.monotonic()
        for note in self._store.take_notes():
            self._faults.passed("store: its file", note)
        if now_s - self._looked_s >= _MODEL_LOOK_S:
            self._looked_s = now_s
            self._look_at_model()
        if now_s - self._told_s >= _TELL_S:
            self._told_s = now_s
            summary = self._summary()
            if summary != self._told:
                self._notifier.status(summary)
                self._told = summary
        if now_s - self._began_s >= _SETTLED_S:
            self._faults.disinherit()
        if any(now_s - at_s >= _LEFT_ALONE_S for at_s in self._broken_s.values()):
            self._apply_sources()
        for name in [n for n, at_s in self._reopened_s.items() if now_s - at_s >= _MENDED_S]:
            del self._reopened_s[name]
            if name not in self._broken_s:
                self._faults.ended(name)
        if now_s - self._housekept_s < _HOUSEKEEPING_S:
            return
        self._housekept_s = now_s
        store = self._config.store
        limits = Limits(
            days=store.retention_days,
            size_bytes=round(store.max_mb * 1e6) if store.max_mb else None,
            hard_bytes=round(2 * store.max_mb * 1e6) if store.max_mb else None,
        )
        if self._retention is None or self._retention[0] != limits:
            self._retention = (limits, Retention(self._store, limits))
        pruned = self._retention[1].prune(
            at=_now(), monotonic_s=time.monotonic(), sinks=self._outlets.names
        )
        for sink in pruned.behind:
            self._faults.passed(
                f"sink {sink}: kept back",
                "detections were removed before it had them: the store is over its hard limit",
                "see why this sink is behind, or raise store.max_mb",
            )
        if pruned.more:
            self._housekept_s = 0.0

    def _look_at_model(self) -> None:
        """Tell when the folder no longer holds what was loaded from it."""
        changes = self._loaded.changes()
        if not changes:
            self._faults.ended("model: files")
            return
        self._faults.only(
            "model: files",
            f"{self._loaded.model.info.id} runs as it was loaded, but on the disk it is changed: "
            + ", ".join(changes),
            "restore the files; or send SIGHUP to load what is there now",
        )

    def _summary(self) -> str:
        count = len(self._lines)
        sources = f"{self._loaded.model.info.id}, {count} source{'' if count == 1 else 's'}"
        # The store's own trouble may not have reached the store.
        trouble = f"store: {self._trouble}" if self._trouble else ""
        return "; ".join(filter(None, (sources, trouble, self._faults.summary())))

    def _end(self) -> None:
        self._close_lines()
        self._faults.disinherit()
        self._keep([])
        self._outlets.finish(within_s=_LAST_DELIVERY_S)
        self._keep([])
        self._log.info("stopped")

    def _close_model(self) -> None:
        for model in (*self._retired, self._loaded.model):
            model.close()

    def _close_lines(self) -> None:
        for _, line in self._lines.values():
            line.stop()
        until_s = time.monotonic() + _LAST_WINDOWS_S
        while self._lines:
            _, (_, line) = self._lines.popitem()
            self._keep(line.close(within_s=max(0.0, until_s - time.monotonic())))


def _now() -> datetime:
    return datetime.now(UTC)


def _then_again(remedy: str) -> str:
    return "; then ".join(filter(None, (remedy, "send SIGHUP: systemctl reload edge")))


def _status(path: Path) -> StoreStatus | None:
    """Read what earlier runs left; None where that cannot be known."""
    try:
        with StoreReader(path) as reader:
            return reader.status()
    except EdgeError:
        return None


def _open_faults(before: StoreStatus, path: Path) -> Iterator[tuple[str, str]]:
    """Yield where faults were left open, and what; the store sees to its own."""
    for fault in before.faults:
        if fault.where != "store" and not fault.where.startswith(f"{path.name}.damaged-"):
            yield fault.where, fault.what


_LONGEST_WAIT_S = 0.5
_FEED_S = 2.0
_TELL_S = 1.0
_HOUSEKEEPING_S = 60.0
_MODEL_LOOK_S = 5.0
_SETTLED_S = 60.0
"""After so long a run has seen for itself what is wrong."""
_LEFT_ALONE_S = 20.0
"""Less than systemd's watchdog waits, which is not fed meanwhile."""
_MENDED_S = 60.0
"""After so long without breaking again a source's fault is over."""
_MISTAKE = "a mistake in edge, or in what runs the model"
_REPORT = "see the log for where it is, and report it"
_LAST_WINDOWS_S = 2.0
"""For scoring what has come when a source is closed."""
_LAST_DELIVERY_S = 2.0

"""Trying everything a configuration asks for, without writing anything."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from edge.config import Config, SinkSpec, SourceSpec, place
from edge.contracts import LiveSource
from edge.daemon.lines import open_live
from edge.daemon.switching import Loaded, load
from edge.errors import AudioError, EdgeError, InputError
from edge.live.vitals import Vitals
from edge.refine import unknown_labels
from edge.sources.file import SUFFIXES
from edge.store import opening, schema
from edge.store.lock import holder
from edge.store.reader import StoreReader


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried."""

    name: str
    found: str = ""
    """What it is like, where it works."""
    problem: str | None = None
    remedy: str = ""


def rehearse(config: Config, path: Path, *, patience_s: float) -> Iterator[Step]:
    """Try the model, the store, each source and each sink.

    Args:
        config: The configuration; an empty model or path of the store is passed over.
        path: The file it was read from.
        patience_s: How long to wait for a live source's first sound.

    Yields:
        One step after the other, as it is done.
    """
    loaded: list[Loaded] = []
    if config.model:
        yield _try("model", lambda: _model(config, path, loaded))
    for model in loaded:
        labels = model.model.info.labels
        for label in unknown_labels(config.post, labels):
            yield Step("post", f"no label {label!r} in this model: its threshold waits for one")
        if config.post and config.post[-1].threshold is None:
            own = f"; {len(model.thresholds)} labels have their own" if model.thresholds else ""
            yield Step("post", f"ends with the model's own threshold, {model.threshold:g}{own}")
        model.model.close()
    if config.store.path:
        yield _try("store", lambda: _store(place(config.store.path, beside=path)))
    for source in config.sources:
        yield _try(f"source {source.label}", lambda s=source: _source(s, path, patience_s))  # type: ignore[misc]
    for sink in config.sinks:
        yield _try(f"sink {sink.label}", lambda s=sink: _sink(s, path))  # type: ignore[misc]


def _try(name: str, work: Callable[[], str]) -> Step:
    try:
        return Step(name, work())
    except EdgeError as error:
        _, _, label = name.partition(" ")
        return Step(name, problem=error.what.removeprefix(f"{label}: "), remedy=error.remedy)
    except OSError as reason:
        return Step(name, problem=str(reason), remedy="check the path and its permissions")


def _model(config: Config, path: Path, loaded: list[Loaded]) -> str:
    loaded.append(load(config, beside=path))
    info = loaded[0].model.info
    return f"{info.id}, {len(info.labels)} labels, reproduces its golden vector"


def _store(path: Path) -> str:
    _writable(path)
    if not path.exists():
        return f"{path}: will be made"
    used = holder(path)
    if used is not None:
        with StoreReader(path) as reader:
            count = reader.status().detections
        return f"{path}: {count} detections, in use by process {used.pid}"
    log = path.with_name(f"{path.name}-wal")
    # Who only reads a store may leave an empty one.
    if log.exists() and log.stat().st_size:
        return f"{path}: was not closed as it should; the next start looks through it"
    # As if it could not change: else SQLite would put files beside it.
    with closing(schema.connect_read_only(path, immutable=True)) as connection:
        try:
            opening.check_kind(connection, path)
            count = connection.execute("SELECT count(*) FROM detections").fetchone()[0]
        except sqlite3.DatabaseError as reason:
            raise opening.unreadable(path, reason) from None
    return f"{path}: {count} detections"


def _source(spec: SourceSpec, path: Path, patience_s: float) -> str:
    if spec.directory is not None:
        return _folder(place(spec.directory.path, beside=path), recursive=spec.directory.recursive)
    if spec.stdin is not None:
        return "what comes in cannot be tried without taking it"
    return _sound(open_live(spec, beside=path), patience_s)


def _folder(folder: Path, *, recursive: bool) -> str:
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder", remedy="make it, or mount the disk")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise InputError(f"{folder}: may not be read", remedy="let the user of edge read it")
    files = folder.rglob("*") if recursive else folder.glob("*")
    count = sum(file.suffix.lower() in SUFFIXES for file in files)
    return f"{folder}: {count} recordings now"


def _sound(source: LiveSource, patience_s: float) -> str:
    """Open a live source until sound comes that is more than what a dead one gives."""
    vitals = Vitals()
    rates_hz: list[int] = []
    wrong: list[EdgeError] = []

    def listen() -> None:
        try:
            with source:
                for block in source:
                    vitals.note(block.samples, at_s=0.0)
                    rates_hz.append(block.sample_rate_hz)
                    if vitals.lifeless() is None:
                        return
        except EdgeError as error:
            wrong.append(error)

    thread = threading.Thread(target=listen, name="rehearsal", daemon=True)
    thread.start()
    thread.join(patience_s)
    source.stop()
    thread.join(patience_s)
    lifeless = vitals.lifeless()
    if rates_hz and lifeless is None:
        return f"sound comes, at {rates_hz[0]} Hz"
    if wrong:
        raise wrong[0]
    raise AudioError(
        f"only {lifeless[0].removeprefix('only ')} came within {patience_s:g} s"
        if lifeless
        else f"no sound came within {patience_s:g} s",
        remedy="see to the device, its level and cable, or to what should write it",
    )


def _sink(spec: SinkSpec, path: Path) -> str:
    if spec.stdout is not None:
        return "standard output"
    target = place((spec.jsonl or spec.csv).path, beside=path)  # type: ignore[union-attr]
    _writable(target)
    return str(target)


def _writable(path: Path) -> None:
    """Make sure that a file can be written, without writing it."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder", remedy="name a file in it")
    if not path.parent.is_dir():
        raise InputError(f"{path.parent}: there is no such folder", remedy="make it")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"{path}: may not be written", remedy="let the user of edge write there")

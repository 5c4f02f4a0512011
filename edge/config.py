"""The one YAML file of a station."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from edge import strict_yaml
from edge.attribute_docs import described_schema
from edge.errors import ConfigError
from edge.live.intake import ListeningSpec
from edge.places import Searched, searched_twice, written_twice
from edge.recorder.zone import parse_zone
from edge.refine import PostSpec
from edge.sinks.csv import CsvSpec
from edge.sinks.jsonl import JsonlSpec
from edge.sinks.stdout import StdoutSpec
from edge.sources.command import CommandSpec
from edge.sources.directory import DirectorySpec
from edge.sources.fifo import FifoSpec
from edge.sources.soundcard import SoundcardSpec
from edge.sources.stdin import StdinSpec
from edge.strict_yaml import Choice, Record, RefusedError
from edge.table import context
from edge.yaml_types import parts_of

Name = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        extra={"form": "letters, digits, `.`, `_` and `-`, the first a letter or digit"},
    ),
]
PathText = Annotated[str, Meta(min_length=1)]
"""A path: `~` begins in a home folder, a relative one in the folder of the file."""


def _check_zone(text: str, *, key: str) -> None:
    try:
        parse_zone(text)
    except ConfigError as error:
        raise RefusedError(error.what, remedy=error.remedy, key=key) from None


def _check_name(name: str | None) -> None:
    if name is not None and name.lower() in _OWN_FAULTS:
        raise RefusedError(
            f"{name!r} is where edge tells faults of its own",
            remedy=f"call it something else, such as `{name}-1`",
            key="name",
        )


_OWN_FAULTS = ("configuration", "model", "store")


class Station(Record, frozen=True):
    """Where the recordings are made."""

    name: Name = "station"
    """In every row."""
    latitude: Annotated[float, Meta(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Meta(ge=-180, le=180)] | None = None
    """Degrees; written into rows, and nothing else: no species is ruled out by them."""
    timezone: str = "UTC"
    """Of tables for people, and of recorders that do not say theirs."""

    def __post_init__(self) -> None:
        """Refuse a zone that is none, while the line is known."""
        _check_zone(self.timezone, key="timezone")

    def as_context(self) -> context.Station:
        """Return it as rows and tables say it."""
        return context.Station(self.name, self.latitude, self.longitude, parse_zone(self.timezone))


class SourceSpec(Choice, frozen=True):
    """One source: exactly one of the kinds, and a name where there are several of a kind."""

    WHAT = "source"
    KINDS = ("directory", "stdin", "command", "fifo", "soundcard")

    name: Name | None = None
    """In rows and faults; the kind, such as `directory`, by default."""
    directory: DirectorySpec | None = None
    stdin: StdinSpec | None = None
    command: CommandSpec | None = None
    fifo: FifoSpec | None = None
    soundcard: SoundcardSpec | None = None
    listening: ListeningSpec = ListeningSpec()
    """How much patience there is with a live source."""

    def __post_init__(self) -> None:
        """Refuse two kinds, an unknown zone, a name in use, more sound than memory holds."""
        super().__post_init__()
        _check_name(self.name)
        if self.directory is not None and self.directory.timezone is not None:
            _check_zone(self.directory.timezone, key="directory.timezone")
        live = self.stdin or self.command or self.fifo or self.soundcard
        if live is not None and self.listening.buffer_s * live.sample_rate > _MOST_WAITING:
            raise RefusedError(
                f"so much sound at {live.sample_rate} Hz takes more than 1 GB of memory",
                remedy=f"give at most {_MOST_WAITING // live.sample_rate}",
                key="listening.buffer_s",
            )

    @property
    def label(self) -> str:
        """The source's name, or its kind where it has none."""
        return self.name or self.kind

    def in_zone(self, timezone: str) -> "SourceSpec":
        """Return it with a zone for recorders that do not say theirs, where it has none."""
        if self.directory is None or self.directory.timezone is not None:
            return self
        directory = msgspec.structs.replace(self.directory, timezone=timezone)
        return msgspec.structs.replace(self, directory=directory)


_MOST_WAITING = 250_000_000
"""Samples of 4 bytes that may wait for the model."""


def _up_to(most: int, purpose: str) -> Meta:
    return Meta(gt=0, le=most, extra={"remedy": f"{purpose}, leave the key out"})


class StoreSpec(Record, frozen=True):
    """Where everything is remembered."""

    path: Annotated[PathText, Meta(examples=["edge.db"])]
    """The SQLite file; its folder must be there."""
    retention_days: Annotated[float, _up_to(36_500, "to keep all for ever")] | None = None
    """Detections and windows older than this are deleted; what files were scored is kept."""
    max_mb: Annotated[float, _up_to(100_000_000, "to have no limit")] | None = None
    """The oldest are deleted when the file grows over this size."""


class SinkSpec(Choice, frozen=True):
    """One sink: exactly one of the kinds."""

    WHAT = "sink"
    KINDS = ("jsonl", "csv", "stdout")

    name: Name | None = None
    jsonl: JsonlSpec | None = None
    csv: CsvSpec | None = None
    stdout: StdoutSpec | None = None

    def __post_init__(self) -> None:
        """Refuse two kinds, and a name in use."""
        super().__post_init__()
        _check_name(self.name)

    @property
    def label(self) -> str:
        """The sink's name, or its kind where it has none."""
        return self.name or self.kind

    @property
    def sink(self) -> JsonlSpec | CsvSpec | StdoutSpec:
        """What the kind's key holds; builds the sink."""
        spec: JsonlSpec | CsvSpec | StdoutSpec = getattr(self, self.kind)
        return spec


class Config(Record, frozen=True):
    """The whole file."""

    model: Annotated[str, Meta(min_length=1, examples=["stsg-esc10"])]
    """A model's name, or a path to its folder: the one line that switches it."""
    source: Annotated[
        SourceSpec | Annotated[list[SourceSpec], Meta(min_length=1)],
        Meta(examples=[{"directory": {"path": "/media/recorder"}}]),
    ]
    """Where sound comes from; several make a list, and share the model."""
    store: Annotated[StoreSpec, Meta(examples=[{"path": "edge.db"}])]
    """Where everything is remembered."""
    station: Station = Station()
    """Where the recordings are made."""
    models_dir: PathText | None = None
    """A folder of model folders, looked through before the shipped ones."""
    model_files: tuple[PathText, ...] = ()
    """Folders with model files that may not ship."""
    post: tuple[PostSpec, ...] = ()
    """What is done to the scores, in order; what is above 0 in the end is a detection. Where the
    last is no threshold, the model's own follows."""
    sinks: tuple[SinkSpec, ...] = ()
    """Where detections go besides the store."""

    def __post_init__(self) -> None:
        """Refuse sources, and sinks, that cannot be together."""
        _check_sources(self.source)
        _check_sinks(self.sinks)

    @property
    def sources(self) -> list[SourceSpec]:
        """All sources."""
        return [source for _, source in self.by_key()]

    def by_key(self) -> list[tuple[str, SourceSpec]]:
        """List the sources, each with the key under which it stands."""
        if isinstance(self.source, list):
            return [(f"source[{number}]", source) for number, source in enumerate(self.source)]
        return [("source", self.source)]


def read_config(path: Path) -> Config:
    """Read a station's YAML file.

    Raises:
        ConfigError: Naming the file, line, key and remedy.
    """
    config = strict_yaml.read(path, Config)
    for refused in _misplaced(config, beside=path):
        raise strict_yaml.located(path, refused)
    return config


def read_parts(path: Path) -> tuple[Config, list[ConfigError]]:
    """Read each key of a station's file by itself, so that one mistake hides no other.

    Returns:
        What could be read, keys that could not being empty or as if they were not there, and what
        is wrong.
    """
    parts: dict[str, Any] = {**_NOTHING}
    wrong: set[str] = set()
    errors: dict[str, ConfigError] = {}
    names = [field.name for field in msgspec.structs.fields(Config)]
    for name in ("", *names):
        try:
            found = strict_yaml.read(path, _only(name))
            if name:
                parts[name] = getattr(found, name)
        except ConfigError as found_wrong:
            errors.setdefault(found_wrong.what, found_wrong)
            wrong.add(name)
    for refused in _misplaced(Config(**parts), beside=path):
        error = strict_yaml.located(path, refused)
        errors.setdefault(error.what, error)
        wrong.add(parts_of(refused.key)[0])
    if wrong & {"models_dir", "model_files"}:
        # Without them it cannot be told whether there is such a model.
        wrong.add("model")
    for name in wrong:
        parts.pop(name, None)
    return Config(**{**_NOTHING, **parts}), [*errors.values()]


def _only(name: str) -> type[msgspec.Struct]:
    """Make a kind that is strict about one key of the file; without a name, about which there are.

    Under all other keys it takes anything.
    """
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for field in msgspec.structs.fields(Config):
        if field.name != name:
            fields.append((field.name, Any, None))
        elif field.required:
            fields.append((field.name, field.type))
        else:
            fields.append((field.name, field.type, field.default))
    check = _CHECKS.get(name)
    namespace = {"__post_init__": lambda part: check(getattr(part, name))} if check else {}
    return msgspec.defstruct(
        "Config",
        fields,
        bases=(Record,),
        namespace=namespace,
        kw_only=True,
        frozen=True,
        forbid_unknown_fields=not name,
    )


def json_schema() -> dict[str, object]:
    """The JSON Schema of the file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "edge: a station",
        **described_schema(Config),
    }


def place(path: str, *, beside: Path) -> Path:
    """Return a path of the file; a relative one begins in the folder of the file itself.

    Raises:
        ConfigError: It begins in the home folder of somebody who has none.
    """
    try:
        return beside.parent / Path(path).expanduser()
    except RuntimeError:
        raise ConfigError(
            f"{path}: there is no home folder {Path(path).parts[0]}",
            remedy="give the whole path, from / on",
        ) from None


def _misplaced(config: Config, *, beside: Path) -> Iterator[RefusedError]:
    """Find paths that lead nowhere, or to one place where there must be two."""
    places: dict[str, Path] = {}
    for key, path in _paths(config):
        try:
            places[key] = place(path, beside=beside)
        except ConfigError as error:
            yield RefusedError(error.what, remedy=error.remedy, key=key)
    sinks = {key: found for key, found in places.items() if key.startswith("sinks[")}
    yield from written_twice(beside, places.get("store.path"), sinks)
    folders = {
        key: Searched(source.label, os.path.realpath(places[key]), source.directory.recursive)
        for start, source in config.by_key()
        if source.directory is not None and (key := f"{start}.directory.path") in places
    }
    yield from searched_twice(folders)


def _paths(config: Config) -> Iterator[tuple[str, str]]:
    """Yield the key of each path of a configuration, and what it says."""
    if "/" in config.model:
        yield "model", config.model
    if config.store.path:
        yield "store.path", config.store.path
    if config.models_dir is not None:
        yield "models_dir", config.models_dir
    yield from ((f"model_files[{n}]", path) for n, path in enumerate(config.model_files))
    for key, source in config.by_key():
        found = source.directory or source.fifo
        if found is not None:
            yield f"{key}.{source.kind}.path", found.path
    for number, sink in enumerate(config.sinks):
        if not isinstance(sink.sink, StdoutSpec):
            yield f"sinks[{number}].{sink.kind}.path", sink.sink.path


def _check_sources(found: "SourceSpec | list[SourceSpec]") -> None:
    sources = found if isinstance(found, list) else [found]
    _check_labels("source", [source.label for source in sources])
    from_stdin = [number for number, source in enumerate(sources) if source.stdin is not None]
    if len(from_stdin) > 1:
        raise RefusedError(
            "only one source can read standard input",
            remedy="take one out, or let it read a named pipe: `fifo`",
            key=f"source[{from_stdin[1]}]",
        )


def _check_sinks(sinks: Sequence[SinkSpec]) -> None:
    _check_labels("sinks", [sink.label for sink in sinks])


def _check_labels(key: str, labels: Sequence[str]) -> None:
    """Refuse names given twice: rows and faults are told apart by them."""
    for number, label in enumerate(labels):
        if label in labels[:number]:
            raise RefusedError(
                f"two are called {label!r}",
                remedy=f"give each a `name` of its own, such as `name: {label}-{number + 1}`",
                key=f"{key}[{number}]",
            )


_CHECKS: Mapping[str, Callable[[Any], None]] = {"source": _check_sources, "sinks": _check_sinks}
_NOTHING: Mapping[str, Any] = {"model": "", "source": [], "store": StoreSpec(path="")}

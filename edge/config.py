"""The one YAML file of a station."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from edge import strict_yaml
from edge.attribute_docs import described_schema
from edge.errors import ConfigError
from edge.live.intake import ListeningSpec
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
from edge.strict_yaml import Record
from edge.table import context

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Positive = Annotated[float, Meta(gt=0)]


def _check_zone(text: str) -> None:
    try:
        parse_zone(text)
    except ConfigError as error:
        raise ValueError(f"{error.what}; {error.remedy}") from None


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
        _check_zone(self.timezone)

    def as_context(self) -> context.Station:
        """Return it as rows and tables say it."""
        return context.Station(self.name, self.latitude, self.longitude, parse_zone(self.timezone))


class SourceSpec(Record, frozen=True):
    """One source: exactly one of the kinds, and a name where there are several of a kind."""

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
        """Refuse what names no source, or two."""
        kinds = self._kinds()
        if len(kinds) != 1:
            raise ValueError(
                f"names {' and '.join(kinds) or 'no source'}; give exactly one of "
                "directory, stdin, command, fifo, soundcard"
            )
        if self.directory is not None and self.directory.timezone is not None:
            _check_zone(self.directory.timezone)

    @property
    def kind(self) -> str:
        """The key under which the source is described."""
        return self._kinds()[0]

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

    def _kinds(self) -> list[str]:
        fields = ("directory", "stdin", "command", "fifo", "soundcard")
        return [kind for kind in fields if getattr(self, kind) is not None]


class StoreSpec(Record, frozen=True):
    """Where everything is remembered."""

    path: str
    """The SQLite file; its folder must be there."""
    retention_days: Positive | None = None
    """Detections and windows older than this are deleted; what files were scored is kept."""
    max_mb: Positive | None = None
    """The oldest are deleted when the file grows over this size."""


class SinkSpec(Record, frozen=True):
    """One sink: exactly one of the kinds."""

    name: Name | None = None
    jsonl: JsonlSpec | None = None
    csv: CsvSpec | None = None
    stdout: StdoutSpec | None = None

    def __post_init__(self) -> None:
        """Refuse what names no sink, or two."""
        kinds = self._kinds()
        if len(kinds) != 1:
            raise ValueError(
                f"names {' and '.join(kinds) or 'no sink'}; give exactly one of jsonl, csv, stdout"
            )

    @property
    def kind(self) -> str:
        """The key under which the sink is described."""
        return self._kinds()[0]

    @property
    def label(self) -> str:
        """The sink's name, or its kind where it has none."""
        return self.name or self.kind

    @property
    def sink(self) -> JsonlSpec | CsvSpec | StdoutSpec:
        """What the kind's key holds; builds the sink."""
        spec: JsonlSpec | CsvSpec | StdoutSpec = getattr(self, self.kind)
        return spec

    def _kinds(self) -> list[str]:
        return [kind for kind in ("jsonl", "csv", "stdout") if getattr(self, kind) is not None]


class Config(Record, frozen=True):
    """The whole file."""

    model: str
    """A model's name, or a path to its folder: the one line that switches it."""
    source: SourceSpec | Annotated[list[SourceSpec], Meta(min_length=1)]
    """Where sound comes from; several make a list, and share the model."""
    store: StoreSpec
    """Where everything is remembered."""
    station: Station = Station()
    """Where the recordings are made."""
    models_dir: str | None = None
    """A folder of model folders, looked through before the shipped ones."""
    model_files: tuple[str, ...] = ()
    """Folders with model files that may not ship."""
    post: tuple[PostSpec, ...] = ()
    """What is done to the scores, in order; what is above 0 in the end is a detection. Without a
    threshold here the model's own is the last."""
    sinks: tuple[SinkSpec, ...] = ()
    """Where detections go besides the store."""

    def __post_init__(self) -> None:
        """Refuse names given twice: rows and faults are told apart by them."""
        for what, labels in (
            ("source", [source.label for source in self.sources]),
            ("sinks", [sink.label for sink in self.sinks]),
        ):
            twice = {label for label in labels if labels.count(label) > 1}
            if twice:
                raise ValueError(f"{what}: two are called {min(twice)!r}; give each a `name`")
        if sum(source.kind == "stdin" for source in self.sources) > 1:
            raise ValueError("source: only one can read stdin")

    @property
    def sources(self) -> list[SourceSpec]:
        """All sources."""
        return self.source if isinstance(self.source, list) else [self.source]


def read_config(path: Path) -> Config:
    """Read a station's YAML file.

    Raises:
        ConfigError: Naming the file, line, key and remedy.
    """
    return strict_yaml.read(path, Config)


def read_parts(path: Path) -> tuple[Config | None, list[ConfigError]]:
    """Read each key of a station's file by itself, so that one mistake hides no other.

    Returns:
        What could be read, keys that could not being empty or as if they were not there, and what
        is wrong; None where even so nothing comes of it.
    """
    parts: dict[str, Any] = {"model": "", "source": [], "store": StoreSpec(path="")}
    errors: dict[str, ConfigError] = {}
    names = [field.name for field in msgspec.structs.fields(Config)]
    for name in ("", *names):
        try:
            found = strict_yaml.read(path, _only(name))
            if name:
                parts[name] = getattr(found, name)
        except ConfigError as error:
            errors.setdefault(error.what, error)
    try:
        config = Config(**parts)
        if not errors:
            read_config(path)
    except ValueError:
        config = None
    except ConfigError as error:
        return None, [error]
    return config, [*errors.values()]


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
    return msgspec.defstruct(
        "Config", fields, bases=(Record,), kw_only=True, frozen=True, forbid_unknown_fields=not name
    )


def json_schema() -> dict[str, object]:
    """The JSON Schema of the file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "edge: a station",
        **described_schema(Config),
    }


def place(path: str, *, beside: Path) -> Path:
    """Return a path of the file; a relative one begins in the folder of the file itself."""
    return beside.parent / Path(path).expanduser()

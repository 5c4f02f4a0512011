"""`edge export`: what was heard, in the formats of the field."""

import argparse
import math
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from edge.commands.endings import DONE
from edge.commands.run import add_config
from edge.errors import InputError

if TYPE_CHECKING:
    from edge.store.reader import StoreReader
    from edge.table.context import Stream
    from edge.table.each import Written

_FORMATS = ("csv", "jsonl", "raven", "audacity", "kaleidoscope", "birdnet")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "export",
        help="detections as CSV, JSON Lines, Raven, Audacity, Kaleidoscope or BirdNET tables",
        description="Write the detections of the store in one or more formats, while the daemon "
        "runs or after it. Raven, Audacity and BirdNET tables are one for each recording, also "
        "for one in which nothing was found; of live sources, one for each hour in which "
        "something was.",
        epilog="Example: edge export -c edge.yaml --format raven,csv --out tables "
        "--since 2026-05-01 --until 2026-06-01 --min-confidence 0.7",
    )
    add_config(parser)
    parser.add_argument(
        "--format",
        required=True,
        metavar="NAME[,NAME...]",
        help=f"of {', '.join(_FORMATS)}; each writes into a folder of its name where there are "
        "several",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write")
    when = "date or time in the station's zone, or with an offset: 2026-05-01T04:30+02:00"
    parser.add_argument("--since", metavar="TIME", help=f"detections from then on; {when}")
    parser.add_argument("--until", metavar="TIME", help="detections before then")
    parser.add_argument(
        "--min-confidence", type=float, default=0.0, metavar="P", help="from 0 to 1; default 0"
    )
    parser.set_defaults(command=_export)


def _export(arguments: argparse.Namespace) -> int:
    from edge.config import place, read_config  # noqa: PLC0415 (heavy)
    from edge.export import FORMATS  # noqa: PLC0415
    from edge.store.reader import StoreReader  # noqa: PLC0415
    from edge.table.context import Context  # noqa: PLC0415
    from edge.table.recordings import Found  # noqa: PLC0415
    from edge.table.text import as_text  # noqa: PLC0415

    names = list(dict.fromkeys(name.strip() for name in arguments.format.split(",")))
    for name in names:
        if name not in FORMATS:
            raise InputError(f"--format: {name!r} is none", remedy=f"use {', '.join(FORMATS)}")
    least = arguments.min_confidence
    if not 0 <= least <= 1:
        raise InputError(f"--min-confidence: {least:g} is none", remedy="give it from 0 to 1")
    path = arguments.config.absolute()
    config = read_config(path)
    station = config.station.as_context()
    since, until = (_moment(text, station.zone) for text in (arguments.since, arguments.until))
    if since and until and since >= until:
        raise InputError(
            f"--until: {arguments.until} is not after --since {arguments.since}",
            remedy="give a later --until",
        )
    with StoreReader(place(config.store.path, beside=path)) as reader:
        # First: what a daemon adds meanwhile is left to the next export, streams and all.
        first, last = reader.detection_numbers()
        said: set[str] = set()
        for name in names:
            out = arguments.out / name if len(names) > 1 else arguments.out
            found = reader.numbered_detections(
                last_number=last, since=since, until=until, min_confidence=least
            )
            written = FORMATS[name].write(
                (Found(*one) for one in found),
                out,
                Context(station, _streams(reader, since, until, first, last)),
            )
            empty = f", {written.empty} of them without a detection" if written.empty else ""
            print(f"{name}: {written.files} files in {as_text(str(out))}{empty}", flush=True)
            for note in _notes(name, written, as_text(str(out))):
                if note not in said:
                    print(f"edge: {note}", file=sys.stderr)
                    said.add(note)
        if note := _nothing_found(reader.highest_confidence(since=since, until=until), arguments):
            print(f"edge: {note}", file=sys.stderr)
    return DONE


def _streams(
    reader: "StoreReader", since: datetime | None, until: datetime | None, first: int, last: int
) -> "Iterator[Stream]":
    """Read the streams of the store, and which of them get a table even without a detection.

    Those are files of the time that is asked for. One whose detections retention removed is none of
    them: an empty table would say that nothing was found, and replace one that knows better.
    """
    from edge.table.context import Stream  # noqa: PLC0415

    for one in reader.heard_streams():
        length_s = one.end_sample / one.sample_rate_hz if one.sample_rate_hz > 0 else 0.0
        asked_for = not one.live and (one.last_number == 0 or first <= one.last_number <= last)
        if since is not None or until is not None:
            asked_for = asked_for and one.started_at is not None
        if asked_for and one.started_at is not None:
            end = one.started_at + timedelta(seconds=length_s)
            asked_for = (until is None or one.started_at < until) and (since is None or end > since)
        yield Stream(
            number=one.number,
            name=one.name,
            live=one.live,
            rate_hz=one.sample_rate_hz or None,
            length_s=length_s or None,
            asked_for=asked_for,
        )


def _notes(name: str, written: "Written", out: str) -> Iterator[str]:
    """Yield what whoever reads the tables should know."""
    if written.live:
        yield (
            "the sound of live sources is not kept: their tables can be read, but there is "
            "nothing to open beside them"
        )
    if written.shared == 1:
        yield (
            f"{written.shared_files} recordings are called {written.shared_path}; their tables "
            "are numbered in the order in which they were scored"
        )
    elif written.shared:
        yield (
            f"{written.shared} paths are those of several recordings each, {written.shared_path} "
            f"of {written.shared_files}; their tables are numbered in the order in which they "
            "were scored"
        )
    if written.others:
        yield (
            f"{out} holds {written.others} more {name} files that this export did not write, "
            f"such as {written.other}\nremedy: if they are of an earlier export, remove them, or "
            "name a new folder with --out"
        )


def _nothing_found(highest: float | None, arguments: argparse.Namespace) -> str:
    """Say why there is no detection; empty where there is one."""
    when = " in that time" if arguments.since or arguments.until else ""
    if highest is None:
        return f"there is no detection{when}"
    if highest < arguments.min_confidence:
        # Rounded down, so that it does not look as if it were enough.
        shown = math.floor(highest * 10_000) / 10_000
        return f"no detection{when} reaches {arguments.min_confidence:g}; the highest is {shown:g}"
    return ""


def _moment(text: str | None, zone: tzinfo) -> datetime | None:
    """Read a date or time; without an offset it is the station's.

    Raises:
        InputError: It is none.
    """
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{text!r} is no date or time", remedy="write 2026-05-01 or 2026-05-01T04:30"
        ) from None
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)

"""`edge export`: what was heard, in the formats of the field."""

import argparse
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from edge.commands.endings import DONE
from edge.commands.run import add_config
from edge.errors import InputError

_FORMATS = ("csv", "jsonl", "raven", "audacity", "kaleidoscope", "birdnet")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "export",
        help="detections as CSV, JSON Lines, Raven, Audacity, Kaleidoscope or BirdNET tables",
        description="Write the detections of the store in one or more formats, while the daemon "
        "runs or after it. Raven, Audacity and BirdNET tables are one for each recording.",
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

    names = [name.strip() for name in arguments.format.split(",")]
    for name in names:
        if name not in FORMATS:
            raise InputError(f"--format: {name!r} is none", remedy=f"use {', '.join(FORMATS)}")
    path = arguments.config.absolute()
    config = read_config(path)
    station = config.station.as_context()
    since, until = (_moment(text, station.zone) for text in (arguments.since, arguments.until))
    with StoreReader(place(config.store.path, beside=path)) as reader:
        rates = {file.path: file.sample_rate_hz for file in reader.files() if file.sample_rate_hz}
        rates |= {s.source: s.sample_rate_hz for s in reader.status().streams}
        context = Context(station, rates.get)
        for name in names:
            out = arguments.out / name if len(names) > 1 else arguments.out
            heard = reader.detections(
                since=since, until=until, min_confidence=arguments.min_confidence
            )
            written = FORMATS[name].write(heard, out, context)
            print(f"{name}: {len(written)} files in {out}")
    return DONE


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

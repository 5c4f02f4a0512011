"""`edge status`: what the daemon does, or did, from its store."""

import argparse
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from edge.commands.endings import DONE, NOT_RUNNING
from edge.commands.run import add_config
from edge.errors import InputError

if TYPE_CHECKING:
    from edge.config import SourceSpec


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "status",
        help="what is running, what was heard, what is wrong",
        description="Tell what the daemon does, or did when it last ran: the model, the last "
        "window and how far it lies back, samples received and accounted for, windows by state, "
        "files, detections, open faults. All of it comes from the store.",
        epilog="Exit codes: 0 it runs; 3 it does not; 2 there is no store, or it is unreadable.",
    )
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    parser.add_argument(
        "--store",
        type=Path,
        metavar="FILE",
        help="the store, where the configuration does not say it: while it is broken, for instance",
    )
    parser.set_defaults(command=_status)


def _status(arguments: argparse.Namespace) -> int:
    from edge.config import place, read_parts  # noqa: PLC0415 (heavy)
    from edge.store.reader import StoreReader  # noqa: PLC0415
    from edge.store.report import as_json, as_text  # noqa: PLC0415

    path = arguments.config.absolute()
    # A fault of the configuration is one of those that are to be shown.
    config, errors = read_parts(path)
    store = arguments.store
    if store is None:
        if not config.store.path:
            # Who may not read the one may not read the other.
            or_else = "; or name the store by --store FILE" if os.access(path, os.R_OK) else ""
            raise InputError(errors[0].what, remedy=f"{errors[0].remedy}{or_else}")
        store = place(config.store.path, beside=path)
    with StoreReader(store) as reader:
        status = reader.status()
    now = datetime.now(UTC)
    if arguments.json:
        print(json.dumps(as_json(status, now=now), indent=2))
    else:
        print(f"station    {config.station.name}")
        listened_to = {source.label: _origin(source, path) for source in config.sources}
        print(as_text(status, now=now, listened_to=listened_to))
    return DONE if status.running else NOT_RUNNING


def _origin(source: "SourceSpec", path: Path) -> str:
    """Say in a line where a source gets its sound."""
    from edge.config import place  # noqa: PLC0415 (heavy)
    from edge.sources.command import hide_secrets  # noqa: PLC0415

    if source.directory is not None:
        within = " and the folders in it" if source.directory.recursive else ""
        return f"{place(source.directory.path, beside=path)}{within}"
    if source.command is not None:
        return hide_secrets(" ".join(source.command.argv))
    if source.fifo is not None:
        return str(place(source.fifo.path, beside=path))
    return f"sound card {source.soundcard.device}" if source.soundcard else "standard input"

"""`edge run`: the daemon."""

import argparse
import faulthandler
import os
from pathlib import Path

from edge.commands.endings import DONE, FAULTS

INSTALLED = "/etc/edge/edge.yaml"
"""The configuration of the installed service."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "run",
        help="listen until told to stop",
        description="Listen to the configured sources, keep what is heard in the store and hand it "
        "to the sinks. Saving the configuration, or SIGHUP, applies it: `model: other` switches "
        "the model at the next window's border. SIGTERM or Ctrl-C stops, with all committed.",
        epilog="Exit codes: 0 stopped as told, or all done with --once; 1 the same with --once, "
        "but with faults, such as recordings that cannot be read: see the log or `edge status`; "
        "2 the configuration, the model or the store cannot be used.",
    )
    add_config(parser)
    parser.add_argument(
        "--once",
        action="store_true",
        help="stop when everything that is there was scored and delivered",
    )
    parser.set_defaults(command=_run)


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add `-c`, which every command of a station takes."""
    named = os.environ.get("EDGE_CONFIG", "")
    usual = named or (INSTALLED if os.path.exists(INSTALLED) else None)
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        default=usual,
        required=usual is None,
        help=f"the station's YAML file; else that of $EDGE_CONFIG, or {INSTALLED}",
    )


def _run(arguments: argparse.Namespace) -> int:
    from edge.daemon.log import configure_log  # noqa: PLC0415 (heavy: all parts of the daemon)
    from edge.daemon.loop import Daemon  # noqa: PLC0415
    from edge.daemon.notify import Notifier  # noqa: PLC0415
    from edge.daemon.reload import ConfigWatch  # noqa: PLC0415

    configure_log()
    # Where the watchdog of systemd ends a process that hangs, the log says where it hung.
    faulthandler.enable()
    watch = ConfigWatch(arguments.config.absolute())
    with Notifier.from_environment() as notifier:
        well = Daemon(watch, once=arguments.once, notifier=notifier).run()
    return DONE if well or not arguments.once else FAULTS

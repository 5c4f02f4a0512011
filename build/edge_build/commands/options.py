"""Options that several commands take."""

import argparse
from pathlib import Path

from edge.model.folder import FILES_VARIABLE
from edge_build.cache import CACHE_VARIABLE, default_cache


def add_places(command: argparse.ArgumentParser) -> None:
    """Add where models and their files are, as `edge models` and `edge-batch` have it."""
    command.add_argument(
        "--models-dir", type=Path, metavar="DIR", help="folder of model folders, looked at first"
    )
    command.add_argument(
        "--model-files",
        type=Path,
        metavar="DIR",
        action="append",
        default=[],
        help="folder with files that may not ship, such as YAMNet's; may be given again; "
        f"also in ${FILES_VARIABLE}",
    )


def add_common(command: argparse.ArgumentParser) -> None:
    """Add what every command that learns takes."""
    command.add_argument(
        "--unlabelled",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="PATH",
        help="more audio, folders or files, for what is learnt without labels",
    )
    command.add_argument(
        "--cache",
        type=Path,
        default=default_cache(),
        metavar="DIR",
        help=f"keeps what was computed; default ${CACHE_VARIABLE} or %(default)s",
    )

"""`edge`: the daemon, what it heard, and the models on disk."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

import edge
from edge.commands import check, export, models, run, schema, status
from edge.commands.endings import DONE, WRONG, complain
from edge.errors import EdgeError


def main(argv: Sequence[str] | None = None) -> int:
    """Run `edge`; return its exit code."""
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        code = command(arguments)
        sys.stdout.flush()
    except EdgeError as error:
        complain(error)
        return WRONG
    except BrokenPipeError:
        # The reader, such as `head`, has had enough; Python must not try again as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edge",
        description=edge.__doc__,
        epilog="Exit codes: 0 done; 2 something is wrong, told on standard error; 3 not running.",
    )
    parser.add_argument("--version", action="version", version=f"edge {edge.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (run, check, status, export, models, schema):
        command.add(commands)
    return parser

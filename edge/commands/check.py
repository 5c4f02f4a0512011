"""`edge check`: whether a station would run, before it is left alone."""

import argparse
import os
import pwd
import shlex
from itertools import chain
from pathlib import Path

from edge.commands.endings import DONE, WRONG
from edge.commands.run import INSTALLED, add_config


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "check",
        help="load everything, open every device and path, write nothing",
        description="Try all that a configuration asks for: the model by hashes, shapes and golden "
        "vector, every source until sound comes, the folders of the store and the sinks. Nothing "
        "is written.",
        epilog="Exit codes: 0 all is well; 2 something is not, and each problem is listed.",
    )
    add_config(parser)
    parser.add_argument(
        "--seconds",
        type=float,
        default=5.0,
        metavar="S",
        help="how long to wait for the first sound of a live source; default 5",
    )
    parser.set_defaults(command=_check)


def _check(arguments: argparse.Namespace) -> int:
    from edge.config import place, read_parts  # noqa: PLC0415 (heavy)
    from edge.daemon.rehearsal import Step, rehearse  # noqa: PLC0415

    path = arguments.config.absolute()
    config, errors = read_parts(path)
    wrong = [Step("configuration", problem=error.what, remedy=error.remedy) for error in errors]
    tried = rehearse(config, path, patience_s=arguments.seconds)
    problems = 0
    for step in chain(wrong, tried):
        mark = "ok     " if step.problem is None else "PROBLEM"
        what = (step.problem or step.found).replace("\n", "\n        ")
        print(f"{mark} {step.name}: {what}", flush=True)
        if step.problem is not None:
            problems += 1
            if step.remedy:
                print(f"        remedy: {step.remedy}")
    print("all is well" if not problems else f"problems: {problems}")
    if config.store.path:
        owner = _other_owner(place(config.store.path, beside=path).parent)
        if owner:
            named = "" if str(path) == INSTALLED else f" -c {shlex.quote(str(path))}"
            print(
                f"checked as root; the service runs as {owner}: sudo -u {owner} edge check{named}"
            )
    return WRONG if problems else DONE


def _other_owner(folder: Path) -> str:
    """Name whom a folder belongs to, where root asks and it is somebody else."""
    try:
        owner = folder.stat().st_uid
        return pwd.getpwuid(owner).pw_name if os.geteuid() == 0 and owner else ""
    except (OSError, KeyError):
        return ""

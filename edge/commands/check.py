"""`edge check`: whether a station would run, before it is left alone."""

import argparse
from itertools import chain

from edge.commands.endings import DONE, WRONG
from edge.commands.run import add_config


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
    from edge.config import read_parts  # noqa: PLC0415 (heavy)
    from edge.daemon.rehearsal import Step, rehearse  # noqa: PLC0415

    path = arguments.config.absolute()
    config, errors = read_parts(path)
    wrong = [Step("configuration", problem=error.what, remedy=error.remedy) for error in errors]
    tried = rehearse(config, path, patience_s=arguments.seconds) if config else ()
    problems = 0
    for step in chain(wrong, tried):
        mark = "ok     " if step.problem is None else "PROBLEM"
        print(f"{mark} {step.name}: {step.problem or step.found}", flush=True)
        if step.problem is not None:
            problems += 1
            if step.remedy:
                print(f"        remedy: {step.remedy}")
    print("all is well" if not problems else f"problems: {problems}")
    return WRONG if problems else DONE

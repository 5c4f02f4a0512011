"""`edge-build sweep`: one recipe with many values of its keys."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from edge.errors import InputError
from edge_build.cache import Cache
from edge_build.commands.checks import check_cache, check_drawing, check_extra
from edge_build.commands.endings import DONE
from edge_build.commands.options import add_common


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    sweep = commands.add_parser(
        "sweep",
        help="learn one recipe with many values of its keys",
        description=(
            "Learn one recipe with many values of its keys, and score each on held-out clips."
        ),
        epilog=_SWEEP_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sweep.add_argument("sweep", type=Path, metavar="SWEEP.yaml", help="says what to try")
    sweep.add_argument(
        "--recipe", type=Path, metavar="RECIPE.yaml", help="in the place of the sweep's own"
    )
    sweep.add_argument(
        "--data", type=Path, metavar="DIR", required=True, help="holds LABEL/*.ogg|wav|flac|mp3"
    )
    sweep.add_argument(
        "--recording", metavar="REGEX", help="its group in a file's name names the recording"
    )
    sweep.add_argument("--out", type=Path, metavar="DIR", required=True, help="gets what is found")
    sweep.add_argument(
        "--jobs",
        type=int,
        default=len(os.sched_getaffinity(0)),
        metavar="N",
        help="learn so many settings at the same time; default all cores, %(default)s",
    )
    add_common(sweep)
    sweep.set_defaults(run=_sweep)


def _sweep(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from edge_build.pinned import rerun_pinned  # noqa: PLC0415 (before NumPy is at work)
    from edge_build.sweep.spec import read_sweep  # noqa: PLC0415

    if options.jobs < 1:
        raise InputError("--jobs: there must be one at least", remedy="leave it out for all cores")
    check_extra()
    check_drawing("sweep")
    check_cache(options.cache)
    sweep = read_sweep(options.sweep, recipe=options.recipe)
    rerun_pinned(arguments)
    from edge_build.sweep.run import run_sweep  # noqa: PLC0415 (slow to load)

    findings = run_sweep(
        sweep,
        data=options.data,
        unlabelled=options.unlabelled,
        recording=options.recording,
        out=options.out,
        jobs=options.jobs,
        cache=Cache(options.cache),
    )
    print(findings.markdown, end="")
    return DONE


_SWEEP_EXAMPLES = """A sweep that was killed takes up where it ended, and gives the same table.
The table is also the same for any number of --jobs. Each job learns on one thread.

The sweep is YAML; unknown keys are errors. models/recipes/sweeps/ has those of the paper:

  recipe: ../stsg-v2.2.yaml         # from the sweep's own folder on
  folds: 80/20                      # as evaluate --folds has it
  vary:
    tokens.dims: [32, 64, 128]
    word2vec.ns_exponent: [-0.75, 0.0]
  search: grid                      # or one-by-one: the other keys as in the recipe

--out gets sweep.csv, sweep.png, best.yaml (a recipe), and study.db, which is what is taken up.
"""

"""`edge-build evaluate`: recipes and models in one table."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.batch.outputs import check_folder, check_outputs
from edge.errors import EdgeError
from edge_build.cache import Cache
from edge_build.commands.checks import check_cache, check_extra, check_pictures
from edge_build.commands.endings import DONE, NOT_WRITTEN
from edge_build.commands.options import add_common, add_places
from edge_build.folds import DEFAULT_PATTERN, FIRST_DIGIT


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    evaluate = commands.add_parser(
        "evaluate",
        help="compare recipes and models on folds, in one table",
        description=(
            "Compare recipes (learnt again without each fold: codebook, vectors and head) and "
            "models (a head trained on their frozen embeddings, which a recipe with `base` "
            "describes) in one Markdown table."
        ),
        epilog=_EVALUATE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    evaluate.add_argument(
        "systems", nargs="+", metavar="RECIPE.yaml|MODEL", help="recipes; model names or folders"
    )
    evaluate.add_argument(
        "--data", type=Path, metavar="DIR", required=True, help="holds LABEL/*.ogg|wav|flac|mp3"
    )
    evaluate.add_argument(
        "--folds", default=FIRST_DIGIT, metavar="RULE", help=f"see below; default {FIRST_DIGIT}"
    )
    evaluate.add_argument("--fold-pattern", default=DEFAULT_PATTERN, metavar="REGEX")
    evaluate.add_argument(
        "--recording", metavar="REGEX", help="its group in a file's name names the recording"
    )
    evaluate.add_argument("--out", type=Path, metavar="FILE.csv", help="write the table as CSV too")
    evaluate.add_argument(
        "--report",
        type=Path,
        metavar="DIR",
        help="write tables and pictures: systems side by side, and what each takes for what",
    )
    evaluate.add_argument(
        "--card", type=Path, metavar="DIR", help="write the table into this model folder's card too"
    )
    add_places(evaluate)
    add_common(evaluate)
    evaluate.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from edge_build.pinned import rerun_pinned  # noqa: PLC0415 (before NumPy is at work)
    from edge_build.recipe import is_recipe, read_recipe  # noqa: PLC0415

    check_extra()
    check_cache(options.cache)
    if options.out is not None:
        check_outputs({"--out": options.out})
    if options.card is not None and options.card.is_dir():
        check_folder("--card", options.card)
    if options.report is not None:
        check_pictures("--report", options.report)
    recipes = [read_recipe(Path(name)) for name in options.systems if is_recipe(name)]
    # Other last bits are other tokens, and other figures: 0.01 of F1 between two processors.
    rerun_pinned(arguments, threads_only=not all(recipe.deterministic for recipe in recipes))
    from edge.table.whole import write_lines  # noqa: PLC0415 (after the environment is set)
    from edge_build.table import run_evaluation  # noqa: PLC0415 (slow to load)

    evaluation = run_evaluation(
        options.systems,
        data=options.data,
        unlabelled=options.unlabelled,
        folds=options.folds,
        fold_pattern=options.fold_pattern,
        recording=options.recording,
        models_dir=options.models_dir,
        model_files=options.model_files,
        card=options.card,
        cache=Cache(options.cache),
    )
    print(evaluation.markdown, end="", flush=True)
    try:
        if options.out is not None:
            write_lines(options.out.resolve(), [evaluation.csv])
        if options.report is not None:
            evaluation.write_report(options.report)
        if options.card is not None:
            evaluation.add_to(options.card)
    except (EdgeError, OSError) as error:
        print(f"edge-build: {error}; the table is above", file=sys.stderr)
        return NOT_WRITTEN
    return DONE


_EVALUATE_EXAMPLES = rf"""folds:
  --folds {FIRST_DIGIT}     from the file's name: the group of --fold-pattern ({DEFAULT_PATTERN})
  --folds 5               recordings dealt into five folds, class by class
  --folds 80/20           a fifth of the recordings of each class is tested, once
  --folds table.csv:fold  from the column `fold` of a table whose column `file` names the clips

A recording that would stand on both sides of a fold is refused. Which clips are of one recording
is said by `recording` in the recipe, or by --recording.

The same recipes, data and library versions give the same figures on any x86-64 processor, unless
a recipe says `deterministic: false`. Times are of that pinned arithmetic, on one thread, and so
longer than those of edge-batch.

example, the official folds of ESC-10:
  edge-build evaluate models/recipes/stsg-esc10.yaml yamnet birdnet-v2.4 \
      --data ESC10 --model-files DIR --out esc10.csv
"""

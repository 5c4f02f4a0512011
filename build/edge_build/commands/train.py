"""`edge-build train`: from labelled audio to a model folder."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.errors import InputError
from edge.table.text import as_text
from edge_build.cache import Cache
from edge_build.commands.checks import check_cache, check_drawing, check_extra
from edge_build.commands.endings import DONE
from edge_build.commands.options import add_common, add_places


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    train = commands.add_parser(
        "train",
        help="make a model folder from a recipe and labelled audio",
        description="Make a model folder from a recipe and a folder of labelled audio.",
        epilog=_TRAIN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train.add_argument(
        "recipe",
        type=Path,
        nargs="?",
        metavar="RECIPE.yaml",
        help="says how; without it, a head is trained on what --base makes of the clips",
    )
    train.add_argument(
        "--base",
        metavar="MODEL",
        help="instead of a recipe: a model's name or folder, or stsg "
        "to learn tokens from the clips; default birdnet-v2.4 where it is installed, else stsg",
    )
    train.add_argument("--data", type=Path, metavar="DIR", help="holds LABEL/*.ogg|wav|flac|mp3")
    train.add_argument(
        "--synth", action="store_true", help="instead of --data: render the recipe's `synth` clips"
    )
    train.add_argument("--out", type=Path, metavar="DIR", required=True, help="the model folder")
    train.add_argument(
        "--precision",
        type=float,
        metavar="P",
        help="without a recipe: share of each label's detections that is to be right; default 0.9",
    )
    train.add_argument(
        "--recording",
        metavar="REGEX",
        help="without a recipe: its group in a file's name names the recording",
    )
    add_places(train)
    add_common(train)
    train.set_defaults(run=_train)


def _train(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from edge_build.pinned import rerun_pinned  # noqa: PLC0415 (before NumPy is at work)
    from edge_build.recipe import read_recipe  # noqa: PLC0415

    if options.recipe is None:
        return _train_custom(options, arguments)
    for name in ("base", "precision", "recording"):
        if getattr(options, name) is not None:
            raise InputError(
                f"--{name} is for training without a recipe",
                remedy=f"leave out either {options.recipe} or --{name}",
            )
    if (options.data is None) != options.synth:
        raise InputError(
            "train learns from --data DIR or from --synth", remedy="give one of the two"
        )
    check_extra()
    check_cache(options.cache)
    if read_recipe(options.recipe).deterministic:
        rerun_pinned(arguments)
    from edge_build.train import train  # noqa: PLC0415 (scientific packages are slow to load)

    learnt = train(
        options.recipe,
        data=options.data,
        out=options.out,
        unlabelled=options.unlabelled,
        cache=Cache(options.cache),
    )
    for note in learnt.notes:
        print(f"edge-build: note: {note}", file=sys.stderr)
    print(
        f"{as_text(str(options.out))}: {len(learnt.labels)} classes, "
        f"validation loss {learnt.head.validation_loss:.3f}; it holds a MODEL_CARD.md"
    )
    return DONE


def _train_custom(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from edge_build.pinned import rerun_pinned  # noqa: PLC0415 (before NumPy is at work)

    if options.data is None or options.synth or options.unlabelled:
        raise InputError(
            "without a recipe, train learns from --data DIR alone",
            remedy="give --data, or a recipe for --synth and --unlabelled",
        )
    precision = 0.9 if options.precision is None else options.precision
    if not 0.0 < precision <= 1.0:
        raise InputError(
            f"--precision: {precision:g} is no share of detections that are to be right",
            remedy="give a number above 0 and at most 1, such as 0.9",
        )
    check_extra()
    check_drawing("train --base")
    check_cache(options.cache)
    rerun_pinned(arguments)
    from edge_build.custom.train import train_custom  # noqa: PLC0415 (slow to load)

    made = train_custom(
        options.base,
        data=options.data,
        out=options.out,
        precision=precision,
        recording=options.recording,
        models_dir=options.models_dir,
        model_files=options.model_files,
        cache=Cache(options.cache),
    )
    for note in made.notes:
        print(f"edge-build: note: {note}", file=sys.stderr)
    judged = made.judgement
    print(
        f"{as_text(str(options.out))}: {len(made.examples.labels)} labels; macro F1 of unheard "
        f"recordings {judged.macro_f1:.3f}, calibration error {judged.before.error:.3f} before and "
        f"{judged.after.error:.3f} after; it holds a MODEL_CARD.md"
    )
    return DONE


_TRAIN_EXAMPLES = """A run that was killed takes up where it ended: mel frames, codebook, vectors,
and head are kept in the cache by what they were made from.

The recipe is YAML; unknown keys are errors. models/recipes/ has examples.

Without a recipe, a head is trained on the embeddings of --base. Clips in a folder background/ hold
none of the labels. The card says how good the model is, and where there is too little data.
"""

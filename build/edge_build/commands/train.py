"""`edge-build train`: from labelled audio to a model folder."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import InputError
from edge.table.text import as_text
from edge_build.cache import Cache
from edge_build.commands.checks import check_cache, check_drawing, check_extra, check_torch
from edge_build.commands.endings import DONE
from edge_build.commands.options import add_common, add_places

if TYPE_CHECKING:
    from edge_build.frozen.train import Headed
    from edge_build.learn import Learnt


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
    train.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="holds LABEL/*.ogg|wav|flac|mp3, or, with --labels, recordings anywhere below it",
    )
    train.add_argument(
        "--labels",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="PATH",
        help="without a recipe: files that say which label is heard when, of Raven, Audacity or "
        "BirdCLEF, or folders of them",
    )
    train.add_argument(
        "--label-column",
        metavar="NAME",
        help="column that holds the labels of Raven's tables; default the first that is filled of "
        "Annotation, Species, Label, Tag, Common Name, Scientific Name, Species Code",
    )
    train.add_argument(
        "--synth", action="store_true", help="instead of --data: render the recipe's `synth` clips"
    )
    train.add_argument(
        "--head",
        choices=("plain", "attention"),
        help="without a recipe: a linear or one-layer head, whichever does better, or one "
        "transformer block, which torch trains; default plain",
    )
    train.add_argument(
        "--tensors",
        nargs="+",
        metavar="NAME",
        help="without a recipe: tensors of the base in the place of its embedding, such as probe "
        "ranks them; an attention head takes each for a token",
    )
    train.add_argument(
        "--pool",
        choices=("mean", "mean_channels_first"),
        help="how tensors of more than one row become one; default mean for tflite, "
        "mean_channels_first for onnx",
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
    for name in _WITHOUT_RECIPE:
        if getattr(options, name) not in (None, []):
            option = f"--{name.replace('_', '-')}"
            raise InputError(
                f"{option} is for training without a recipe",
                remedy=f"leave out either {options.recipe} or {option}",
            )
    recipe = read_recipe(options.recipe)
    if recipe.student is not None:
        return _train_student(options, arguments, deterministic=recipe.deterministic)
    if recipe.base is not None and (options.data is None or options.synth or options.unlabelled):
        raise InputError(
            f"a head on {recipe.base} learns from --data DIR alone",
            remedy="give --data; leave out --synth and --unlabelled",
        )
    if (options.data is None) != options.synth:
        raise InputError(
            "train learns from --data DIR or from --synth", remedy="give one of the two"
        )
    check_extra()
    check_cache(options.cache)
    if recipe.deterministic:
        rerun_pinned(arguments)
    learnt: Headed | Learnt
    if recipe.base is not None:
        from edge_build.frozen.train import train_frozen  # noqa: PLC0415 (slow to load)

        learnt = train_frozen(
            options.recipe,
            data=options.data,
            out=options.out,
            models_dir=options.models_dir,
            model_files=options.model_files,
            cache=Cache(options.cache),
        )
    else:
        from edge_build.train import train  # noqa: PLC0415 (slow to load)

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


def _train_student(
    options: argparse.Namespace, arguments: Sequence[str], *, deterministic: bool
) -> int:
    from edge_build.pinned import rerun_pinned  # noqa: PLC0415 (before NumPy is at work)

    audio = [*([] if options.data is None else [options.data]), *options.unlabelled]
    if not audio or options.synth:
        raise InputError(
            "a student learns from audio without labels, by --unlabelled or --data",
            remedy="name folders or files of audio by --unlabelled",
        )
    check_extra()
    check_torch("a student")
    check_cache(options.cache)
    if deterministic:
        rerun_pinned(arguments)
    from edge_build.student.train import train_student  # noqa: PLC0415 (slow to load)

    made = train_student(
        options.recipe,
        unlabelled=audio,
        out=options.out,
        models_dir=options.models_dir,
        model_files=options.model_files,
        cache=Cache(options.cache),
    )
    for note in made.notes:
        print(f"edge-build: note: {note}", file=sys.stderr)
    found = made.agreement
    print(
        f"{as_text(str(options.out))}: {len(made.student.curriculum.labels)} labels; says the same "
        f"label first as {made.teacher.name} in {found.top1:.3f} of {found.windows} held-out "
        f"windows, rank correlation {found.rank_correlation:.3f}; it holds a MODEL_CARD.md"
    )
    return DONE


def _train_custom(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from edge_build.pinned import rerun_pinned  # noqa: PLC0415 (before NumPy is at work)

    if options.data is None or options.synth or options.unlabelled:
        raise InputError(
            "without a recipe, train learns from --data DIR alone",
            remedy="give --data, or a recipe for --synth and --unlabelled",
        )
    if options.label_column is not None and not options.labels:
        raise InputError(
            "--label-column is a column of the files of --labels", remedy="give --labels PATH too"
        )
    precision = 0.9 if options.precision is None else options.precision
    if not 0.0 < precision <= 1.0:
        raise InputError(
            f"--precision: {precision:g} is no share of detections that are to be right",
            remedy="give a number above 0 and at most 1, such as 0.9",
        )
    if options.pool is not None and not options.tensors:
        raise InputError("--pool is of --tensors", remedy="give --tensors NAME too")
    check_extra()
    if options.head == "attention":
        check_torch("an attention head")
    check_drawing("train --base")
    check_cache(options.cache)
    rerun_pinned(arguments)
    from edge.windows.tensor_pool import TensorPool  # noqa: PLC0415 (after the environment is set)
    from edge_build.custom.train import train_custom  # noqa: PLC0415 (slow to load)

    made = train_custom(
        options.base,
        data=options.data,
        out=options.out,
        precision=precision,
        attention=options.head == "attention",
        tensors=options.tensors or (),
        pool=None if options.pool is None else TensorPool(options.pool),
        recording=options.recording,
        labels=options.labels,
        label_column=options.label_column,
        models_dir=options.models_dir,
        model_files=options.model_files,
        cache=Cache(options.cache),
    )
    for note in made.notes:
        print(f"edge-build: note: {note}", file=sys.stderr)
    judged = made.judgement
    figures = f"macro F1 of unheard recordings {judged.macro_f1:.3f}"
    if made.tally is not None:
        figures += f", macro ROC-AUC {judged.roc_auc:.3f}"
    print(
        f"{as_text(str(options.out))}: {len(made.examples.labels)} labels; {figures}, "
        f"calibration error {judged.before.error:.3f} before and {judged.after.error:.3f} after; "
        "it holds a MODEL_CARD.md"
    )
    return DONE


_WITHOUT_RECIPE = (
    *("base", "precision", "recording", "labels", "label_column"),
    *("head", "tensors", "pool"),
)
"""Options that a recipe leaves no room for."""

_TRAIN_EXAMPLES = """A run that was killed takes up where it ended: mel frames, codebook, vectors,
and head are kept in the cache by what they were made from.

The recipe is YAML; unknown keys are errors. models/recipes/ has examples.

Without a recipe, a head is trained on the embeddings of --base. Clips in a folder background/ hold
none of the labels. The card says how good the model is, and where there is too little data.

With --labels, a label is learnt from where it is heard in a recording, and several may be heard at
once. All 5 s windows of the recordings that the files speak of are learnt from, and those without
an event hold none of the labels; an empty label track says so of a whole recording. A file is known
by what it holds: a selection table of Raven, a label track of Audacity, or BirdCLEF's
filename,start,end,primary_label. A table or track that names no recording is that of the recording
with the same name: dawn.Table.1.selections.txt or dawn.txt of dawn.wav.

  edge-build train --data card1 --labels card1/tables --base birdnet-v2.4 --out models/my-site

A recipe with `student` needs no labels: a model of its choice teaches on all audio that is named by
--unlabelled or --data, and the card says how far the student agrees with it on held-out recordings.

  edge-build train models/recipes/stsg-student.yaml --unlabelled card1 card2 --out models/student

A recipe with `base` trains its head on what another model makes of each 5 s window:

  edge-build train models/recipes/zoo-head.yaml --data CLIPS --out models/my-head
"""

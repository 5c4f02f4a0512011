"""`edge-build`: makes models and compares them."""

import argparse
import importlib.util
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import edge
from edge.batch.outputs import check_folder, check_outputs
from edge.errors import EdgeError, InputError
from edge.model.folder import FILES_VARIABLE
from edge.table.text import as_text
from edge_build.cache import CACHE_VARIABLE, Cache, default_cache
from edge_build.folds import DEFAULT_PATTERN, FIRST_DIGIT

DONE, NOT_WRITTEN, NOTHING_DONE = 0, 1, 2

_EXAMPLES = r"""examples:
  edge-build train models/recipes/stsg-demo.yaml --synth --out models/stsg-demo
      the demonstration model, from audio that the project renders itself

  edge-build train --data clips --base birdnet-v2.4 --out models/my-site
      a model of one's own without a recipe: calibrated, and with a threshold for each label

  edge-build train my.yaml --data clips --unlabelled card1 card2 --out models/my-birds
      clips/robin/*.wav, clips/wren/*.ogg, ...; all of card1 and card2 teaches what sounds there are

  edge-build evaluate my.yaml yamnet birdnet-v2.4 --data clips --folds 5
      one table: the recipe, learnt again without each fold, beside heads on two zoo models

  edge-build sweep models/recipes/sweeps/pca-dims.yaml --data clips --out dims
      one recipe with many values of its keys: a table, a picture, and the best recipe

  edge-build project birdnet-v2.4 --data clips --out space.png
      where the clips lie in a model's embedding space, coloured by label

  edge-build probe birdnet-v2.4 --data clips --out layers
      which tensor of a model tells the classes apart best, before a head is trained on it

  edge-build verify models/my-birds
      the files are those that were made, and the model still computes what it did

exit codes:
  0    done
  1    evaluate printed its table, but could not write it to --out or --card
  2    nothing was made: wrong arguments, no usable audio, a place that cannot be written to
  130  interrupted; the same command takes up from there
"""

_TRAIN_EXAMPLES = """A run that was killed takes up where it ended: mel frames, codebook, vectors,
and head are kept in the cache by what they were made from.

The recipe is YAML; unknown keys are errors. models/recipes/ has examples.

Without a recipe, a head is trained on the embeddings of --base. Clips in a folder background/ hold
none of the labels. The card says how good the model is, and where there is too little data.
"""

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(given)
    try:
        return int(options.run(options, given))
    except EdgeError as error:
        print(f"edge-build: {error}", file=sys.stderr)
        return NOTHING_DONE
    except KeyboardInterrupt:
        print("edge-build: interrupted; the same command takes up from here", file=sys.stderr)
        return 128 + signal.SIGINT


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
    _check_extra()
    _check_cache(options.cache)
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
    _check_extra()
    _check_drawing("train --base")
    _check_cache(options.cache)
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


def _evaluate(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from edge_build.pinned import rerun_pinned  # noqa: PLC0415 (before NumPy is at work)
    from edge_build.recipe import is_recipe, read_recipe  # noqa: PLC0415

    _check_extra()
    _check_cache(options.cache)
    if options.out is not None:
        check_outputs({"--out": options.out})
    if options.card is not None and options.card.is_dir():
        check_folder("--card", options.card)
    if options.report is not None:
        _check_pictures("--report", options.report)
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


def _sweep(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from edge_build.pinned import rerun_pinned  # noqa: PLC0415 (before NumPy is at work)
    from edge_build.sweep.spec import read_sweep  # noqa: PLC0415

    if options.jobs < 1:
        raise InputError("--jobs: there must be one at least", remedy="leave it out for all cores")
    _check_extra()
    _check_drawing("sweep")
    _check_cache(options.cache)
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


def _project(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from edge.load import find_model  # noqa: PLC0415 (the backends are slow to load)
    from edge_build.pinned import rerun_pinned  # noqa: PLC0415

    if options.out.suffix.lower() != ".png":
        raise InputError(f"--out: {options.out} is no name for a picture", remedy="end it on .png")
    _check_extra()
    _check_drawing("project")
    check_outputs({"--out": options.out, "its coordinates": options.out.with_suffix(".csv")})
    folder = find_model(options.model, models_dir=options.models_dir)
    rerun_pinned(arguments)
    from edge_build.projection import project_model  # noqa: PLC0415 (slow to load)

    drawn = project_model(
        folder, data=options.data, out=options.out, model_files=options.model_files
    )
    print(f"{as_text(str(options.out))}: {len(drawn.labels)} windows; beside it their coordinates")
    return DONE


def _probe(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from edge.table.whole import write_lines  # noqa: PLC0415 (one caller)
    from edge_build.probe import report  # noqa: PLC0415 (slow to load)
    from edge_build.probe.run import run_probe  # noqa: PLC0415 (slow to load)

    if options.out is not None:
        _check_pictures("--out", options.out)
    probe = run_probe(
        options.model,
        data=options.data,
        clips_per_label=options.clips_per_label,
        seed=options.seed,
        recording=options.recording,
        models_dir=options.models_dir,
        model_files=options.model_files,
    )
    for note in probe.notes:
        print(f"edge-build: note: {note}", file=sys.stderr)
    print(report.markdown_report(probe), end="", flush=True)
    try:
        if options.out is not None:
            write_lines(options.out.resolve() / "probe.csv", [report.csv_report(probe)])
            report.draw_layers(probe, options.out / "probe.png")
    except (EdgeError, OSError) as error:
        print(f"edge-build: {error}; the table is above", file=sys.stderr)
        return NOT_WRITTEN
    return DONE


def _check_extra() -> None:
    """Make sure, before hours of work, that what makes models is installed."""
    missing = [name for name, module in _NEEDS.items() if not importlib.util.find_spec(module)]
    if missing:
        raise InputError(
            f"edge-build needs {', '.join(missing)}, which edge itself runs without",
            remedy="pip install 'edge-bioacoustics[build]'",
        )


def _check_drawing(what: str) -> None:
    if not importlib.util.find_spec("matplotlib"):
        raise InputError(
            f"{what} draws with matplotlib, which is not installed",
            remedy="pip install 'edge-bioacoustics[build]'",
        )


def _check_pictures(option: str, folder: Path) -> None:
    _check_drawing(option)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise InputError(
            f"{option}: {folder} cannot be made: {reason.strerror}", remedy="name another folder"
        ) from None
    check_folder(option, folder)


def _check_cache(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise InputError(
            f"--cache: {folder} cannot be made: {reason.strerror}",
            remedy=f"name another folder, by --cache or ${CACHE_VARIABLE}",
        ) from None
    check_folder("--cache", folder)


def _verify(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from edge.load import find_model, load_model  # noqa: PLC0415 (the backends are slow to load)

    folder = find_model(options.model, models_dir=options.models_dir)
    model = load_model(folder, external=options.model_files)
    model.close()
    print(f"{folder}: {model.info.id}: hashes, stages and golden vector hold")
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edge-build",
        description="Make models from audio, and compare them.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"edge-build {edge.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_train(commands)
    _add_evaluate(commands)
    _add_sweep(commands)
    _add_project(commands)
    _add_probe(commands)
    verify = commands.add_parser("verify", help="check a model's hashes and golden vector")
    verify.add_argument("model", help="a model's name or folder")
    _add_places(verify)
    verify.set_defaults(run=_verify)
    return parser


def _add_train(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
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
    _add_places(train)
    _add_common(train)
    train.set_defaults(run=_train)


def _add_evaluate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    evaluate = commands.add_parser(
        "evaluate",
        help="compare recipes and models on folds, in one table",
        description=(
            "Compare recipes (learnt again without each fold: codebook, vectors and head) and "
            "models (a head trained on their frozen embeddings) in one Markdown table."
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
    _add_places(evaluate)
    _add_common(evaluate)
    evaluate.set_defaults(run=_evaluate)


def _add_sweep(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
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
    _add_common(sweep)
    sweep.set_defaults(run=_sweep)


def _add_project(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    project = commands.add_parser(
        "project",
        help="draw a model's embedding space",
        description=(
            "Draw where 5 s windows of labelled clips lie in a model's embedding space, brought "
            "into two dimensions by PCA and t-SNE. Neighbours tell; distances and axes do not."
        ),
    )
    project.add_argument("model", help="a model's name or folder")
    project.add_argument(
        "--data", type=Path, metavar="DIR", required=True, help="holds LABEL/*.ogg|wav|flac|mp3"
    )
    project.add_argument(
        "--out", type=Path, metavar="FILE.png", required=True, help="a CSV of points goes beside it"
    )
    _add_places(project)
    project.set_defaults(run=_project)


def _add_probe(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    probe = commands.add_parser(
        "probe",
        help="rank a model's tensors by how well they tell classes apart",
        description=(
            "Rank the tensors of a TFLite or ONNX model by 5-nearest-neighbour accuracy on a few "
            "clips a class, to choose the one that a head is trained on. Of each file the model's "
            "first clip is heard; neighbours of the same recording do not count."
        ),
    )
    probe.add_argument("model", metavar="MODEL", help="a model's name or folder")
    probe.add_argument(
        "--data", type=Path, metavar="DIR", required=True, help="holds LABEL/*.ogg|wav|flac|mp3"
    )
    probe.add_argument(
        "--clips-per-label",
        type=int,
        default=10,
        metavar="N",
        help="clips of each class; default %(default)s",
    )
    probe.add_argument(
        "--seed", type=int, default=1, metavar="N", help="chooses them; default %(default)s"
    )
    probe.add_argument(
        "--recording", metavar="REGEX", help="its group in a file's name names the recording"
    )
    probe.add_argument(
        "--out", type=Path, metavar="DIR", help="write probe.csv and a picture, probe.png, there"
    )
    _add_places(probe)
    probe.set_defaults(run=_probe)


def _add_places(command: argparse.ArgumentParser) -> None:
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


def _add_common(command: argparse.ArgumentParser) -> None:
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


_NEEDS = {"gensim": "gensim", "onnx": "onnx", "optuna": "optuna", "scikit-learn": "sklearn"}
"""What the extra `build` installs for these commands: from its name for pip to its module."""

"""`edge-batch`: recordings to a table of scores."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import edge

if TYPE_CHECKING:
    from edge.batch.options import Options

DONE, SOME_FAILED, NOTHING_DONE = 0, 1, 2
INTERRUPTED = 130

_EPILOG = """\
examples:
  # A card brought home from the field: every recording on it, a row for each 5 seconds.
  edge-batch /media/card --model stsg-esc10 --out scores.csv

  # A competition's test set in its own rows and columns, within 90 minutes.
  edge-batch test_soundscapes --model birdnet-v2.4 --out submission.csv \\
      --template sample_submission.csv --budget 90m --fallback stsg-esc10

  # The model's own 3-second clips, smoothed over time; go on after a crash.
  edge-batch day1 day2 --model birdnet-v2.4 --windows native --post post.yaml \\
      --out scores.csv --resume

post.yaml is a list, applied in order:
  - smooth: {kernel: [0.1, 0.8, 0.1]}
  - threshold: {default: 0.25, labels: {Pica pica_Eurasian Magpie: 0.1}}

exit codes:
  0  every recording was scored
  1  finished, but some recordings were not scored, or not to their end (a copy that broke off, or
     out of time), or not one window of them could be (all NaN, say, or too short); the summary says
     which and why. Also where the scores are there, but the --report could not be written
  2  nothing was done: wrong arguments, no audio, a model or template that cannot be used, a place
     that cannot be written to
  130  stopped; where something was scored, the same command with --resume goes on

Where --out or --report is a link, what it leads to is written. A device, a pipe or a socket is
refused, for a file would take its place.

A single window without a score changes nothing in that: the summary names the first of them, the
--report all, with their times and reasons. Names that are no UTF-8 are written with each such byte
as \\xHH and each backslash doubled, in rows and reports alike.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    began_s = time.monotonic()
    options = _parser().parse_args(arguments)
    # Each worker is one thread; NumPy's libraries read this when they are first imported.
    for library in ("OPENBLAS", "OMP", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    from edge.errors import EdgeError  # noqa: PLC0415 (--help stays quick)

    signal.signal(signal.SIGTERM, _terminate)
    journal = None
    try:
        asked = _options(options)
        journal = asked.journal
        return _run(asked, began_s)
    except EdgeError as error:
        print(f"edge-batch: {error}", file=sys.stderr)
        return NOTHING_DONE
    except KeyboardInterrupt:
        kept = "nothing was scored yet"
        if journal is not None and journal.exists():
            kept = "what was scored is kept: the same command with --resume goes on"
        print(f"edge-batch: stopped; {kept}", file=sys.stderr)
        return INTERRUPTED


def _run(options: "Options", began_s: float) -> int:
    from edge.batch.run import run  # noqa: PLC0415 (--help stays quick)
    from edge.errors import InputError  # noqa: PLC0415

    summary = run(options, began_s=began_s)
    print(summary.text(options.out), file=sys.stderr)
    if options.report is not None:
        try:
            summary.write_json(options.report, options.out)
        except InputError as error:
            print(f"edge-batch: --report: {error.what}; the scores are there", file=sys.stderr)
            return SOME_FAILED
    return DONE if summary.complete else SOME_FAILED


def _options(given: argparse.Namespace) -> "Options":
    from edge.batch.budget import parse_duration  # noqa: PLC0415 (--help stays quick)
    from edge.batch.options import Options  # noqa: PLC0415
    from edge.contracts import WindowKind  # noqa: PLC0415

    return Options(
        inputs=tuple(given.inputs),
        model=given.model,
        out=given.out,
        models_dir=given.models_dir,
        model_files=tuple(folder.absolute() for folder in given.model_files),
        template=given.template,
        windows=WindowKind(given.windows),
        workers=given.workers or len(os.sched_getaffinity(0)),
        budget_s=parse_duration(given.budget) if given.budget else None,
        fallback=given.fallback,
        resume=given.resume,
        post=given.post,
        quiet=given.quiet,
        report=given.report,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edge-batch",
        description="Score recordings with a model and write a CSV file: a row for each window, "
        "a column for each label, probabilities from 0 to 1.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("inputs", nargs="+", type=Path, metavar="INPUT", help="recordings, or directories of them")
    add("--model", required=True, metavar="NAME_OR_DIR", help="see `edge models list`")
    add(
        "--out",
        required=True,
        type=Path,
        metavar="FILE",
        help="CSV file; written whole, at the end",
    )
    add("--models-dir", type=Path, metavar="DIR", help="look for models here first")
    add(
        "--model-files",
        type=Path,
        metavar="DIR",
        action="append",
        default=[],
        help="where files are that a model may not bring along; may be given several times",
    )
    add(
        "--template",
        type=Path,
        metavar="CSV",
        help="sample_submission.csv: write exactly its rows and columns",
    )
    add(
        "--windows",
        choices=("frame", "native"),
        default="frame",
        help="5-second frames (default), or the model's own clips",
    )
    add(
        "--workers",
        type=_count,
        metavar="N",
        help="processes that score, each with the model in memory (default: one a CPU)",
    )
    add("--budget", metavar="TIME", help="be done within 90m, 1h30m, 5400s: see --fallback")
    add(
        "--fallback",
        metavar="NAME_OR_DIR",
        help="quicker model for as many files as the budget asks (default: the model's own)",
    )
    add("--resume", action="store_true", help="go on where a run that was killed left off")
    add("--post", type=Path, metavar="YAML", help="post-processors, see below")
    add(
        "--report",
        type=Path,
        metavar="JSON",
        help="also write the summary here, with every window that has no score",
    )
    add("--version", action="version", version=f"edge-batch {edge.__version__}")
    add("--quiet", action="store_true", help="no progress, only the summary")
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes")
    return int(text)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

"""`edge-build`: makes models and compares them."""

import argparse
import signal
import sys
from collections.abc import Sequence

import edge
from edge.errors import EdgeError
from edge_build.commands import convert, evaluate, probe, project, sweep, train, verify
from edge_build.commands.endings import NOTHING_DONE


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edge-build",
        description="Make models from audio, and compare them.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"edge-build {edge.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (train, evaluate, sweep, project, probe, convert, verify):
        command.add(commands)
    return parser


_EXAMPLES = r"""examples:
  edge-build train models/recipes/stsg-demo.yaml --synth --out models/stsg-demo
      the demonstration model, from audio that the project renders itself

  edge-build train --data clips --base birdnet-v2.4 --out models/my-site
      a model of one's own without a recipe: calibrated, and with a threshold for each label

  edge-build train my.yaml --data clips --unlabelled card1 card2 --out models/my-birds
      clips/robin/*.wav, clips/wren/*.ogg, ...; all of card1 and card2 teaches what sounds there are

  edge-build train models/recipes/stsg-student.yaml --unlabelled card1 card2 --out models/student
      a small model of tokens that learns, without labels, to answer as BirdNET does; needs torch

  edge-build evaluate my.yaml yamnet birdnet-v2.4 --data clips --folds 5
      one table: the recipe, learnt again without each fold, beside heads on two zoo models

  edge-build sweep models/recipes/sweeps/pca-dims.yaml --data clips --out dims
      one recipe with many values of its keys: a table, a picture, and the best recipe

  edge-build project birdnet-v2.4 --data clips --out space.png
      where the clips lie in a model's embedding space, coloured by label

  edge-build probe birdnet-v2.4 --data clips --out layers
      which tensor of a model tells the classes apart best, before a head is trained on it

  edge-build convert models/my-birds --to int8-dynamic --data clips --out models/my-birds-int8
      a smaller model, compared with its source window by window, and refused where it strays

  edge-build verify models/my-birds
      the files are those that were made, and the model still computes what it did

exit codes:
  0    done
  1    evaluate printed its table, but could not write it to --out or --card; convert refused a
       conversion that strays from its source, and wrote nothing
  2    nothing was made: wrong arguments, no usable audio, a place that cannot be written to
  130  interrupted; the same command takes up from there
"""

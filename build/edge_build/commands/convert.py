"""`edge-build convert`: a model in another form, compared with its source."""

import argparse
import importlib.util
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.errors import InputError
from edge.table.text import as_text
from edge_build.commands.endings import DONE, NOT_WRITTEN
from edge_build.commands.options import add_places
from edge_build.convert.kinds import AGREEMENT, DIFFERENCE, LOSS, RANKS, Kind, Tolerance


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    convert = commands.add_parser(
        "convert",
        help="make a model smaller or let it run elsewhere, and see that it says the same",
        description=(
            "Convert a model, compare it with its source on real audio, and write it to a folder "
            "of its own, unless it strays beyond a tolerance."
        ),
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    convert.add_argument("model", metavar="MODEL", help="a model's name or folder")
    convert.add_argument(
        "--to", type=Kind, required=True, metavar="FORM", help=f"{', '.join(Kind)}; see below"
    )
    convert.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        required=True,
        help="real audio to compare on, and to calibrate int8-static on; clips in folders that "
        "are called as labels of the model also give its accuracy",
    )
    convert.add_argument("--out", type=Path, metavar="DIR", required=True, help="the model folder")
    convert.add_argument(
        "--only", choices=("head", "model"), help="convert this graph alone; default all that can"
    )
    convert.add_argument(
        "--tolerance",
        type=_share,
        metavar="D",
        help="largest difference of any score of any window; default by --to, see below",
    )
    convert.add_argument(
        "--agreement",
        type=_share,
        metavar="A",
        help="least share of windows with the same top label, and least cosine of embeddings; "
        "default by --to, see below",
    )
    convert.add_argument(
        "--ranks",
        type=_share,
        default=RANKS,
        metavar="R",
        help="least rank correlation of a window's labels (Spearman, mean); default %(default)s",
    )
    convert.add_argument(
        "--loss",
        type=_share,
        default=LOSS,
        metavar="L",
        help="what accuracy and macro F1 may fall by; default %(default)s",
    )
    add_places(convert)
    convert.set_defaults(run=_convert)


def _convert(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    if not importlib.util.find_spec("onnx"):
        raise InputError(
            "edge-build convert needs onnx, which edge itself runs without",
            remedy="pip install 'edge-bioacoustics[build]'",
        )
    from edge_build.card_commands import last_name  # noqa: PLC0415 (slow to load)
    from edge_build.convert.run import Order, StrayedError, convert  # noqa: PLC0415

    tolerance = Tolerance(
        difference=DIFFERENCE[options.to] if options.tolerance is None else options.tolerance,
        agreement=AGREEMENT[options.to] if options.agreement is None else options.agreement,
        ranks=options.ranks,
        loss=options.loss,
    )
    parts = ["edge-build", "convert", last_name(Path(options.model)), "--to", str(options.to)]
    parts += ["--data", last_name(options.data), "--out", last_name(options.out)]
    parts += ["--only", options.only] if options.only else []
    for name in ("tolerance", "agreement", "ranks", "loss"):
        parts += [f"--{name}", f"{getattr(tolerance, _FIGURES.get(name, name)):g}"]
    order = Order(
        options.model,
        options.to,
        data=options.data,
        out=options.out,
        tolerance=tolerance,
        only=options.only,
        models_dir=options.models_dir,
        model_files=options.model_files,
        command=shlex.join(parts),
    )
    try:
        comparison = convert(order)
    except StrayedError as error:
        print(error.comparison.markdown, end="", flush=True)
        for note in error.comparison.notes:
            print(f"edge-build: note: {note}", file=sys.stderr)
        print(f"edge-build: {error}", file=sys.stderr)
        return NOT_WRITTEN
    for note in comparison.notes:
        print(f"edge-build: note: {note}", file=sys.stderr)
    print(comparison.markdown, end="")
    print(
        f"\n{as_text(str(options.out))}: {comparison.converted.manifest.version}, compared on "
        f"{comparison.basis} It holds a MODEL_CARD.md"
    )
    return DONE


def _share(text: str) -> float:
    """Read a number from 0 to 1."""
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return value


_FIGURES = {"tolerance": "difference"}
_EXAMPLES = "forms:\n" + "".join(
    f"  {kind:13} {what}\n"
    f"  {'':13} --tolerance {DIFFERENCE[kind]:g} --agreement {AGREEMENT[kind]:g}\n"
    for kind, what in {
        Kind.INT8_DYNAMIC: "ONNX graphs with weights of 8 bits; scales found anew in each run",
        Kind.INT8_STATIC: "the same with scales that are found once, on every other clip of --data",
        Kind.FLOAT16: "ONNX graphs with weights stored in half precision, computed in float32",
        Kind.ONNX: "a TFLite model for onnxruntime, by tf2onnx and TensorFlow (extra `to-onnx`)",
        Kind.TFLITE: "an ONNX model for LiteRT, by onnx2tf (extra `to-tflite`, Python 3.12)",
    }.items()
)
_EXAMPLES += """
Of a model with a head, int8 and float16 convert the head, and the base where it is ONNX; codebook,
vectors and labels stay as they are.

Exit code 1: the conversion strayed, and nothing was written. The table says by how much, and the
message which tolerance it broke.
"""

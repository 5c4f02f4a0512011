"""`edge-build probe`: a model's tensors, ranked."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.errors import EdgeError
from edge_build.commands.checks import check_pictures
from edge_build.commands.endings import DONE, NOT_WRITTEN
from edge_build.commands.options import add_places


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
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
    add_places(probe)
    probe.set_defaults(run=_probe)


def _probe(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from edge.table.whole import write_lines  # noqa: PLC0415 (one caller)
    from edge_build.probe import report  # noqa: PLC0415 (slow to load)
    from edge_build.probe.run import run_probe  # noqa: PLC0415 (slow to load)

    if options.out is not None:
        check_pictures("--out", options.out)
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

"""`edge-build project`: a picture of a model's embedding space."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from edge.batch.outputs import check_outputs
from edge.errors import InputError
from edge.table.text import as_text
from edge_build.commands.checks import check_drawing, check_extra
from edge_build.commands.endings import DONE
from edge_build.commands.options import add_places


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
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
    add_places(project)
    project.set_defaults(run=_project)


def _project(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from edge.load import find_model  # noqa: PLC0415 (the backends are slow to load)
    from edge_build.pinned import rerun_pinned  # noqa: PLC0415

    if options.out.suffix.lower() != ".png":
        raise InputError(f"--out: {options.out} is no name for a picture", remedy="end it on .png")
    check_extra()
    check_drawing("project")
    check_outputs({"--out": options.out, "its coordinates": options.out.with_suffix(".csv")})
    folder = find_model(options.model, models_dir=options.models_dir)
    rerun_pinned(arguments)
    from edge_build.projection import project_model  # noqa: PLC0415 (slow to load)

    drawn = project_model(
        folder, data=options.data, out=options.out, model_files=options.model_files
    )
    print(f"{as_text(str(options.out))}: {len(drawn.labels)} windows; beside it their coordinates")
    return DONE

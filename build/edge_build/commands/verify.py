"""`edge-build verify`: is a model what it was."""

import argparse
from collections.abc import Sequence

from edge_build.commands.endings import DONE
from edge_build.commands.options import add_places


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    verify = commands.add_parser("verify", help="check a model's hashes and golden vector")
    verify.add_argument("model", help="a model's name or folder")
    add_places(verify)
    verify.set_defaults(run=_verify)


def _verify(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    from edge.load import find_model, load_model  # noqa: PLC0415 (the backends are slow to load)

    folder = find_model(options.model, models_dir=options.models_dir)
    model = load_model(folder, external=options.model_files)
    model.close()
    print(f"{folder}: {model.info.id}: hashes, stages and golden vector hold")
    return DONE

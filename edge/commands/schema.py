"""`edge schema`: the JSON Schema of the configuration, for editors."""

import argparse
import json

from edge.commands.endings import DONE


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "schema",
        help="the JSON Schema of the configuration, for editors",
        description="Print the JSON Schema of the configuration. An editor that knows it completes "
        "keys and marks mistakes: begin the YAML file with "
        "`# yaml-language-server: $schema=edge.schema.json`.",
    )
    parser.set_defaults(command=_schema)


def _schema(arguments: argparse.Namespace) -> int:
    from edge.config import json_schema  # noqa: PLC0415 (heavy)

    print(json.dumps(json_schema(), indent=2))
    return DONE

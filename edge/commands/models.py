"""`edge models`: the models on disk and whether each is usable here."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.commands.endings import DONE, WRONG, complain
from edge.errors import EdgeError
from edge.load import check_golden, check_runtime, find_model, model_folders, open_model
from edge.model.folder import FILES_VARIABLE, find_file, read_folder
from edge.model.front_end import describe_front_end
from edge.model.manifest import Manifest, read_manifest


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    models = commands.add_parser("models", help="the models on disk: list, show, verify")
    actions = models.add_subparsers(metavar="ACTION", required=True)

    places = argparse.ArgumentParser(add_help=False)
    places.add_argument(
        "--models-dir",
        type=Path,
        metavar="DIR",
        help="folder of model folders, looked through before the shipped ones",
    )
    places.add_argument(
        "--model-files",
        type=Path,
        metavar="DIR",
        action="append",
        default=[],
        help="folder with files that may not ship; may be given again; also in $" + FILES_VARIABLE,
    )

    listing = actions.add_parser(
        "list", parents=[places], help="every model, a line each, and whether it is complete"
    )
    listing.add_argument("--json", action="store_true", help="as JSON, for programs")
    listing.set_defaults(command=_list)
    show = actions.add_parser("show", parents=[places], help="all that a model says of itself")
    show.add_argument("name", metavar="NAME", help="a model's name, or its folder")
    show.set_defaults(command=_show)
    verify = actions.add_parser(
        "verify", parents=[places], help="load models and let each reproduce its golden vector"
    )
    verify.add_argument("name", metavar="NAME", nargs="?", help="one model; by default, all")
    verify.set_defaults(command=_verify)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of the list; None where the folder does not say."""

    name: str
    folder: str
    complete: bool
    """Manifest, files with their hashes, labels and runtime are all there; nothing was run."""
    problem: str = ""
    remedy: str = ""
    version: str | None = None
    backend: str | None = None
    sample_rate_hz: int | None = None
    clip_seconds: float | None = None
    step_seconds: float | None = None
    labels: int | None = None
    licence: str | None = None
    commercial_use: bool | None = None


def _entry(folder: Path, external: Sequence[Path]) -> _Entry:
    """Look at a model without loading it: its manifest, its files, what runs it."""
    said: dict[str, str | int | float | bool] = {}
    try:
        manifest = read_manifest(folder)
        said = {
            "version": manifest.version,
            "backend": manifest.backend,
            "sample_rate_hz": manifest.input.sample_rate,
            "clip_seconds": manifest.input.clip_seconds,
            "step_seconds": manifest.input.step_seconds,
            "licence": manifest.licence.name,
            "commercial_use": manifest.licence.commercial_use,
        }
        said["labels"] = len(read_folder(folder, external=external).labels)
        check_runtime(folder, manifest)
    except EdgeError as error:
        return _Entry(folder.name, str(folder), False, error.what, error.remedy, **said)  # type: ignore[arg-type]
    return _Entry(folder.name, str(folder), True, **said)  # type: ignore[arg-type]


def _list(arguments: argparse.Namespace) -> int:
    entries = [_entry(f, arguments.model_files) for f in model_folders(arguments.models_dir)]
    if arguments.json:
        print(json.dumps([asdict(entry) for entry in entries], indent=2))
        return DONE
    rows = [("NAME", "BACKEND", "RATE", "CLIP", "LABELS", "LICENCE", "COMPLETE")]
    for entry in entries:
        rows.append(
            (
                entry.name,
                entry.backend or "-",
                f"{entry.sample_rate_hz} Hz" if entry.sample_rate_hz else "-",
                f"{entry.clip_seconds:g} s" if entry.clip_seconds else "-",
                str(entry.labels or "-"),
                (entry.licence or "-")
                + (" (not commercial)" if entry.commercial_use is False else ""),
                "yes" if entry.complete else "no",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())
    for entry in entries:
        if not entry.complete:
            print(f"\n{entry.name}: {entry.problem}\n  remedy: {entry.remedy}")
    print("\ncomplete: every file is there, by its hash, and what runs it is installed;")
    print("`edge models verify` runs each model and compares what it computes")
    return DONE


def _show(arguments: argparse.Namespace) -> int:
    folder = find_model(arguments.name, models_dir=arguments.models_dir)
    manifest = read_manifest(folder)
    for name, value in _description(folder, manifest):
        print(f"{name:<11}{value}")
    print("files")
    for key, entry in manifest.files.items():
        print(f"  {key:<9}{entry.path}  ({entry.size} bytes, sha256 {entry.sha256[:12]}…)")
        try:
            print(f"           {find_file(folder, manifest, key, external=arguments.model_files)}")
        except EdgeError as error:
            print(f"           not usable: {error.what}")
    try:
        read_folder(folder, external=arguments.model_files)
        check_runtime(folder, manifest)
        print(f"complete   yes; `edge models verify {arguments.name}` shows that it computes right")
    except EdgeError as error:
        print(f"complete   no: {error.what}\n  remedy:  {error.remedy}")
    return DONE


def _description(folder: Path, manifest: Manifest) -> list[tuple[str, str]]:
    given, output = manifest.input, manifest.output
    terms = "for any use" if manifest.licence.commercial_use else "not for commercial use"
    lines = [
        ("name", manifest.name),
        ("version", manifest.version),
        ("folder", str(folder)),
        ("backend", manifest.backend),
        (
            "input",
            f"{given.sample_rate} Hz, clips of {given.clip_seconds:g} s every "
            f"{given.step_seconds:g} s, {given.scale} scale",
        ),
        ("frame", f"{manifest.aggregate} of its clips"),
        ("threshold", f"{manifest.threshold:g}"),
        ("fallback", manifest.fallback or "none"),
        ("licence", f"{manifest.licence.name}, {terms}"),
        ("credit", manifest.licence.attribution),
        ("source", manifest.source),
    ]
    if output.scores is not None:
        lines.insert(5, ("scores", f"{output.scores}, activation {output.activation}"))
    if output.embeddings:
        lines.insert(6, ("embedding", ", ".join(map(str, output.embeddings))))
    if given.front_end is not None:
        lines.insert(5, ("front end", describe_front_end(given.front_end)))
    if manifest.stsg is not None:
        lines.insert(
            5,
            (
                "tokens",
                f"{manifest.stsg.tokens} of {manifest.stsg.dims} dimensions, "
                f"vectors of {manifest.stsg.vector_size}",
            ),
        )
    return [(name, value) for name, value in lines if value]


def _verify(arguments: argparse.Namespace) -> int:
    if arguments.name:
        folders = [find_model(arguments.name, models_dir=arguments.models_dir)]
    else:
        folders = list(model_folders(arguments.models_dir))
    wrong = 0
    for folder in folders:
        try:
            print(_proof(folder, arguments.model_files), flush=True)
        except EdgeError as error:
            wrong += 1
            complain(error)
    if len(folders) > 1:
        print(f"{len(folders) - wrong} of {len(folders)} models are usable here")
    return WRONG if wrong else DONE


def _proof(folder: Path, external: Sequence[Path]) -> str:
    """Load a model in full; return a line that says what was checked."""
    read = read_folder(folder, external=external)
    model = open_model(read)
    stray = check_golden(read, model)
    model.close()
    size_mb = sum(entry.size for entry in read.manifest.files.values()) / 1e6
    return (
        f"{model.info.id}: ok: {len(read.files)} files ({size_mb:.1f} MB) by hash, "
        f"{len(read.labels)} labels, golden vector within {stray:.1g} "
        f"(tolerance {read.manifest.golden.tolerance:g})"
    )

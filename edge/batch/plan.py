"""What a run is about, read and checked before anything is begun."""

import json
import os
from dataclasses import dataclass

import msgspec

import edge
from edge.batch.inputs import Recordings, find_recordings
from edge.batch.models import ChosenModel, choose_models
from edge.batch.options import Options
from edge.batch.template import Template, read_template
from edge.errors import InputError
from edge.refine import PostSpec, read_post, unknown_labels


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a run needs to know."""

    options: Options
    models: tuple[ChosenModel, ...]
    """The primary model, perhaps a fallback."""
    post: tuple[PostSpec, ...]
    recordings: Recordings
    template: Template | None
    remarks: tuple[str, ...]
    """What the user should know of it."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The output's columns that take scores, in order."""
        return self.models[0].labels if self.template is None else self.template.classes

    @property
    def identity(self) -> dict[str, object]:
        """What the scores depend on, beside the recordings."""
        return {
            "edge": edge.__version__,
            "model": self.models[0].fingerprint,
            "windows": str(self.options.windows),
            "post": json.loads(msgspec.json.encode(self.post)),
        }


def make_plan(options: Options) -> Plan:
    """Find the recordings and the models, read the template and the post-processors.

    Raises:
        EdgeError: Something of it is not there or not usable.
    """
    folder = options.out.absolute().parent
    if not folder.is_dir():
        raise InputError(f"--out: {folder} is not a directory", remedy="create it first")
    if options.out.is_dir():
        raise InputError(f"--out: {options.out} is a directory", remedy="name a file in it")
    template = read_template(options.template) if options.template else None
    post = read_post(options.post) if options.post else []
    models, remarks = choose_models(options)
    unknown = unknown_labels(post, models[0].labels)
    if unknown:
        names = ", ".join(unknown)
        remarks.append(f"--post: thresholds of labels that {models[0].id} does not have: {names}")
    recordings = find_recordings(options.inputs)
    _check_outputs(options, recordings)
    return Plan(options, tuple(models), tuple(post), recordings, template, tuple(remarks))


def _check_outputs(options: Options, recordings: Recordings) -> None:
    """Make sure that nothing which is read would be written over, and that all can be written."""
    read = {os.path.realpath(path) for path in recordings.paths}
    read |= {os.path.realpath(path) for path in (options.template, options.post) if path}
    for name, path in (("--out", options.out), ("--report", options.report)):
        if path is None:
            continue
        if os.path.realpath(path) in read:
            raise InputError(f"{name}: {path} is an input", remedy="name another file")
        if not path.absolute().parent.is_dir():
            raise InputError(
                f"{name}: {path.absolute().parent} is not a directory", remedy="create it first"
            )

"""What a run is about, read and checked before anything is begun."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

import edge
from edge.batch.inputs import Recordings, find_recordings
from edge.batch.models import ChosenModel, choose_models
from edge.batch.names import some_of
from edge.batch.options import Options
from edge.batch.outputs import check_outputs
from edge.batch.template import Template, read_template
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
    warnings: tuple[str, ...]
    """What makes the whole run worthless, most likely."""

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
    _check_outputs(options)
    template = read_template(options.template) if options.template else None
    post = read_post(options.post) if options.post else []
    models, remarks = choose_models(options)
    unknown = unknown_labels(post, models[0].labels)
    if unknown:
        names = ", ".join(unknown)
        remarks.append(f"--post: thresholds of labels that {models[0].id} does not have: {names}")
    recordings = find_recordings(options.inputs)
    _check_outputs(options, recordings.paths)
    warnings = [] if template is None else _mismatches(template, models, recordings)
    return Plan(
        options,
        tuple(models),
        tuple(post),
        recordings,
        template,
        remarks=tuple(remarks),
        warnings=tuple(warnings),
    )


def _mismatches(
    template: Template, models: Sequence[ChosenModel], recordings: Recordings
) -> list[str]:
    """Say where nothing of a template is in the models, or in the recordings.

    It is no error: a class that a model lacks holds 0 and a row without a recording its column's
    mean, also when all do. A sample submission that is public often names hidden recordings.
    """
    warnings = []
    labels = dict.fromkeys(label for model in models for label in model.labels)
    if not labels.keys() & set(template.classes):
        warnings.append(
            f"none of the template's {len(template.classes)} classes is a label of "
            f"{' or '.join(model.id for model in models)}: EVERY CELL WILL BE 0\n"
            f"  the template has: {some_of(template.classes)}\n"
            f"  the model has:    {some_of(labels)}\n"
            "  remedy: take a model that was trained on the template's classes, its labels spelt "
            "as the template spells them"
        )
    stems = {recordings.stem(n): None for n in range(len(recordings))}
    if not stems.keys() & template.stems:
        warnings.append(
            "no row of the template belongs to an input file: EVERY ROW WILL HOLD ITS COLUMNS' "
            "MEANS\n"
            f"  the template has: {some_of(template.rows)}\n"
            f"  the files give:   {some_of(f'{stem}_5' for stem in stems)}\n"
            "  remedy: name the recordings that the template is of; a row is called after its "
            "file's name and the second its window ends"
        )
    return warnings


def _check_outputs(options: Options, recordings: Sequence[str] = ()) -> None:
    """Make sure that all can be written and that nothing which is read is written over."""
    read = dict.fromkeys(map(Path, recordings), "an input")
    read |= {options.template: "the --template"} if options.template else {}
    read |= {options.post: "the --post file"} if options.post else {}
    outputs = {"--out": options.out, "the journal of --out": options.journal}
    check_outputs(outputs | ({"--report": options.report} if options.report else {}), read=read)

"""`edge-build sweep`: from a sweep and labelled audio to its findings."""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from tqdm import tqdm

from edge.batch.outputs import check_folder
from edge.errors import InputError
from edge_build.cache import Cache
from edge_build.card_commands import last_name
from edge_build.recipe import Recipe
from edge_build.sweep.results import Findings
from edge_build.sweep.search import search
from edge_build.sweep.spec import Sweep
from edge_build.task import find_trial


def run_sweep(
    sweep: Sweep,
    *,
    data: Path,
    unlabelled: Sequence[Path],
    recording: str | None,
    out: Path,
    jobs: int,
    cache: Cache,
) -> Findings:
    """Try every setting of a sweep, or those that an earlier call did not come to.

    Args:
        sweep: What to try.
        data: Folder of labelled folders.
        unlabelled: Audio for what is learnt without labels.
        recording: Finds the recording in a file's name; by default as the recipe says.
        out: Folder for study, table, best recipe and picture; made where it is missing.
        jobs: Settings that are learnt at the same time.
        cache: Where results are kept.

    Raises:
        EdgeError: Bad arguments, no usable audio, a place that cannot be written to.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise InputError(
            f"--out: {out} cannot be made: {reason.strerror}", remedy="name another folder"
        ) from None
    check_folder("--out", out)
    trial, notes = find_trial(
        _of_frames(sweep),
        data=data,
        unlabelled=unlabelled,
        folds=sweep.spec.folds,
        fold_pattern=sweep.spec.fold_pattern,
        recording=recording,
        cache=cache,
    )
    for note in notes:
        tqdm.write(f"edge-build: note: {note}", file=sys.stderr)
    outcomes = search(sweep, trial, out=out, jobs=jobs, cache=cache)
    findings = Findings(sweep, tuple(outcomes), f"{last_name(data)}, {sweep.spec.folds}")
    findings.write(out)
    return findings


def _of_frames(sweep: Sweep) -> list[Recipe]:
    """Choose a recipe for each kind of frames: each must be able to use a clip.

    All have the seed of the recipe that nothing is varied in, so that the folds stay.
    """
    found: dict[tuple[int, bytes], Recipe] = {}
    for setting in sweep.settings:
        kind = (setting.recipe.sample_rate, msgspec.json.encode(setting.recipe.features))
        recipe = msgspec.structs.replace(setting.recipe, seed=sweep.base.recipe.seed)
        found.setdefault(kind, recipe)
    return list(found.values())

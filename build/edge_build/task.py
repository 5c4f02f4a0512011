"""The task that recipes and models are compared on: labelled clips, in folds."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from edge.errors import InputError
from edge_build.cache import Cache
from edge_build.dataset import Clip, find_labelled, find_unlabelled
from edge_build.evaluate import Trial, usable_trial
from edge_build.folds import folds_of
from edge_build.recipe import Recipe, one_group


def find_trial(
    recipes: Sequence[Recipe],
    *,
    data: Path,
    unlabelled: Sequence[Path],
    folds: str,
    fold_pattern: str,
    recording: str | None,
    cache: Cache,
) -> tuple[Trial, list[str]]:
    """Find clips, deal them into folds, and leave out what cannot be used.

    Args:
        recipes: Those that take part; the first one's seed deals.
        data: Folder of labelled folders.
        unlabelled: Audio for what recipes learn without labels.
        folds: A rule of `folds_of`.
        fold_pattern: Finds the fold in a file's name.
        recording: Finds the recording there; by default as the first recipe says.
        cache: Where results are kept.

    Returns:
        The trial, and notes on what was left out or made smaller, a line each.

    Raises:
        InputError: Bad arguments, too few clips, or a recording on both sides of a fold.
    """
    said = recording or next((r.recording for r in recipes if r.recording), None)
    clips, left_out = find_labelled(
        data, recording=one_group(said, where="--recording") if said else None
    )
    others = find_unlabelled(unlabelled)
    _refuse_twice(clips, others)
    clips, lonely = _without_lonely(clips)
    left_out = [*left_out, *lonely]
    pattern = one_group(fold_pattern, where="--fold-pattern")
    fold_of = folds_of(clips, folds, pattern, seed=recipes[0].seed if recipes else 1)
    few = _fewer_folds(folds, len(set(fold_of)))
    labels = tuple(sorted({clip.label for clip in clips if clip.label}))
    trial, notes = usable_trial(
        Trial(tuple(clips), tuple(fold_of), tuple(others), labels), recipes, cache, left_out
    )
    return trial, [*few, *notes]


def _without_lonely(clips: Sequence[Clip]) -> tuple[list[Clip], list[str]]:
    """Leave out classes of one recording: nothing of them is left to test on (section 4).

    Returns:
        The other clips, and a note on each class.
    """
    recordings: dict[str | None, set[str]] = defaultdict(set)
    for clip in clips:
        recordings[clip.label].add(clip.recording)
    lonely = sorted(label for label, found in recordings.items() if len(found) == 1 and label)
    notes = [f"{label}: is one recording, and is left out" for label in lonely]
    return [clip for clip in clips if clip.label not in lonely], notes


def _fewer_folds(rule: str, folds: int) -> list[str]:
    """Say where fewer folds were dealt than were asked for."""
    if not rule.isdigit() or folds == int(rule):
        return []
    return [f"--folds {rule}: {folds} folds were dealt; no class has more recordings"]


def _refuse_twice(clips: Sequence[Clip], unlabelled: Sequence[Clip]) -> None:
    """Refuse audio that is tested on, and learnt from without labels."""
    tested = {clip.sha256: clip for clip in clips}
    for clip in unlabelled:
        if clip.sha256 in tested:
            raise InputError(
                f"{clip.path} leaks: it is {tested[clip.sha256].name} of the test folds",
                remedy="take it out of --unlabelled",
            )

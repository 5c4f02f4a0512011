"""Which clips test a model that learnt from the others."""

import csv
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from edge.errors import InputError
from edge_build.dataset import Clip

FIRST_DIGIT = "first-digit"
HOLD_OUT = "80/20"
NEVER_TESTED = ""
"""The fold of clips that are only learnt from."""
DEFAULT_PATTERN = r"^(\d)-"


def folds_of(clips: Sequence[Clip], rule: str, pattern: re.Pattern[str], *, seed: int) -> list[str]:
    """Name each clip's fold.

    Args:
        clips: Labelled clips.
        rule: `first-digit` takes the fold from the file's name by `pattern`; a number k deals
            recordings into k folds, class by class; `80/20` tests on a fifth of the recordings of
            each class and learns from the others (the paper's split, section 4); `TABLE.csv:COLUMN`
            looks it up in a column of a table whose column `file` holds file names.
        pattern: Has one group, searched for in the file's name.
        seed: Of the dealing.

    Raises:
        InputError: A clip without a fold, a single fold, or a recording in several folds.
    """
    if rule == FIRST_DIGIT:
        folds = [_by_name(clip, pattern) for clip in clips]
    elif rule.isdecimal() and int(rule) >= 2:
        folds = _dealt(clips, int(rule), seed=seed)
    elif rule == HOLD_OUT:
        # The first of five: the others are never tested.
        dealt = _dealt(clips, 5, seed=seed)
        folds = [rule if fold == "1" else NEVER_TESTED for fold in dealt]
    elif ":" in rule:
        folds = _by_table(clips, rule)
    else:
        raise InputError(
            f"--folds {rule}: is no rule for folds",
            remedy=f"say {FIRST_DIGIT}, a number from 2 on such as 5, {HOLD_OUT}, or "
            "TABLE.csv:COLUMN",
        )
    _check(clips, folds, rule)
    return folds


def _by_name(clip: Clip, pattern: re.Pattern[str]) -> str:
    match = pattern.search(clip.path.name)
    if match is None:
        raise InputError(
            f"{clip.path}: its name has no fold: {pattern.pattern!r} does not match",
            remedy="give --fold-pattern a regular expression, or deal folds with --folds 5",
        )
    return match.group(1)


def _by_table(clips: Sequence[Clip], rule: str) -> list[str]:
    name, _, column = rule.rpartition(":")
    path = Path(name)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as reason:
        raise InputError(
            f"{path}: cannot be read: {reason.strerror}", remedy="name a CSV file before the colon"
        ) from None
    if not rows or "file" not in rows[0] or column not in rows[0]:
        raise InputError(
            f"{path}: lacks a column `file` or `{column}`",
            remedy=f"it has: {', '.join(rows[0]) if rows else 'nothing'}",
        )
    known = {row["file"]: row[column] for row in rows}
    folds = []
    for clip in clips:
        fold = known.get(clip.name, known.get(clip.path.name))
        if fold is None:
            raise InputError(f"{path}: says nothing of {clip.name}", remedy="add a row for it")
        folds.append(fold)
    return folds


def _dealt(clips: Sequence[Clip], k: int, *, seed: int) -> list[str]:
    """Deal recordings to the fold that has least of their class."""
    sizes: dict[tuple[str, str | None], int] = defaultdict(int)
    for clip in clips:
        sizes[clip.recording, clip.label] += 1
    generator = np.random.Generator(np.random.PCG64([seed, 4]))
    recordings = sorted({clip.recording for clip in clips})
    order = [recordings[i] for i in generator.permutation(len(recordings))]
    loads: list[Mapping[str | None, int]] = [defaultdict(int) for _ in range(k)]
    fold_of: dict[str, str] = {}
    for recording in order:
        held = {label: n for (name, label), n in sizes.items() if name == recording}
        fold = min(range(k), key=lambda i: (sum(loads[i][label] for label in held), i))
        fold_of[recording] = str(fold + 1)
        loads[fold] = defaultdict(
            int, {x: loads[fold][x] + held.get(x, 0) for x in {*loads[fold], *held}}
        )
    return [fold_of[clip.recording] for clip in clips]


def _check(clips: Sequence[Clip], folds: Sequence[str], rule: str) -> None:
    if len(set(folds)) < 2:
        raise InputError(
            f"--folds {rule}: all clips fall into one fold", remedy="there must be two or more"
        )
    first: dict[str, tuple[str, Clip]] = {}
    for clip, fold in zip(clips, folds, strict=True):
        other, earlier = first.setdefault(clip.recording, (fold, clip))
        if other != fold:
            raise InputError(
                f"recording {clip.recording} leaks: {earlier.name} is in fold {other}, "
                f"{clip.name} in fold {fold}",
                remedy="put clips of one recording into one fold, or deal them with --folds 5",
            )
    same: dict[str, tuple[str, Clip]] = {}
    for clip, fold in zip(clips, folds, strict=True):
        other, earlier = same.setdefault(clip.sha256, (fold, clip))
        if other != fold:
            raise InputError(
                f"{earlier.name} and {clip.name} are the same file in folds {other} and {fold}",
                remedy="take one of them out",
            )

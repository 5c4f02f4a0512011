"""Which recordings are learnt from, which say when to stop, and which are not heard at all."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.errors import InputError
from edge_build.dataset import Clip, recording_of
from edge_build.recipe_parts import StudentRecipe


@dataclass(frozen=True, slots=True)
class Split:
    """Clips in three parts, each of whole recordings."""

    teaching: tuple[Clip, ...]
    judging: tuple[Clip, ...]
    """Say when to stop; codebook and vectors have heard them."""
    held_out: tuple[Clip, ...]
    """What nothing has heard."""


def name_recordings(clips: Sequence[Clip], pattern: re.Pattern[str] | None) -> list[Clip]:
    """Find each clip's recording in its name; one whose name has none is one of its own."""
    if pattern is None:
        return list(clips)
    found = [recording_of(clip.path, pattern) for clip in clips]
    return [
        clip if group is None else replace(clip, recording=f"{clip.name.split('/')[0]}: {group}")
        for clip, group in zip(clips, found, strict=True)
    ]


def without_copies(clips: Sequence[Clip]) -> tuple[list[Clip], list[str]]:
    """Leave out files with the content of another, and say of which, a line each."""
    first: dict[str, Clip] = {}
    notes = []
    for clip in clips:
        same = first.setdefault(clip.sha256, clip)
        if same is not clip:
            notes.append(f"{clip.name}: is the same file as {same.name}")
    return list(first.values()), notes


def split_recordings(clips: Sequence[Clip], spec: StudentRecipe, *, seed: int) -> Split:
    """Deal whole recordings out by chance, so that each part holds its share of the clips.

    Args:
        clips: Usable clips.
        spec: Says the shares.
        seed: Of the order.

    Raises:
        InputError: Too few recordings for three parts.
    """
    recordings = sorted({clip.recording for clip in clips})
    if len(recordings) < _LEAST:
        raise InputError(
            f"{len(recordings)} recordings are too few: some are learnt from, some say when to "
            "stop, and on others the agreement with the teacher is measured",
            remedy=f"add audio until there are {_LEAST} recordings, or mend `recording` in the "
            "recipe if it joins too many",
        )
    generator = np.random.Generator(np.random.PCG64([seed, 4]))
    order = [recordings[i] for i in generator.permutation(len(recordings))]
    held = max(1, round(spec.held_out_share * len(order)))
    judged = max(1, round(spec.validation_share * (len(order) - held)))
    judged = min(judged, len(order) - held - 1)
    part_of = {name: min(2, (i >= held) + (i >= held + judged)) for i, name in enumerate(order)}
    parts = [tuple(c for c in clips if part_of[c.recording] == part) for part in range(3)]
    return Split(parts[2], parts[1], parts[0])


_LEAST = 5

"""The real audio that a conversion is calibrated and compared on."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from edge.table.text import as_text
from edge_build.dataset import Clip, find_unlabelled


@dataclass(frozen=True, slots=True)
class Audio:
    """Clips, dealt."""

    calibrated: tuple[Clip, ...]
    """What scales are found on, each folder in turn."""
    compared: tuple[Clip, ...]
    notes: tuple[str, ...]


def find_audio(data: Path, labels: Sequence[str], *, deal: bool) -> Audio:
    """Find audio; a clip in a folder that is called as a label has that label.

    Args:
        data: A folder, or one file.
        labels: What the model knows.
        deal: Whether calibration and comparison are to hear different clips.

    Raises:
        InputError: There is none.
    """
    clips, strangers = [], set()
    for clip in find_unlabelled([data]):
        place = clip.path.relative_to(data).parts[:-1] if data.is_dir() else ()
        folder = place[0] if place else None
        if folder is not None and folder not in labels:
            strangers.add(folder)
        clips.append(replace(clip, label=folder if folder in labels else None))
    notes = []
    if strangers and any(clip.label for clip in clips):
        named = ", ".join(as_text(name) for name in sorted(strangers)[:_MOST_NAMED])
        more = ", ..." if len(strangers) > _MOST_NAMED else ""
        notes.append(
            "no label of the model is called as these folders are, which count for no accuracy: "
            f"{named}{more}"
        )
    if not deal:
        return Audio(_in_turn(clips), tuple(clips), tuple(notes))
    # Of each folder every other clip, from the first on.
    calibrated, compared = [], []
    for group in _by_folder(clips):
        calibrated += group[1::2]
        compared += group[::2]
    if not calibrated:
        calibrated = list(compared)
        notes.append("calibrated on the clips it is compared on: there are no others")
    return Audio(_in_turn(calibrated), tuple(compared), tuple(notes))


def _by_folder(clips: Sequence[Clip]) -> list[list[Clip]]:
    groups: dict[Path, list[Clip]] = defaultdict(list)
    for clip in clips:
        groups[clip.path.parent].append(clip)
    return list(groups.values())


def _in_turn(clips: Sequence[Clip]) -> tuple[Clip, ...]:
    """Order clips so that any first few are of all folders."""
    rounds = zip_longest(*_by_folder(clips))
    return tuple(clip for turn in rounds for clip in turn if clip is not None)


_MOST_NAMED = 5

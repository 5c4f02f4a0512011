"""What a model learns from: labelled clips in folders, and audio without labels."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import InputError
from edge.model.folder import sha256_of
from edge.sources.file import SUFFIXES
from edge.table.text import as_text

BACKGROUND = "background"
"""The folder, or label, of what holds none of the labels."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One audio file."""

    path: Path
    name: str
    """Path below the folder it was found in, with `/`: the same wherever the data lies; as
    `as_text` writes it."""
    sha256: str
    label: str | None
    """Its folder's name; None for audio without labels."""
    recording: str
    """Clips with the same recording never stand on both sides of a split."""


def find_labelled(
    folder: Path, *, recording: re.Pattern[str] | None = None
) -> tuple[list[Clip], list[str]]:
    """Find the audio in the folders of `folder`, one folder a label, in order of their names.

    Args:
        folder: Holds `label/*.ogg|wav|flac|mp3`.
        recording: Has one group that names a clip's recording within its file name.

    Returns:
        good: The clips.
        bad: Why each of the other files is left out, a line each.

    Raises:
        InputError: No such folder, no audio in it, fewer than two labels, a label that cannot be
            written, or no name that `recording` matches.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: is not a folder", remedy="name a folder of folders of audio")
    good, bad = [], []
    labels = set()
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        for path in audio_below(place):
            labels.add(_label_of(place))
            name = as_text(path.relative_to(folder).as_posix())
            group = name if recording is None else recording_of(path, recording)
            if group is None:
                bad.append(f"{name}: its name has no recording")
            else:
                good.append(Clip(path, name, sha256_of(path), place.name, group))
    if not labels:
        raise InputError(
            f"{folder}: holds no audio in folders of its own",
            remedy=f"lay it out as {folder}/LABEL/clip.wav (or flac, ogg, mp3)",
        )
    if len(labels) < 2:
        raise InputError(
            f"{folder}: holds one class, {labels.pop()}; a model tells classes apart",
            remedy="add a second folder of audio, for instance background/",
        )
    if recording is not None and not good:
        raise InputError(
            f"{folder}: {recording.pattern!r} finds a recording in none of the {len(bad)} names, "
            f"such as {bad[0].partition(':')[0]}",
            remedy="mend `recording`, or rename the files",
        )
    return good, bad


def find_unlabelled(folders: Sequence[Path]) -> list[Clip]:
    """Find all audio below folders, or audio files named themselves, in order of their names.

    Raises:
        InputError: A path that is not there or holds no audio.
    """
    clips = []
    for folder in folders:
        found = list(audio_below(folder)) if folder.is_dir() else [folder]
        if not found or not found[0].is_file():
            raise InputError(
                f"{folder}: is not audio and holds none", remedy="name folders or files of audio"
            )
        for path in found:
            name = as_text(path.relative_to(folder.parent).as_posix())
            clips.append(Clip(path, name, sha256_of(path), None, name))
    return clips


def choose_clips(
    good: Sequence[Clip], left_out: Sequence[str]
) -> tuple[list[Clip], list[Clip], list[str]]:
    """Choose what can be learnt from among clips that were read.

    Args:
        good: Clips with labels and without.
        left_out: Why each of the other files is not among them, a line each.

    Returns:
        The clips with labels, those without, and notes on what is left out.

    Raises:
        InputError: Fewer than two classes are left.
    """
    notes = [f"left out: {line}" for line in left_out]
    if left_out:
        files = len(good) + len(left_out)
        notes.append(f"{len(left_out)} of {files} files left out in all")
    labelled, single = without_single_clips([clip for clip in good if clip.label is not None])
    notes += [f"class {label} is left out: it has one clip" for label in single]
    if len({clip.label for clip in labelled}) < 2:
        shown = [*notes[:_MOST_NOTES], *(["..."] if len(notes) > _MOST_NOTES else [])]
        raise InputError(
            "fewer than two classes have two or more usable clips each"
            + "".join(f"\n  {note}" for note in shown),
            remedy="add clips, or mend those that were left out",
        )
    return labelled, [clip for clip in good if clip.label is None], notes


def without_single_clips(clips: Sequence[Clip]) -> tuple[list[Clip], list[str]]:
    """Leave out classes of one clip, which cannot be both learnt and validated; name them."""
    counts = Counter(clip.label for clip in clips)
    single = sorted(label for label, count in counts.items() if label and count == 1)
    return [clip for clip in clips if clip.label not in single], single


def _label_of(folder: Path) -> str:
    """Return a folder's name as a label, which stands on a line of its own in UTF-8."""
    name = folder.name
    if _NOT_TEXT.search(name) or len(name.splitlines()) != 1 or name != name.strip():
        raise InputError(
            f"{as_text(str(folder))!r}: its name cannot be a label: it is not UTF-8, or holds a "
            "line break, or blanks at an end",
            remedy="rename the folder",
        )
    return name


def audio_below(folder: Path) -> Iterator[Path]:
    """Yield the audio files anywhere below a folder, in order of their names."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith("."):
            yield path


def recording_of(path: Path, pattern: re.Pattern[str]) -> str | None:
    """Find the recording in a file's name by a pattern of one group; None where there is none."""
    match = pattern.search(path.name)
    return match.group(1) if match else None


_MOST_NOTES = 10
_NOT_TEXT = re.compile("[\ud800-\udfff]")
"""Finds what stands for a byte that is not UTF-8."""

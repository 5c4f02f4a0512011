"""What a model learns from: labelled clips in folders, and audio without labels."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import InputError
from edge.model.folder import sha256_of
from edge.sources.file import SUFFIXES


@dataclass(frozen=True, slots=True)
class Clip:
    """One audio file."""

    path: Path
    name: str
    """Path below the folder it was found in, with `/`: the same wherever the data lies."""
    sha256: str
    label: str | None
    """Its folder's name; None for audio without labels."""
    recording: str
    """Clips with the same recording never stand on both sides of a split."""


def find_labelled(folder: Path, *, recording: re.Pattern[str] | None = None) -> list[Clip]:
    """Find the audio in the folders of `folder`, one folder a label, in order of their names.

    Args:
        folder: Holds `label/*.ogg|wav|flac|mp3`.
        recording: Has one group that names a clip's recording within its file name.

    Raises:
        InputError: No such folder, no audio in it, fewer than two labels, or a name that
            `recording` does not match.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: is not a folder", remedy="name a folder of folders of audio")
    clips = []
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        for path in _audio_below(place):
            name = path.relative_to(folder).as_posix()
            group = _recording_of(path, name, recording)
            clips.append(Clip(path, name, sha256_of(path), place.name, group))
    labels = {clip.label for clip in clips}
    if not clips:
        raise InputError(
            f"{folder}: holds no audio in folders of its own",
            remedy=f"lay it out as {folder}/LABEL/clip.wav (or flac, ogg, mp3)",
        )
    if len(labels) < 2:
        raise InputError(
            f"{folder}: holds one class, {clips[0].label}; a model tells classes apart",
            remedy="add a second folder of audio, for instance background/",
        )
    return clips


def find_unlabelled(folders: Sequence[Path]) -> list[Clip]:
    """Find all audio below folders, or audio files named themselves, in order of their names.

    Raises:
        InputError: A path that is not there or holds no audio.
    """
    clips = []
    for folder in folders:
        found = list(_audio_below(folder)) if folder.is_dir() else [folder]
        if not found or not found[0].is_file():
            raise InputError(
                f"{folder}: is not audio and holds none", remedy="name folders or files of audio"
            )
        for path in found:
            name = path.relative_to(folder.parent).as_posix()
            clips.append(Clip(path, name, sha256_of(path), None, name))
    return clips


def without_single_clips(clips: Sequence[Clip]) -> tuple[list[Clip], list[str]]:
    """Leave out classes of one clip, which cannot be both learnt and validated; name them."""
    counts = Counter(clip.label for clip in clips)
    single = sorted(label for label, count in counts.items() if label and count == 1)
    return [clip for clip in clips if clip.label not in single], single


def _audio_below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith("."):
            yield path


def _recording_of(path: Path, name: str, pattern: re.Pattern[str] | None) -> str:
    if pattern is None:
        return name
    match = pattern.search(path.name)
    if match is None:
        raise InputError(
            f"{path}: its name has no recording: {pattern.pattern!r} does not match",
            remedy="rename it, or mend `recording` in the recipe",
        )
    return match.group(1)

"""Recordings and what label files say of them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

from edge.errors import InputError
from edge.model.folder import sha256_of
from edge.table.text import as_text
from edge_build.dataset import BACKGROUND, Clip, audio_below, recording_of
from edge_build.labels.audio import AudioIndex
from edge_build.labels.files import read_label_files
from edge_build.labels.marks import LabelFile, Mark


class Event(NamedTuple):
    """A stretch of a recording that holds a label."""

    start_us: int
    """Microseconds from the recording's start."""
    end_us: int
    """At `start_us` or later."""
    label: str
    """Empty where something is there of which nobody knows what it is."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A recording and what is in it."""

    clip: Clip
    """Without a label of its own."""
    events: tuple[Event, ...]
    """In order, none twice."""


@dataclass(slots=True)
class _Found:
    """What was gathered on the way."""

    events: dict[Path, set[Event]] = field(default_factory=lambda: defaultdict(set))
    absent: dict[str, str] = field(default_factory=dict)
    """Recordings that were not found: what they are called, and why."""
    rows: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Rows that are lost with each of them."""
    repeated: int = 0
    odd: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Rows that say something that cannot be, by what is wrong: where they are."""


def find_recordings(
    data: Path,
    label_files: Sequence[Path],
    *,
    column: str | None = None,
    recording: re.Pattern[str] | None = None,
) -> tuple[list[Labelled], list[str]]:
    """Find the recordings that label files speak of, and what these say.

    Args:
        data: Folder that the recordings are below.
        label_files: Files, and folders of them.
        column: Holds the labels of Raven's tables; None to choose.
        recording: Has one group that names a file's recording within its name.

    Returns:
        The recordings in order of their names, and notes on what was left out or chosen.

    Raises:
        InputError: A label file that is none, audio that is not there, or no event with a label.
    """
    if not data.is_dir():
        raise InputError(f"{data}: is not a folder", remedy="name the folder of the recordings")
    paths = list(audio_below(data))
    if not paths:
        raise InputError(
            f"{data}: holds no audio", remedy="name the folder of the recordings by --data"
        )
    files, others = read_label_files(label_files, column=column)
    found = _gather(files, AudioIndex(data, paths))
    _check_folders(data, paths, {e.label for events in found.events.values() for e in events})
    labelled, left_out = [], []
    for path in sorted(found.events):
        name = as_text(path.relative_to(data).as_posix())
        group = name if recording is None else recording_of(path, recording)
        if group is None:
            left_out.append(f"left out: {name}: its name has no recording")
            continue
        clip = Clip(path, name, sha256_of(path), None, group)
        labelled.append(Labelled(clip, tuple(sorted(found.events[path]))))
    labelled, twins = _without_twins(labelled)
    notes = [*left_out, *twins, *_notes(found, files, others)]
    unheard = len(paths) - len(found.events)
    if unheard:
        notes.append(
            f"no label file speaks of {unheard} of {len(paths)} audio files: they are "
            "not learnt from; an empty label track says that nothing is in a recording"
        )
    if not any(event.label not in ("", BACKGROUND) for one in labelled for event in one.events):
        shown = "".join(f"\n  {note}" for note in notes[:_MOST_SHOWN])
        raise InputError(
            f"the label files give no recording in {data} a label{shown}",
            remedy="see that --data holds the recordings that the files speak of, and that the "
            "files have rows with labels",
        )
    return labelled, notes


def _gather(files: Sequence[LabelFile], index: AudioIndex) -> _Found:
    found = _Found()
    for file in files:
        places: dict[str, Path | None] = {}
        for name in file.listed:
            path, trouble = index.named(name) if name else index.beside(file.path)
            places[name] = path
            if path is None:
                called = as_text(name or file.path.name)
                found.absent[called] = trouble
            else:
                found.events.setdefault(path, set())
        for mark in file.marks:
            path = places[mark.audio]
            if path is None:
                found.rows[as_text(mark.audio or file.path.name)] += 1
                continue
            event = _event_of(mark, file.path, found.odd)
            found.repeated += event in found.events[path]
            found.events[path].add(event)
    return found


def _event_of(mark: Mark, path: Path, odd: Mapping[str, list[str]]) -> Event:
    """Make an event of a row; one that cannot be true says that nobody knows what is there."""
    start, end = (round(1e6 * value) for value in (mark.start_s, mark.end_s))
    label = normalize("NFC", mark.label)
    where = f"{as_text(path.name)}, line {mark.line}"
    if start < 0 or end < 0:
        odd["begin before the recording does"].append(where)
        label = ""
    elif end < start:
        odd["end before they begin"].append(where)
        label = ""
    elif not label:
        odd["have no label"].append(where)
    elif len(label.splitlines()) != 1 or not label.isprintable():
        odd["have a label that cannot be printed"].append(where)
        label = ""
    return Event(max(0, min(start, end)), max(0, start, end), label)


def _check_folders(data: Path, paths: Iterable[Path], labels: set[str]) -> None:
    """Refuse clips in folders named by their label: they would be learnt as what they are not."""
    folders = {path.relative_to(data).parts[0] for path in paths if path.parent != data}
    both = sorted({normalize("NFC", name) for name in folders} & ({*labels, BACKGROUND} - {""}))
    if both:
        raise InputError(
            f"{data}: {', '.join(as_text(name) for name in both[:3])}: a folder called by a label "
            "holds clips of it; those are learnt without --labels",
            remedy="train on such folders and on label files each by its own command, or move the "
            "folder out of --data, or rename it if it is a place or a day",
        )


def _without_twins(labelled: Sequence[Labelled]) -> tuple[list[Labelled], list[str]]:
    """Leave out recordings that are the same: all but the first, or all where labels differ."""
    same: dict[str, list[Labelled]] = defaultdict(list)
    for one in labelled:
        same[one.clip.sha256].append(one)
    kept, notes = [], []
    for one in labelled:
        first, *others = same[one.clip.sha256]
        if len({other.events for other in (first, *others)}) > 1:
            twin = first if one is not first else others[0]
            notes.append(
                f"left out: {one.clip.name}: is the same file as {twin.clip.name}, with other "
                "labels"
            )
        elif one is not first:
            notes.append(f"left out: {one.clip.name}: is the same file as {first.clip.name}")
        else:
            kept.append(one)
    return kept, notes


def _notes(found: _Found, files: Sequence[LabelFile], others: Sequence[str]) -> list[str]:
    notes = []
    for name, trouble in sorted(found.absent.items())[:_MOST_SHOWN]:
        notes.append(f"left out: {name} ({found.rows[name]} rows): {trouble}")
    if found.absent:
        every = len(found.absent) + len(found.events)
        notes.append(
            f"{len(found.absent)} of {every} recordings in the label files were not found: their "
            "rows are lost, and no others"
        )
    for wrong, places in found.odd.items():
        notes.append(
            f"{len(places)} rows {wrong}: windows that they touch are left out; mend "
            + _some(places)
        )
    if found.repeated:
        notes.append(f"{found.repeated} rows say what another row has said, and count once")
    empty = [as_text(file.path.name) for file in files if not file.marks]
    if empty:
        notes.append(
            f"{len(empty)} label files have no marks: none of the labels is in their recordings "
            f"({_some(empty)})"
        )
    if others:
        notes.append(f"{len(others)} text files hold no labels: {_some(others)}")
    chosen: dict[str, list[str]] = defaultdict(list)
    for file in files:
        if file.remark:
            chosen[file.remark].append(as_text(file.path.name))
    notes += [f"{_some(names)}: {remark}" for remark, names in chosen.items()]
    labels = {event.label for events in found.events.values() for event in events if event.label}
    return [*notes, *_lookalikes(labels)]


def _lookalikes(labels: Iterable[str]) -> list[str]:
    """Name labels that differ in capitals alone, which may be one."""
    same: dict[str, list[str]] = defaultdict(list)
    for label in sorted(labels):
        same[label.casefold()].append(label)
    return [
        f"{' and '.join(names)} are taken for different labels: if they are one, write them alike"
        for names in same.values()
        if len(names) > 1
    ]


def _some(names: Sequence[str]) -> str:
    shown = "; ".join(names[:_MOST_NAMED])
    more = len(names) - _MOST_NAMED
    return f"{shown}; and {more} more" if more > 0 else shown


_MOST_NAMED = 3
_MOST_SHOWN = 10

"""From recordings whose labels have times to examples, and how they are dealt into folds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.contracts import FRAME_SECONDS, MIN_TAIL_SECONDS
from edge.errors import InputError
from edge_build.custom.examples import EmbeddingStore, Examples
from edge_build.dataset import BACKGROUND, Clip
from edge_build.labels.grid import Placed, place_events
from edge_build.labels.recordings import Labelled

LEAST_WINDOWS = 2
"""Windows of a label below which it is left out."""
LEAST_FOR_TOKENS = 4
"""Recordings that tokens can be learnt from."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What label files came to."""

    events: Mapping[str, int]
    """Of each label."""
    unclear: int
    """Windows that nothing is learnt from."""


def marked_examples(
    labelled: Sequence[Labelled], store: EmbeddingStore
) -> tuple[Examples, Tally, list[str]]:
    """Give each window of each recording the labels of the events in it.

    Args:
        labelled: Recordings with embeddings in the store.
        store: Has looked at every window.

    Returns:
        The windows, counts, and notes on what was left out.

    Raises:
        InputError: No label is in two windows, or all windows hold the same.
    """
    labels, placed, notes = _place(labelled, store)
    rows, truth, numbers, unclear = [], [], [], 0
    for number, (one, there) in enumerate(zip(labelled, placed, strict=True)):
        starts, embeddings = store.windows(one.clip)
        windows = np.round(starts / FRAME_SECONDS).astype(np.intp)
        clear = ~there.unclear[windows]
        unclear += int((~clear).sum())
        rows.append(embeddings[clear])
        truth.append(there.truth[windows[clear]])
        numbers.append(np.full(int(clear.sum()), number, dtype=np.intp))
    clips = np.concatenate(numbers)
    examples = Examples(
        np.concatenate(rows),
        np.concatenate(truth),
        clips,
        tuple(labelled[number].clip.recording for number in clips),
        labels,
        marked=True,
    )
    if examples.truth.all():
        raise InputError(
            f"every window holds {' and '.join(labels[:3])}: there is nothing to tell "
            f"{'it' if len(labels) == 1 else 'them'} from",
            remedy="add recordings, or stretches of them, without; an empty label track says that "
            "nothing is in a recording",
        )
    events = Counter(event.label for one in labelled for event in one.events)
    return examples, Tally({label: events[label] for label in labels}, unclear), notes


def deal_recordings(examples: Examples, *, most: int, seed: int) -> NDArray[np.intp]:
    """Deal recordings into folds, those of the rarest labels first, where least of them is.

    A recording all of whose labels are in no other is always learnt from.

    Args:
        examples: Windows of recordings that hold several labels each.
        most: Folds, at most.
        seed: Of the order.

    Returns:
        The fold of each window, -1 for none [shape=(n,)].
    """
    names, numbers = np.unique(np.array(examples.recordings), return_inverse=True)
    amounts = np.zeros((len(names), len(examples.labels) + 1))
    nothing = ~examples.truth.any(axis=1, keepdims=True)
    np.add.at(amounts, numbers, np.concatenate([examples.truth, nothing], axis=1))
    amounts /= np.maximum(1.0, amounts.sum(axis=0))
    holds = amounts[:, :-1] > 0
    spread = holds.sum(axis=0)
    dealt = (holds & (spread > 1)).any(axis=1) | ~holds.any(axis=1)
    found = np.full(len(names), -1, dtype=np.intp)
    k = min(most, int(spread.max()), int(dealt.sum()))
    if k > 1:
        # What is in every second recording is dealt evenly by itself.
        rarity = np.where(holds & (spread > 1), spread, len(names) + 1).min(axis=1)
        order = np.random.Generator(np.random.PCG64([seed, 5])).permutation(len(names))
        loads = np.zeros((k, amounts.shape[1]))
        for recording in sorted(order[dealt[order]], key=lambda one: int(rarity[one])):
            rarest = np.append(holds[recording] & (spread == rarity[recording]), False)
            burdens = [(load[rarest].sum(), load @ (amounts[recording] > 0)) for load in loads]
            fold = min(range(k), key=burdens.__getitem__)
            found[recording] = fold
            loads[fold] += amounts[recording]
    return found[numbers]


def two_classes(clips: Sequence[Clip]) -> list[Clip]:
    """Give recordings classes of no meaning, so that tokens can be learnt from them.

    Training ends with a head for classes of whole clips. It is thrown away: what matters of it is
    that it can be trained.

    Raises:
        InputError: There are too few.
    """
    if len(clips) < LEAST_FOR_TOKENS:
        raise InputError(
            f"tokens are learnt from {LEAST_FOR_TOKENS} recordings or more, and there are "
            f"{len(clips)}",
            remedy="name another --base, such as birdnet-v2.4, or label more recordings",
        )
    return [
        replace(clip, label=f"{number % 2}", recording=clip.name)
        for number, clip in enumerate(clips)
    ]


def _place(
    labelled: Sequence[Labelled], store: EmbeddingStore
) -> tuple[tuple[str, ...], list[Placed], list[str]]:
    """Place all events; leave out labels that hardly any window holds."""
    events = {event.label for one in labelled for event in one.events}
    labels = tuple(sorted(events - {"", BACKGROUND}))
    notes: list[str] = []
    while True:
        placed = [_placed(one, labels, store) for one in labelled]
        counts = sum(
            (there.truth[~there.unclear].sum(axis=0) for there in placed),
            start=np.zeros(len(labels), dtype=np.intp),
        )
        few = [label for label, n in zip(labels, counts, strict=True) if n < LEAST_WINDOWS]
        if not few:
            break
        # Without a label, what it was alone with is unclear, and another label may be rarer.
        notes += [
            f"label {label} is left out: it is in {n} windows; add recordings of it"
            for label, n in zip(labels, counts, strict=True)
            if n < LEAST_WINDOWS
        ]
        labels = tuple(label for label in labels if label not in few)
    wrong = [*notes, *_misplaced(labelled, placed), *_unheard(labelled, store)]
    if not labels:
        raise InputError(
            "no label is in two windows" + "".join(f"\n  {note}" for note in wrong[:_MOST_SHOWN]),
            remedy="label more recordings, or see that each label file is that of its recording",
        )
    return labels, placed, wrong


def _placed(one: Labelled, labels: Sequence[str], store: EmbeddingStore) -> Placed:
    starts, _ = store.windows(one.clip)
    windows = round(float(starts[-1]) / FRAME_SECONDS) + 1
    length_s = store.length_s(one.clip)
    return place_events(one.events, labels, windows=windows, length_s=length_s)


def _misplaced(labelled: Sequence[Labelled], placed: Sequence[Placed]) -> list[str]:
    """Tell of events where the recording is not, or too short."""
    notes = []
    for what, counts in (
        (
            "begin where their recording has ended, and are left out; the label file may be of "
            "another recording, or count its times from another start",
            [there.beyond for there in placed],
        ),
        ("end later than their recording, and end with it", [there.cut for there in placed]),
        (
            "are in the end of a recording that is too short for a window",
            [there.lost for there in placed],
        ),
    ):
        names = [one.clip.name for one, n in zip(labelled, counts, strict=True) if n]
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            notes.append(f"{sum(counts)} events {what}: {names[0]}{more}")
    return notes


def _unheard(labelled: Sequence[Labelled], store: EmbeddingStore) -> list[str]:
    """Tell of windows that the base has no embedding of."""
    missing = {}
    for one in labelled:
        rest_s = store.length_s(one.clip) % FRAME_SECONDS
        whole = int(store.length_s(one.clip) // FRAME_SECONDS) + (rest_s >= MIN_TAIL_SECONDS)
        missing[one.clip.name] = whole - len(store.windows(one.clip)[0])
    names = [name for name, count in missing.items() if count > 0]
    if not names:
        return []
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return [
        f"{sum(missing[name] for name in names)} windows have samples that are missing or no "
        f"numbers, and are left out: {names[0]}{more}"
    ]


_MOST_SHOWN = 10

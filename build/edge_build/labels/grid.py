"""Which 5 s windows of a recording hold which label."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.contracts import FRAME_SECONDS
from edge_build.dataset import BACKGROUND
from edge_build.labels.recordings import Event

LEAST_SECONDS = 0.5
"""How much of an event a window must hold, if it does not hold half of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """What the windows of a recording hold."""

    truth: NDArray[np.bool_]
    """[shape=(windows, n_labels)]"""
    unclear: NDArray[np.bool_]
    """Windows that nothing can be learnt from [shape=(windows,)]."""
    beyond: int
    """Events that begin where the recording has ended."""
    cut: int
    """Events that end later than the recording, by more than what rounding explains."""
    lost: int
    """Events in an end of the recording that is too short for a window."""


def place_events(
    events: Iterable[Event], labels: Sequence[str], *, windows: int, length_s: float
) -> Placed:
    """Find the windows that hold each event.

    Windows follow one another from the recording's start. A window holds a label if `LEAST_SECONDS`
    of an event, or half of it, lie in it: so each event is in one window at least. A window that an
    event only touches, and that holds no other, has neither a label nor none: it is unclear, as is
    one that is touched by what has no label.

    Args:
        events: Of one recording.
        labels: Those to look for; an event of another one makes its windows unclear, but for
            `BACKGROUND`, which says that nothing is there.
        windows: How many there are.
        length_s: Of the recording.
    """
    columns = {label: number for number, label in enumerate(labels)}
    truth = np.zeros((windows, len(labels)), dtype=np.bool_)
    touched = np.zeros(windows, dtype=np.bool_)
    unknown = np.zeros(windows, dtype=np.bool_)
    end_us = round(1e6 * length_s)
    beyond = cut = lost = 0
    for event in events:
        if event.label == BACKGROUND:
            continue
        if event.start_us >= end_us:
            beyond += 1
            continue
        cut += event.end_us > end_us + _SLACK_US
        start_us, last_us = event.start_us, min(event.end_us, end_us)
        first = start_us // _WINDOW_US
        after = max(start_us, last_us - 1) // _WINDOW_US + 1
        lost += first >= windows
        for window in range(first, min(after, windows)):
            border_us = window * _WINDOW_US
            part_us = min(last_us, border_us + _WINDOW_US) - max(start_us, border_us)
            touched[window] = True
            if event.label not in columns:
                unknown[window] = True
            elif part_us >= _LEAST_US or 2 * part_us >= last_us - start_us:
                truth[window, columns[event.label]] = True
    unclear = unknown | (touched & ~truth.any(axis=1))
    return Placed(truth, unclear, beyond, cut, lost)


_WINDOW_US = round(1e6 * FRAME_SECONDS)
_LEAST_US = round(1e6 * LEAST_SECONDS)
_SLACK_US = 40_000

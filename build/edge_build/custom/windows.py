"""Which 5 s of a clip to learn from: those with the most sound."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.contracts import FRAME_SECONDS, FloatArray

MOST_WINDOWS = 6
"""Windows of one clip, at most."""

_HOPS = 10
"""Half seconds of a window; windows begin on them."""
_HOP_SECONDS = FRAME_SECONDS / _HOPS
_LEAST_SHARE = 0.1
"""Of the loudest window's energy: a window with less, 10 dB below, may hold the background alone.
"""
_SILENCE = 1e-10
"""Energy of half a second, full scale being 1, up to which it is taken for silence."""


def energies(blocks: Iterable[FloatArray], *, sample_rate_hz: int) -> NDArray[np.float64]:
    """Measure the energy of each half second, without what is constant in it.

    Args:
        blocks: A clip's samples [shape=(n,)], whole windows of them in all.
        sample_rate_hz: Their rate.

    Returns:
        float64 [shape=(half_seconds,)], the variance of each.
    """
    hop = round(_HOP_SECONDS * sample_rate_hz)
    found = [np.var(part.astype(np.float64)) for part in _cut(blocks, hop)]
    return np.array(found)


def loudest_windows(energy: NDArray[np.float64], *, most: int = MOST_WINDOWS) -> list[int]:
    """Choose windows that do not overlap, the loudest first; of equals the earliest.

    Args:
        energy: Of `energies`; a window or more.
        most: Windows, at most.

    Returns:
        The half second that each begins at, ascending; empty where all is silence.
    """
    if float(np.max(energy)) <= _SILENCE:
        return []
    sums = np.convolve(energy, np.ones(_HOPS), mode="valid")
    least = _LEAST_SHARE * sums.max()
    chosen: list[int] = []
    for start in np.argsort(-sums, kind="stable"):
        if len(chosen) == most or sums[start] < least:
            break
        if all(abs(int(start) - other) >= _HOPS for other in chosen):
            chosen.append(int(start))
    return sorted(chosen)


def cut_windows(
    blocks: Iterable[FloatArray], starts: Sequence[int], *, sample_rate_hz: int, after_s: float
) -> Iterator[FloatArray]:
    """Cut windows out of a clip, with what follows them where there is more.

    Args:
        blocks: The clip's samples.
        starts: Of `loudest_windows`.
        sample_rate_hz: Of the samples.
        after_s: How much follows a window, in seconds: a model whose clips reach over its end
            hears on, as it would in a recording.

    Yields:
        Samples of each window [shape=(n,)], in order.
    """
    hop = round(_HOP_SECONDS * sample_rate_hz)
    reach = _HOPS + int(np.ceil(after_s / _HOP_SECONDS))
    held: dict[int, list[FloatArray]] = {start: [] for start in starts}
    for number, part in enumerate(_cut(blocks, hop)):
        for start in list(held):
            if start <= number < start + reach:
                held[start].append(part)
            if number == start + reach - 1:
                yield np.concatenate(held.pop(start))
    for parts in held.values():
        yield np.concatenate(parts)


def start_seconds(start: int) -> float:
    """Return where a window begins, in seconds from the clip's start."""
    return start * _HOP_SECONDS


def _cut(blocks: Iterable[FloatArray], size: int) -> Iterator[FloatArray]:
    """Cut a stream into runs of `size` samples; what is left at the end is left out."""
    rest = np.empty(0, dtype=np.float32)
    for block in blocks:
        rest = np.concatenate([rest, block])
        whole = len(rest) // size
        for number in range(whole):
            yield rest[number * size : (number + 1) * size]
        rest = rest[whole * size :]

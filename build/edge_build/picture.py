"""Pictures of a recording and what a model made of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.contracts import FRAME_SECONDS, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """One recording on its way through an STSG model."""

    title: str
    samples: FloatArray
    """[shape=(n,)]"""
    sample_rate_hz: int
    tokens: NDArray[np.int32]
    """[shape=(frames,)]"""
    labels: Sequence[str]
    scores: NDArray[np.float64]
    """[shape=(windows, labels)]"""
    events: Sequence[tuple[str, float, float, float, float]]
    """What is known to be in it: label, start and end in s, lower and upper edge in Hz."""


def draw_portrait(portrait: Portrait, path: Path) -> None:
    """Draw spectrogram, token track and predictions, one below the other, into a PNG."""
    import matplotlib as mpl  # noqa: PLC0415 (heavy)

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    seconds = len(portrait.samples) / portrait.sample_rate_hz
    figure, (sound, track, judged) = plt.subplots(
        3, 1, figsize=(14, 10), sharex=True, height_ratios=[4, 2, 4], layout="constrained"
    )
    sound.specgram(
        portrait.samples + 1e-6,
        NFFT=1024,
        noverlap=512,
        Fs=portrait.sample_rate_hz,
        cmap="magma",
        vmin=-120,
        vmax=-30,
    )
    for label, start_s, end_s, low_hz, high_hz in portrait.events:
        box = Rectangle(
            (start_s, low_hz),
            end_s - start_s,
            high_hz - low_hz,
            fill=False,
            edgecolor="white",
            lw=0.8,
        )
        sound.add_patch(box)
        sound.annotate(label, (start_s, high_hz), color="white", fontsize=7, va="bottom")
    sound.set(title=f"{portrait.title}: what was played", ylabel="frequency (Hz)")

    frame_s = seconds / len(portrait.tokens)
    track.scatter(
        (np.arange(len(portrait.tokens)) + 0.5) * frame_s,
        portrait.tokens,
        c=portrait.tokens,
        cmap="turbo",
        s=6,
    )
    track.set(title="tokens, one each 0.125 s", ylabel="token number")

    windows = len(portrait.scores)
    image = judged.imshow(
        portrait.scores.T,
        aspect="auto",
        origin="lower",
        cmap="viridis",
        vmin=0,
        vmax=1,
        extent=(0, windows * FRAME_SECONDS, -0.5, len(portrait.labels) - 0.5),
        interpolation="nearest",
    )
    for label, start_s, end_s, _, _ in portrait.events:
        if label in portrait.labels:
            row = portrait.labels.index(label)
            judged.plot([start_s, end_s], [row, row], color="white", lw=2)
    judged.set(
        title="what was heard: probability in each 5 s window (white: when it was played)",
        xlabel="time (s)",
        xlim=(0, seconds),
        yticks=range(len(portrait.labels)),
        yticklabels=portrait.labels,
    )
    figure.colorbar(image, ax=judged, label="probability")
    figure.savefig(path, dpi=110)
    plt.close(figure)

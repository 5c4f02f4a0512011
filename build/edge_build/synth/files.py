"""Renderings on disk: folders of labelled clips, and recordings named as a recorder names them.

The samples are written without loss. The bytes of a FLAC file also depend on the libFLAC at hand.
"""

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import soundfile

from .scene import (
    CLASSES,
    DEFAULT_SCENE,
    Recording,
    Scene,
    render_clip,
    render_recording,
    to_pcm16,
)

TRUTH_NAME = "truth.csv"
TRUTH_HEADER = ("filename", "start", "end", "label", "snr_db")

# Two sets of seeds s and s + 1 share nothing up to this many files.
_SEEDS_A_SET = 1_000_000


def write_training_set(
    folder: Path,
    clips_per_label: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
    *,
    scene: Scene = DEFAULT_SCENE,
) -> list[Path]:
    """Write `folder/<label>/<label>-0001.flac` and so on: 5 s, mono, 16 bits.

    Args:
        folder: made where it is missing; files of the same name are replaced.
        clips_per_label: clips for each of CLASSES.
        seed: clip number i of any label is `render_clip(label, seed * 1_000_000 + i)`.
        progress: called with (clips written, clips in all) after each clip.
        scene: what is drawn from.

    Returns:
        The files, label by label.
    """
    written: list[Path] = []
    for label in CLASSES:
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(1, clips_per_label + 1):
            samples, _ = render_clip(label, seed * _SEEDS_A_SET + number, scene=scene)
            path = folder / label / f"{label}-{number:04d}.flac"
            soundfile.write(path, to_pcm16(samples), scene.sample_rate_hz, subtype="PCM_16")
            written.append(path)
            if progress is not None:
                progress(len(written), clips_per_label * len(CLASSES))
    return written


def recording_name(site: str, started_at: datetime) -> str:
    """Name a recording as a Song Meter set to UTC does: `SITE_YYYYMMDD_HHMMSS.wav`.

    Raises:
        ValueError: `started_at` has no time zone.
    """
    if started_at.tzinfo is None:
        raise ValueError(f"start {started_at} has no time zone: give tzinfo, for example UTC")
    return f"{site}_{started_at.astimezone(UTC):%Y%m%d_%H%M%S}.wav"


def write_recordings(
    folder: Path,
    count: int,
    seed: int,
    start: datetime,
    site: str = "DEMO01",
    *,
    interval_s: int = 60,
    scene: Scene = DEFAULT_SCENE,
) -> list[Recording]:
    """Write one-minute recordings, and `truth.csv` beside them.

    The table has a row for each event, in order: filename, start and end in seconds from the start
    of the file, label, snr_db. A recording without an event has no row.

    Args:
        folder: made where it is missing; files of the same name are replaced.
        count: number of recordings.
        seed: recording number i, from 1, is `render_recording(seed * 1_000_000 + i)`.
        start: when the first starts; any time zone.
        site: prefix of the names.
        interval_s: from one start to the next, in seconds.
        scene: what is drawn from.

    Returns:
        The recordings, in the order of their names.

    Raises:
        ValueError: `start` has no time zone, or `interval_s` is below 1 s: names would clash.
    """
    if interval_s < 1:
        raise ValueError(f"interval_s is {interval_s}: names tell seconds apart, use at least 1")
    names = [
        recording_name(site, start + timedelta(seconds=interval_s * number))
        for number in range(count)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    recordings: list[Recording] = []
    with (folder / TRUTH_NAME).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(TRUTH_HEADER)
        for number, name in enumerate(names, start=1):
            recording = render_recording(seed * _SEEDS_A_SET + number, scene=scene)
            pcm = to_pcm16(recording.samples)
            soundfile.write(folder / name, pcm, recording.sample_rate_hz, subtype="PCM_16")
            for event in recording.events:
                times = (f"{event.start_s:.3f}", f"{event.end_s:.3f}")
                table.writerow((name, *times, event.label, f"{event.snr_db:g}"))
            recordings.append(recording)
    return recordings

"""Calls over backgrounds, with the truth of what sounds when: clips and one-minute recordings.

How loud a call is: the signal-to-noise ratio compares, both within the voice's own band, the mean
power of the call over its active blocks with the mean power of the background from the start to
the end of the event. Blocks last 5 ms and are active when they hold at least 1 % of the power of
the loudest. Other calls do not count as noise. In-band, a hoot in a gale and a cricket in a gale
are equally hard to hear at equal SNR; broadband, the gale would decide nothing but the level.

How reproducible it is: rendering ends with rounding to 16-bit steps. Before that, processors and
versions of NumPy differ in the last bits of `exp`, sums and filters; phases are summed in whole
numbers so that this does not grow. A sample comes out different only where it lies that close to a
rounding border. Measured on x86-64, AVX-512 against plain SSE and NumPy 2.4 with SciPy 1.17 against
1.26 with 1.11: at most 4e-16 of full scale before rounding, which should change one sample in some
millions of minutes, and all of 196 renderings equal. Other architectures (fused multiply-add) are
expected to be as close, but were not measured: very likely the same samples everywhere, no proof.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .backgrounds import BACKGROUNDS, render_background
from .draws import between, count, pick, pick_distinct, stream
from .tones import Floats, band_pass, decibels, seconds_to_samples
from .voices import VOICES, Individual, Voice

SAMPLE_RATE_HZ = 32_000
LOWEST_SAMPLE_RATE_HZ = 24_000
WINDOW_S = 5.0
BACKGROUND = "background"
LABELS: tuple[str, ...] = tuple(sorted(VOICES))
"""The voices, sorted: the columns of `truth`."""
CLASSES: tuple[str, ...] = (BACKGROUND, *LABELS)
"""What `render_clip` renders: `background` first, then LABELS."""

_BLOCK_S = 0.005
_ACTIVE_SHARE = 0.01
_HIGHEST_PEAK = 0.9
_FULL_SCALE = 32_768
_QUANTISATION_POWER = 1.0 / (12.0 * _FULL_SCALE**2)
_SHORTEST_TAIL_S = 1.0

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Event:
    """One call in a rendering.

    Attributes:
        label: the voice.
        start_s: start of the first active block, in seconds from the start of the rendering.
        end_s: end of the last active block, in the same seconds.
        snr_db: signal-to-noise ratio in the voice's band, as the module defines it.
        low_hz: lower edge of the voice's band in Hz.
        high_hz: upper edge of the voice's band in Hz.
    """

    label: str
    start_s: float
    end_s: float
    snr_db: float
    low_hz: float
    high_hz: float


@dataclass(frozen=True)
class Scene:
    """What a rendering draws from.

    Attributes:
        sample_rate_hz: at least 24 000 Hz, so that every voice lies below half of it.
        snrs_db: the signal-to-noise ratios in dB, each as likely.
        backgrounds: keys of BACKGROUNDS, each as likely.
        voices: the labels that may sing in a recording.

    Raises:
        ValueError: the rate is too low, a list is empty or holds an unknown name.
    """

    sample_rate_hz: int = SAMPLE_RATE_HZ
    snrs_db: tuple[float, ...] = (0.0, 6.0, 12.0, 20.0)
    backgrounds: tuple[str, ...] = tuple(sorted(BACKGROUNDS))
    voices: tuple[str, ...] = LABELS

    def __post_init__(self) -> None:
        if self.sample_rate_hz < LOWEST_SAMPLE_RATE_HZ:
            raise ValueError(
                f"sample_rate_hz is {self.sample_rate_hz}: the voices reach 11 kHz, "
                f"use {LOWEST_SAMPLE_RATE_HZ} or more"
            )
        if not self.snrs_db:
            raise ValueError("snrs_db is empty: name at least one signal-to-noise ratio in dB")
        lists = (
            ("backgrounds", self.backgrounds, tuple(sorted(BACKGROUNDS))),
            ("voices", self.voices, LABELS),
        )
        for name, chosen, known in lists:
            unknown = sorted(set(chosen) - set(known))
            if not chosen or unknown:
                raise ValueError(
                    f"{name}: {', '.join(unknown) or 'the list is empty'}; "
                    f"choose from {', '.join(known)}"
                )


DEFAULT_SCENE = Scene()


@dataclass(frozen=True, eq=False)
class Recording:
    """A rendered soundscape.

    Attributes:
        samples: mono, full scale 1, each a whole number of 16-bit steps, float32[n].
        events: the calls, sorted by their start.
        sample_rate_hz: samples a second.
        background: key of BACKGROUNDS that was drawn.
    """

    samples: Samples
    events: tuple[Event, ...]
    sample_rate_hz: int = SAMPLE_RATE_HZ
    background: str = ""


@dataclass
class _Mix:
    """A rendering under way: calls are added to `track`, their levels follow `background`."""

    background: Floats
    rate: int
    track: Floats = field(init=False)
    events: list[Event] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.track = self.background.copy()

    def add(self, voice: Voice, call: Floats, start: int, snr_db: float) -> None:
        """Add a call, float64[n], at a sample; what runs over the end is cut off."""
        call = call[: self.track.size - start]
        first, last = active_span(call, self.rate)
        scaled = call * level_for(
            voice, call, self.background[start + first : start + last], snr_db, self.rate
        )
        self.track[start : start + call.size] += scaled
        times = ((start + first) / self.rate, (start + last) / self.rate)
        self.events.append(Event(voice.label, *times, snr_db, voice.low_hz, voice.high_hz))


def _block_powers(call: Floats, rate: int) -> Floats:
    block = seconds_to_samples(_BLOCK_S, rate)
    padded = np.pad(call, (0, -call.size % block))
    return np.asarray(np.mean(padded.reshape(-1, block) ** 2, axis=1))


def _active_blocks(call: Floats, rate: int) -> NDArray[np.bool_]:
    powers = _block_powers(call, rate)
    loudest = float(powers.max(initial=0.0))
    return np.asarray(powers >= _ACTIVE_SHARE * loudest) & (loudest > 0.0)


def active_span(call: Floats, rate: int) -> tuple[int, int]:
    """Find the first active sample of a call, float64[n], and the one after its last.

    Returns:
        (0, 0) for silence.
    """
    active = np.flatnonzero(_active_blocks(call, rate))
    if not active.size:
        return 0, 0
    block = seconds_to_samples(_BLOCK_S, rate)
    return int(active[0]) * block, min(call.size, (int(active[-1]) + 1) * block)


def level_for(voice: Voice, call: Floats, noise: Floats, snr_db: float, rate: int) -> float:
    """Find the factor that brings a call to a signal-to-noise ratio.

    Args:
        voice: whose band counts.
        call: float64[n], of any level.
        noise: the background under the call's active span, float64[m].
        snr_db: wanted ratio of in-band powers in dB.
        rate: sample rate in Hz.

    Returns:
        0 for a silent call; over a silent background the noise of 16-bit rounding is the reference.
    """
    in_band = band_pass(call, voice.low_hz, voice.high_hz, rate, order=4)
    active = int(np.count_nonzero(_active_blocks(call, rate)))
    energy = float(np.sum(in_band**2))
    if not active or energy <= 0.0:
        return 0.0
    signal = energy / (active * seconds_to_samples(_BLOCK_S, rate))
    heard = band_pass(noise, voice.low_hz, voice.high_hz, rate, order=4)
    floor = max(float(np.mean(heard**2)), _QUANTISATION_POWER)
    return decibels(snr_db) * float(np.sqrt(floor / signal))


def sing(voice: Voice, animal: Individual, place: Generator, rng: Generator, rate: int) -> Floats:
    """Render one call as it arrives at the recorder, after a few echoes off trees.

    Args:
        voice: what sings.
        animal: which one sings.
        place: fixes where it sits, and so its echoes.
        rng: fixes what is particular to this call.
        rate: sample rate in Hz.

    Returns:
        float64[n], of any level.
    """
    dry = voice.sing(animal, rng, rate)
    wet = np.concatenate([dry, np.zeros(seconds_to_samples(0.12, rate))])
    distance = between(place, 0.05, 0.28)
    for number in range(1, 7):
        delay = seconds_to_samples(0.018 * number + between(place, -0.007, 0.007), rate)
        weight = distance * 0.78**number * (1.0 if place.random() < 0.5 else -1.0)
        wet[delay : delay + dry.size] += weight * dry[: wet.size - delay]
    return wet


def quantise(samples: Floats) -> Samples:
    """Round float64[n] to 16-bit steps; a peak above 0.9 first scales the whole down to 0.9.

    Returns:
        float32[n], each sample k / 32768 with whole k.
    """
    peak = float(np.max(np.abs(samples), initial=0.0))
    safe = samples * (_HIGHEST_PEAK / peak) if peak > _HIGHEST_PEAK else samples
    return (np.rint(safe * _FULL_SCALE) / _FULL_SCALE).astype(np.float32)


def to_pcm16(samples: Samples) -> NDArray[np.int16]:
    """Convert quantised float32[n] to the int16[n] that it stands for, without loss."""
    return np.rint(samples.astype(np.float64) * _FULL_SCALE).astype(np.int16)


def render_clip(
    label: str, seed: int, *, seconds: float = WINDOW_S, scene: Scene = DEFAULT_SCENE
) -> tuple[Samples, tuple[Event, ...]]:
    """Render a training clip: one animal that calls one to four times over a background.

    Args:
        label: one of CLASSES; `background` has no voice.
        seed: at least 0; the same label and seed give the same clip.
        seconds: length, at least 5 s so that any call fits.
        scene: what is drawn from.

    Returns:
        samples: float32[seconds * sample rate], whole 16-bit steps, full scale 1.
        events: the calls, sorted by their start; none for `background`.

    Raises:
        ValueError: an unknown label or a clip that is too short.
    """
    if label not in CLASSES:
        raise ValueError(f"label {label!r} is not a voice: choose from {', '.join(CLASSES)}")
    if seconds < WINDOW_S:
        raise ValueError(
            f"seconds is {seconds}: a call takes up to {WINDOW_S} s, use at least that"
        )
    rate = scene.sample_rate_hz
    rng = stream(seed, "clip", label)
    n = seconds_to_samples(seconds, rate)
    mix = _Mix(render_background(pick(rng, scene.backgrounds), rng, n, rate), rate)
    if label != BACKGROUND:
        voice, animal = VOICES[label], Individual.draw(rng)
        snr_db = pick(rng, scene.snrs_db)
        end = 0
        for number in range(count(rng, 1, 4)):
            # The same place each time, so that all calls come with the same echoes.
            call = sing(voice, animal, stream(seed, "place", label), rng, rate)
            free = n - end - call.size
            if free < 0:
                break
            latest = free if number == 0 else min(free, seconds_to_samples(1.2, rate))
            start = end + int(between(rng, 0.0, 0.6 if number == 0 else 1.0) * latest)
            mix.add(voice, call, start, snr_db)
            end = start + call.size
    return quantise(mix.track), tuple(mix.events)


def render_recording(
    seed: int, seconds: float = 60.0, *, scene: Scene = DEFAULT_SCENE
) -> Recording:
    """Render a soundscape: three to five animals of different kinds, each in a bout of calls.

    Bouts start anywhere and overlap as they fall; a recording shorter than a call may stay empty.

    Args:
        seed: at least 0; the same seed and length give the same recording.
        seconds: length.
        scene: what is drawn from.
    """
    rate = scene.sample_rate_hz
    rng = stream(seed, "recording")
    n = seconds_to_samples(seconds, rate)
    kind = pick(rng, scene.backgrounds)
    mix = _Mix(render_background(kind, rng, n, rate), rate)
    for label in pick_distinct(rng, scene.voices, count(rng, 3, 5)):
        voice, animal = VOICES[label], Individual.draw(rng)
        snr_db = pick(rng, scene.snrs_db)
        start = int(between(rng, 0.0, 0.7) * n)
        for _ in range(count(rng, 2, 5)):
            call = sing(voice, animal, stream(seed, "place", label), rng, rate)
            if start + call.size > n:
                break
            mix.add(voice, call, start, snr_db)
            start += call.size + seconds_to_samples(between(rng, 0.6, 5.0), rate)
    events = tuple(sorted(mix.events, key=lambda event: (event.start_s, event.label)))
    return Recording(quantise(mix.track), events, rate, kind)


def truth(
    recording: Recording,
    window_s: float = WINDOW_S,
    *,
    min_overlap_s: float = 0.25,
    labels: Sequence[str] = LABELS,
) -> NDArray[np.bool_]:
    """Tell which labels are present in which window.

    Args:
        recording: its events and its length count.
        window_s: length of a window in seconds; windows follow each other without a gap.
        min_overlap_s: a label is present where at least this much of one of its events lies.
        labels: the columns.

    Returns:
        bool[n_windows, n_labels]; a last window of at least 1 s counts, as it does for the runtime.

    Raises:
        KeyError: an event has a label that is not among `labels`.
    """
    length_s = recording.samples.size / recording.sample_rate_hz
    whole = int(length_s / window_s + 1e-9)
    tail = length_s - whole * window_s >= _SHORTEST_TAIL_S - 1e-9
    present = np.zeros((whole + tail, len(labels)), dtype=np.bool_)
    columns = {label: column for column, label in enumerate(labels)}
    starts = np.arange(whole + tail) * window_s
    for event in recording.events:
        overlap = np.minimum(event.end_s, starts + window_s) - np.maximum(event.start_s, starts)
        present[:, columns[event.label]] |= overlap >= min_overlap_s - 1e-9
    return present

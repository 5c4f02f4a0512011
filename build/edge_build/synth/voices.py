"""Twelve voices of a small invented fauna, each in a band and a rhythm of its own.

An `Individual` fixes how one animal sounds; the generator adds what changes from call to call.
Both stay within bounds that keep the labels apart. A call is float64[n] of any level: the scene
sets the level from the signal-to-noise ratio.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.random import Generator

from .draws import between, count, white
from .tones import (
    TURN,
    Floats,
    band_pass,
    glide,
    lay,
    phase_steps,
    progress_axis,
    seconds_to_samples,
    swell,
    time_axis,
    tone,
)


@dataclass(frozen=True)
class Individual:
    """How one animal differs from the typical one of its kind; each trait lies in [-1, 1]."""

    pitch: float = 0.0
    tempo: float = 0.0
    vigour: float = 0.0

    @classmethod
    def draw(cls, rng: Generator) -> "Individual":
        """Draw an animal, all traits uniform."""
        return cls(between(rng, -1, 1), between(rng, -1, 1), between(rng, -1, 1))

    def notes(self, rng: Generator, low: int, high: int) -> int:
        """Number of notes of one call, from low to high; a vigorous animal sings more."""
        lean = (self.vigour + 1.0) / 2.0 * (high - low)
        return min(high, max(low, round(low + lean + between(rng, -1.0, 1.0))))


@dataclass(frozen=True)
class Voice:
    """One kind of sound.

    Attributes:
        label: name of the class.
        low_hz: lower edge of the band that holds most of the energy, in Hz.
        high_hz: upper edge of that band, in Hz.
        sing: renders one call of 0.5 to 4.5 s: (individual, rng, sample rate in Hz) -> float64[n].
    """

    label: str
    low_hz: float
    high_hz: float
    sing: Callable[[Individual, Generator, int], Floats]


def _envelope(seconds: float, attack_s: float, release_s: float, rate: int) -> Floats:
    n = seconds_to_samples(seconds, rate)
    return swell(n, seconds_to_samples(attack_s, rate), seconds_to_samples(release_s, rate))


def _hoot(animal: Individual, rng: Generator, rate: int) -> Floats:
    """Deep owl-like notes: one, a pause, two short ones, then long ones."""
    pitch = 375.0 * (1.0 + 0.09 * animal.pitch)
    stretch = 1.0 - 0.12 * animal.tempo
    lengths = [0.34, 0.15, 0.17, 0.42, 0.46][: animal.notes(rng, 3, 5)]
    pauses = [0.30, 0.09, 0.22, 0.26, 0.0]
    notes, start = [], 0.0
    for length, pause in zip(lengths, pauses, strict=False):
        seconds = length * stretch * between(rng, 0.95, 1.08)
        x = progress_axis(seconds, rate)
        contour = pitch * (0.955 + 0.09 * np.sin(np.pi * x**0.7)) * between(rng, 0.985, 1.015)
        breath = band_pass(white(rng, x.size), pitch * 0.8, pitch * 1.25, rate)
        note = tone(contour, rate, (1.0, 0.14, 0.05)) + 0.25 * breath
        envelope = _envelope(seconds, seconds * 0.35, seconds * 0.5, rate)
        notes.append((start, between(rng, 0.8, 1.0) * envelope * note))
        start += seconds + pause * stretch
    return lay(notes, rate)


def _croak(animal: Individual, rng: Generator, rate: int) -> Floats:
    """Pulsed frog croaks: each pulse rings two vocal resonances."""
    pulses_hz = 52.0 * (1.0 + 0.12 * animal.pitch)
    resonances = ((640.0, 190.0, 1.0), (1420.0, 260.0, 0.7))
    shift = 1.0 + 0.07 * animal.pitch
    notes, start = [], 0.0
    for _ in range(animal.notes(rng, 2, 5)):
        seconds = between(rng, 0.24, 0.36)
        x = progress_axis(seconds, rate)
        contour = pulses_hz * (0.85 + 0.35 * x)
        since_pulse_s = (phase_steps(contour, rate) % TURN) / TURN / contour
        note = np.zeros(x.size)
        for frequency, damping, weight in resonances:
            ring = np.sin(2.0 * np.pi * frequency * shift * since_pulse_s)
            note += weight * np.exp(-damping * since_pulse_s) * ring
        notes.append((start, between(rng, 0.75, 1.0) * _envelope(seconds, 0.05, 0.07, rate) * note))
        start += seconds + between(rng, 0.22, 0.32) * (1.0 - 0.2 * animal.tempo)
    return lay(notes, rate)


def _bell_frog(animal: Individual, rng: Generator, rate: int) -> Floats:
    """Struck, ringing notes at a steady pace."""
    pitch = 1010.0 * (1.0 + 0.055 * animal.pitch)
    period = 0.27 * (1.0 - 0.2 * animal.tempo)
    notes = []
    for number in range(animal.notes(rng, 4, 11)):
        seconds = 0.17
        t = time_axis(seconds, rate)
        contour = pitch * (1.0 + 0.05 * np.exp(-t / 0.012)) * between(rng, 0.99, 1.01)
        ring = np.exp(-t / 0.042) * _envelope(seconds, 0.006, 0.03, rate)
        note = ring * tone(contour, rate, (1.0, 0.12, 0.10))
        notes.append((number * period + between(rng, 0.0, 0.012), between(rng, 0.75, 1.0) * note))
    return lay(notes, rate)


def _whistle(animal: Individual, rng: Generator, rate: int) -> Floats:
    """Long, nearly level whistles, each a little lower than the one before."""
    pitch = 2450.0 * (1.0 + 0.045 * animal.pitch)
    vibrato_hz = between(rng, 5.5, 7.5)
    notes, start = [], 0.0
    for number in range(animal.notes(rng, 1, 3)):
        seconds = between(rng, 0.75, 1.0) * (1.0 - 0.15 * animal.tempo)
        x, t = progress_axis(seconds, rate), time_axis(seconds, rate)
        bend = 1.0 + 0.025 * np.sin(np.pi * x) - 0.03 * x - 0.02 * number
        contour = pitch * bend * (1.0 + 0.005 * x * np.sin(2.0 * np.pi * vibrato_hz * t))
        envelope = _envelope(seconds, 0.09, 0.22, rate)
        notes.append((start, envelope * tone(contour, rate, (1.0, 0.10, 0.03))))
        start += seconds + between(rng, 0.18, 0.32)
    return lay(notes, rate)


def _sweep_up(animal: Individual, rng: Generator, rate: int) -> Floats:
    """A whip: swelling, rising ever faster, cut off."""
    shift = 1.0 + 0.07 * animal.pitch
    notes, start = [], 0.0
    for _ in range(animal.notes(rng, 1, 4)):
        seconds = between(rng, 0.52, 0.68) * (1.0 - 0.12 * animal.tempo)
        x = progress_axis(seconds, rate)
        contour = glide(x, 1250.0 * shift, 3150.0 * shift * between(rng, 0.97, 1.03), 1.5)
        envelope = (0.3 + 0.7 * x) * _envelope(seconds, 0.12, 0.035, rate)
        notes.append((start, envelope * tone(contour, rate, (1.0, 0.13, 0.04))))
        start += seconds + between(rng, 0.25, 0.4)
    return lay(notes, rate)


def _two_tone(animal: Individual, rng: Generator, rate: int) -> Floats:
    """A see-saw of a high and a low note."""
    shift = 1.0 + 0.035 * animal.pitch
    period = 0.40 * (1.0 - 0.15 * animal.tempo)
    notes = []
    for number in range(animal.notes(rng, 3, 8)):
        loudness = min(1.0, 0.55 + 0.15 * number)
        pairs = ((0.0, 0.13, 4350.0, 0.97, 0.9), (0.44, 0.17, 3300.0, 1.02, 1.0))
        for late, seconds, pitch, slur, weight in pairs:
            x = progress_axis(seconds, rate)
            contour = glide(x, pitch * shift, pitch * shift * slur) * between(rng, 0.99, 1.01)
            envelope = _envelope(seconds, 0.018, 0.05, rate)
            note = loudness * weight * envelope * tone(contour, rate, (1.0, 0.08))
            notes.append(((number + late) * period, note))
    return lay(notes, rate)


def _chip_series(animal: Individual, rng: Generator, rate: int) -> Floats:
    """Hard, steep chips that slow down."""
    shift = 1.0 + 0.05 * animal.pitch
    period = 0.17 * (1.0 - 0.2 * animal.tempo)
    notes, start = [], 0.0
    for number in range(animal.notes(rng, 6, 14)):
        seconds = 0.042
        x = progress_axis(seconds, rate)
        contour = glide(x, 7000.0 * shift, 3400.0 * shift * between(rng, 0.95, 1.05), 0.75)
        envelope = np.exp(-2.2 * x) * _envelope(seconds, 0.004, 0.012, rate)
        notes.append((start, between(rng, 0.7, 1.0) * envelope * tone(contour, rate, (1.0, 0.1))))
        start += period * (1.0 + 0.05 * number) * between(rng, 0.93, 1.07)
    return lay(notes, rate)


def _trill(animal: Individual, rng: Generator, rate: int) -> Floats:
    """A fast rattle of small down-slurs that swells and sinks a little."""
    shift = 1.0 + 0.03 * animal.pitch
    notes_hz = 25.0 * (1.0 + 0.12 * animal.tempo)
    total = max(24, round(notes_hz * (1.7 + 0.6 * animal.vigour + between(rng, -0.2, 0.2))))
    notes = []
    for number in range(total):
        seconds = 0.66 / notes_hz
        x = progress_axis(seconds, rate)
        through = number / total
        pitch = shift * (1.0 - 0.035 * through) * between(rng, 0.996, 1.004)
        envelope = _envelope(seconds, seconds * 0.3, seconds * 0.45, rate)
        loudness = min(1.0, 0.25 + 2.0 * through) * (1.0 - 0.3 * through) * between(rng, 0.9, 1.0)
        note = loudness * envelope * tone(glide(x, 5850.0 * pitch, 5100.0 * pitch), rate)
        notes.append((number / notes_hz, note))
    return lay(notes, rate)


def _sweep_down(animal: Individual, rng: Generator, rate: int) -> Floats:
    """Thin, sighing notes that fall and fade."""
    shift = 1.0 + 0.04 * animal.pitch
    notes, start = [], 0.0
    for _ in range(animal.notes(rng, 1, 4)):
        seconds = between(rng, 0.55, 0.75) * (1.0 - 0.15 * animal.tempo)
        x, t = progress_axis(seconds, rate), time_axis(seconds, rate)
        contour = glide(x, 8600.0 * shift, 5400.0 * shift * between(rng, 0.97, 1.03), 0.8)
        contour *= 1.0 + 0.006 * np.sin(2.0 * np.pi * 28.0 * t)
        envelope = (1.0 - 0.65 * x) * _envelope(seconds, 0.05, 0.2, rate)
        notes.append((start, envelope * tone(contour, rate)))
        start += seconds + between(rng, 0.2, 0.35)
    return lay(notes, rate)


def _cricket(animal: Individual, rng: Generator, rate: int) -> Floats:
    """Stridulation: chirps of a few pure wing strokes, each louder than the last."""
    pitch = 6900.0 * (1.0 + 0.025 * animal.pitch)
    period = 0.30 * (1.0 - 0.18 * animal.tempo)
    strokes = count(rng, 3, 4)
    notes = []
    for chirp in range(animal.notes(rng, 5, 11)):
        for stroke in range(strokes):
            seconds = 0.024
            x = progress_axis(seconds, rate)
            envelope = _envelope(seconds, 0.012, 0.009, rate) * (0.6 + 0.4 * stroke / strokes)
            contour = pitch * (1.006 - 0.012 * x)
            start = chirp * period + stroke * 0.033
            notes.append((start, between(rng, 0.9, 1.0) * envelope * tone(contour, rate)))
    return lay(notes, rate)


def _buzz(animal: Individual, rng: Generator, rate: int) -> Floats:
    """Bush-cricket: a few ticks, then high noise cut by the teeth of the file."""
    centre = 9300.0 * (1.0 + 0.02 * animal.pitch)
    teeth_hz = 62.0 * (1.0 + 0.15 * animal.tempo)
    notes, start = [], 0.0
    for number in range(count(rng, 2, 5)):
        tick = white(rng, seconds_to_samples(0.02, rate))
        tick *= _envelope(0.02, 0.002, 0.016, rate)
        high = band_pass(tick, centre - 950.0, centre + 950.0, rate, order=3)
        notes.append((start, between(rng, 0.5, 0.9) * high))
        start += 0.15 - 0.018 * number
    for _ in range(animal.notes(rng, 1, 3)):
        seconds = between(rng, 0.7, 1.1)
        x = progress_axis(seconds, rate)
        phase = (phase_steps(teeth_hz * (0.9 + 0.2 * x), rate) % TURN) / TURN
        teeth = 0.08 + np.exp(-3.0 * phase) * np.minimum(1.0, phase / 0.06)
        carrier = band_pass(white(rng, x.size), centre - 950.0, centre + 950.0, rate, order=3)
        envelope = (0.45 + 0.55 * x) * _envelope(seconds, 0.12, 0.06, rate)
        notes.append((start, envelope * teeth * carrier))
        start += seconds + between(rng, 0.2, 0.35)
    return lay(notes, rate)


def _chirr(animal: Individual, rng: Generator, rate: int) -> Floats:
    """A harsh scold: rattled bursts of a hoarse harmonic stack."""
    base = 560.0 * (1.0 + 0.08 * animal.pitch)
    rattle_hz = 17.0 * (1.0 + 0.15 * animal.tempo)
    bursts = max(11, round(rattle_hz * (1.1 + 0.45 * animal.vigour + between(rng, -0.15, 0.15))))
    partials = (0.0, 0.0, 0.1, 0.45, 0.9, 1.0, 0.8, 0.55, 0.3, 0.12)
    notes = []
    for number in range(bursts):
        seconds = 0.62 / rattle_hz
        x = progress_axis(seconds, rate)
        hoarse = 1.0 + 0.05 * band_pass(white(rng, x.size), 80.0, 600.0, rate)
        contour = base * (1.0 + 0.10 * np.sin(np.pi * x)) * hoarse * between(rng, 0.97, 1.03)
        rasp = band_pass(white(rng, x.size), 2100.0, 4900.0, rate)
        envelope = _envelope(seconds, seconds * 0.15, seconds * 0.6, rate)
        note = envelope * (tone(contour, rate, partials) + 1.1 * rasp)
        notes.append(
            (number / rattle_hz * between(rng, 0.995, 1.005), between(rng, 0.7, 1.0) * note)
        )
    return lay(notes, rate)


VOICES = MappingProxyType(
    {
        voice.label: voice
        for voice in (
            Voice("bell_frog", 850.0, 1250.0, _bell_frog),
            Voice("buzz", 7600.0, 11000.0, _buzz),
            Voice("chip_series", 3000.0, 7600.0, _chip_series),
            Voice("chirr", 1500.0, 6000.0, _chirr),
            Voice("cricket", 6500.0, 7300.0, _cricket),
            Voice("croak", 400.0, 1800.0, _croak),
            Voice("hoot", 280.0, 480.0, _hoot),
            Voice("sweep_down", 4900.0, 9200.0, _sweep_down),
            Voice("sweep_up", 1100.0, 3600.0, _sweep_up),
            Voice("trill", 4600.0, 6200.0, _trill),
            Voice("two_tone", 3100.0, 4650.0, _two_tone),
            Voice("whistle", 2150.0, 2700.0, _whistle),
        )
    }
)

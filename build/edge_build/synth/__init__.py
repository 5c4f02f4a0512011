"""The project's own soundscape world: twelve voices, five backgrounds, and the whole truth.

The demonstration model is trained on its clips and the demonstration recordings are rendered by
it. Everything follows from a seed: pure functions, no global state.
"""

from .backgrounds import BACKGROUNDS, render_background
from .files import recording_name, write_recordings, write_training_set
from .scene import (
    BACKGROUND,
    CLASSES,
    DEFAULT_SCENE,
    LABELS,
    SAMPLE_RATE_HZ,
    Event,
    Recording,
    Scene,
    quantise,
    render_clip,
    render_recording,
    to_pcm16,
    truth,
)
from .voices import VOICES, Individual, Voice

__all__ = [
    "BACKGROUND",
    "BACKGROUNDS",
    "CLASSES",
    "DEFAULT_SCENE",
    "LABELS",
    "SAMPLE_RATE_HZ",
    "VOICES",
    "Event",
    "Individual",
    "Recording",
    "Scene",
    "Voice",
    "quantise",
    "recording_name",
    "render_background",
    "render_clip",
    "render_recording",
    "to_pcm16",
    "truth",
    "write_recordings",
    "write_training_set",
]

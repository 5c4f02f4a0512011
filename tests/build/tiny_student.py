"""A small recipe of a student, whose teacher is the small clip model."""

from pathlib import Path

from tiny_custom import write_base, write_calls

RECIPE = """\
name: tiny-student
version: "1"
licence: {name: CC0-1.0, commercial_use: true}
source: calls
sample_rate: 1000
features: {frame_size: 250, hop: 125, fft_size: 256, mel_bands: 32, high_hz: 500.0}
tokens: {dims: 4, count: 24, iterations: 4}
word2vec: {vector_size: 8, window: 4, sample: 0.0, epochs: 3}
student: {teacher: tiny-base, temperature: 2.0, channels: 8, hidden: 16, epochs: 6, batch: 16}
"""


def write_lesson(place: Path, text: str = RECIPE) -> tuple[Path, Path]:
    """Write audio, a teacher in `models/tiny-base`, and a recipe; return recipe and audio."""
    audio = write_calls(place / "calls", clips=4)
    write_base(place / "models")
    recipe = place / "tiny-student.yaml"
    recipe.write_text(text, "utf-8")
    return recipe, audio

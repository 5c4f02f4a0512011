"""What the benchmarks work on: one-minute OGG files and an STSG model of full size."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from edge.dsp.framing import Framer
from edge.stsg.features import FeatureExtractor, FeatureSpec
from edge_build.synth import render_recording

PLACE = Path(__file__).resolve().parents[2] / ".bench"
TOKENS, DIMS, VECTOR_SIZE, CLASSES = 16_384, 128, 1_024, 206
SEED = 20250905
DISTINCT = 30


@dataclass(frozen=True)
class Material:
    """Where the benchmark's files are."""

    stsg_files: Path
    """A folder of one-minute, 32 kHz OGG files."""
    birdnet_files: Path
    """The same, fewer."""
    model: Path
    """An STSG folder with 16 384 centroids of 128 dimensions and 1024-d vectors."""
    pairs: int

    @staticmethod
    def make(*, quick: bool) -> "Material":
        """Make what is missing below .bench/, from the synthesiser alone."""
        stsg = _recordings(PLACE / ("few" if quick else "many"), 12 if quick else 150)
        birdnet = _recordings(PLACE / ("two" if quick else "some"), 2 if quick else 24)
        return Material(stsg, birdnet, _model(PLACE / "models" / "stsg-full"), 1 if quick else 5)


def _recordings(folder: Path, count: int) -> Path:
    done = folder / ".done"
    if done.exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number in range(count):
        path = folder / f"BENCH_{number:04d}.ogg"
        if number < DISTINCT:
            recording = render_recording(SEED + number)
            # libsndfile overruns its stack on long Vorbis writes: a second at a time is safe.
            with soundfile.SoundFile(path, "w", recording.sample_rate_hz, 1) as file:
                for second in np.array_split(recording.samples, 60):
                    file.write(second)
        else:
            shutil.copyfile(folder / f"BENCH_{number % DISTINCT:04d}.ogg", path)
    done.touch()
    return folder


def _model(folder: Path) -> Path:
    """Fit a PCA on synthetic frames and take frames of other recordings as centroids."""
    if folder.exists():
        return folder
    from sklearn.neural_network import MLPClassifier  # noqa: F401

    extractor = FeatureExtractor(FeatureSpec())
    framer = Framer(frame_size=8_000, hop=4_000)
    features = np.concatenate(
        [
            extractor.quick(framer.push(render_recording(SEED + 10_000 + number).samples))[0]
            for number in range(TOKENS // 480 + 2)
        ]
    )
    return write(folder, features)

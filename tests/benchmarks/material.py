"""What the benchmarks work on: one-minute OGG files and an STSG model of full size."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from edge.contracts import FloatArray
from edge.dsp.framing import Framer
from edge.stsg.features import FeatureExtractor
from edge_build.codebook import fit_codebook, read_codebook
from edge_build.folder import write_folder
from edge_build.head import Head
from edge_build.learn import Examples, Learnt
from edge_build.recipe import read_recipe
from edge_build.synth import render_recording

PLACE = Path(__file__).resolve().parents[2] / ".bench"
CLASSES = 206
SEED = 20250905
DISTINCT = 30
CODEBOOK_MINUTES = 180


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
        return Material(stsg, birdnet, _model(PLACE / "models" / "stsg-full"), 1 if quick else 3)


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
    """Write a model of full size: a fitted codebook, random vectors and head."""
    if folder.exists():
        return folder
    recipe_path = Path(__file__).with_name("stsg-full.yaml")
    recipe = read_recipe(recipe_path)
    extractor = FeatureExtractor(recipe.feature_spec())
    minutes = [
        extractor.quick(
            Framer(frame_size=8_000, hop=4_000).push(render_recording(SEED + 10_000 + n).samples)
        )[0]
        for n in range(CODEBOOK_MINUTES)
    ]
    folder.parent.mkdir(parents=True, exist_ok=True)
    codebook_path = folder.parent / "codebook.faiss"
    fit_codebook(
        minutes.__getitem__,
        [len(rows) for rows in minutes],
        recipe,
        tokens=recipe.tokens.count,
        path=codebook_path,
    )
    rng = np.random.default_rng(SEED)
    size, hidden = recipe.word2vec.vector_size, recipe.head.hidden
    learnt = Learnt(
        labels=tuple(f"class_{number:03d}" for number in range(CLASSES)),
        codebook_path=codebook_path,
        codebook=read_codebook(codebook_path),
        vectors=rng.standard_normal((recipe.tokens.count, size), dtype=np.float32),
        unseen=0,
        head=Head(
            mean=np.zeros(size, np.float32),
            scale=np.ones(size, np.float32),
            weights=(_weights(rng, size, hidden), _weights(rng, hidden, CLASSES)),
            biases=(np.zeros(hidden, np.float32), np.zeros(CLASSES, np.float32)),
            epochs=0,
            validation_loss=0.0,
        ),
        examples=Examples(np.empty((0, size), np.float32), np.empty(0, np.intp), ()),
        clips=(),
        unlabelled=(),
        frames=sum(len(rows) for rows in minutes),
        notes=(),
    )
    return write_folder(folder, recipe, recipe_path, learnt)


def _weights(rng: np.random.Generator, rows: int, columns: int) -> FloatArray:
    scale = np.float32(np.sqrt(2.0 / rows))
    return rng.standard_normal((rows, columns), dtype=np.float32) * scale

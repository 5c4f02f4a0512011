"""An STSG model of the paper's size, for timing alone."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np

from edge.contracts import FloatArray
from edge.dsp.framing import Framer
from edge.model.codebook_file import read_codebook
from edge.stsg.features import FeatureExtractor
from edge.stsg.spec import Normalisation
from edge_build.cache import Steps
from edge_build.codebook import fit_codebook
from edge_build.folder import write_folder
from edge_build.head import Head
from edge_build.learn import Examples, Learnt, Tokens
from edge_build.recipe import read_recipe

CLASSES = 206
SEED = 20250905


def write_full_model(
    folder: Path, minutes: Callable[[], Iterator[FloatArray]], *, normalisation: Normalisation
) -> Path:
    """Write a model of full size where it is not there: its codebook fitted, the rest random.

    Args:
        folder: The model folder.
        minutes: Gives the sound to fit the codebook to, at 32 kHz.
        normalisation: Of the frames.
    """
    if folder.exists():
        return folder
    recipe_path = Path(__file__).with_name("stsg-full.yaml")
    recipe = read_recipe(recipe_path)
    features = msgspec.structs.replace(recipe.features, normalisation=normalisation)
    recipe = msgspec.structs.replace(recipe, features=features)
    extractor = FeatureExtractor(recipe.feature_spec())
    rows = [
        extractor.quick(Framer(frame_size=8_000, hop=4_000).push(samples))[0]
        for samples in minutes()
    ]
    folder.parent.mkdir(parents=True, exist_ok=True)
    codebook_path = folder.parent / "codebook.faiss"
    fit_codebook(
        rows.__getitem__,
        [len(part) for part in rows],
        recipe,
        tokens=recipe.tokens.count,
        path=codebook_path,
        steps=Steps(folder.parent / "steps"),
    )
    rng = np.random.default_rng(SEED)
    size, hidden = recipe.word2vec.vector_size, recipe.head.hidden
    learnt = Learnt(
        labels=tuple(f"class_{number:03d}" for number in range(CLASSES)),
        tokens=Tokens(codebook_path, read_codebook(codebook_path).codebook, (), ""),
        vectors=rng.standard_normal((recipe.tokens.count, size), dtype=np.float32),
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
        frames=sum(len(part) for part in rows),
        notes=(),
    )
    return write_folder(folder, recipe, recipe_path, learnt)


def _weights(rng: np.random.Generator, rows: int, columns: int) -> FloatArray:
    scale = np.float32(np.sqrt(2.0 / rows))
    return rng.standard_normal((rows, columns), dtype=np.float32) * scale

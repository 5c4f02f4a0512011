"""What a model makes of clips: the embedding of each of their 5 s windows."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from edge.contracts import FRAME_SECONDS, FloatArray, Model, Prediction, WindowKind
from edge.errors import InputError, ModelError
from edge.pipeline import score
from edge.sources.file import AudioFile
from edge_build.dataset import Clip


def check_model(folder: Path, *, model_files: Sequence[Path] = ()) -> None:
    """Make sure that `evaluate` can use a model, before hours are spent on others.

    Raises:
        ModelError: The model does not load, or shows no embedding.
    """
    load_embedder(folder, model_files).close()


def load_embedder(folder: Path, model_files: Sequence[Path] = ()) -> Model:
    """Load a model that shows embeddings.

    Raises:
        ModelError: It does not load, or shows none.
    """
    from edge.load import load_model  # noqa: PLC0415 (the backends are heavy)

    model = load_model(folder, external=model_files)
    if model.info.embedding_size is None:
        raise ModelError(
            f"{folder}: the model shows no embedding to train a head on",
            remedy="name the tensor under output.embedding in its model.yaml",
        )
    return model


def embed_clips(model: Model, clips: Sequence[Clip]) -> tuple[list[FloatArray], float, float]:
    """Let a model's own backend make the embedding of each 5 s window of clips.

    Returns:
        The embeddings of each clip [shape=(windows, size)], the seconds it took and those it heard.
    """
    rows = []
    audio_s = 0.0
    begun = time.perf_counter()
    for clip in tqdm(clips, desc=f"embeddings of {model.info.name}", unit="file"):
        predictions, heard_s = predictions_of(model, clip, keep_embeddings=True)
        rows.append(np.stack([x.embedding for x in predictions if x.embedding is not None]))
        audio_s += heard_s
    return rows, time.perf_counter() - begun, audio_s


def predictions_of(
    model: Model, clip: Clip, *, keep_embeddings: bool
) -> tuple[list[Prediction], float]:
    """Let a model score each 5 s window of a clip; return that, and the seconds it heard.

    Raises:
        InputError: It predicts none.
    """
    with AudioFile(clip.path) as file:
        outcomes = list(
            score(file, model, windows=WindowKind.FRAME, keep_embeddings=keep_embeddings)
        )
        heard_s = file.seconds
    predictions = [outcome for outcome in outcomes if isinstance(outcome, Prediction)]
    if not predictions:
        raise InputError(
            f"{clip.path}: {model.info.name} predicts no window of it",
            remedy=f"use clips of at least {FRAME_SECONDS:g} s, or take this one out",
        )
    return predictions, heard_s

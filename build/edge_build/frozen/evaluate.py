"""Heads on a model's frozen embeddings, without each fold."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.contracts import FloatArray
from edge.model.head import OnnxHead
from edge.model.manifest import read_manifest
from edge_build.embeddings import embed_clips, load_embedder
from edge_build.evaluate import Result, Trial, check_classes
from edge_build.export import write_onnx
from edge_build.head import Head, fit_heads
from edge_build.recipe_parts import HeadRecipe

PAPERS_HEAD = HeadRecipe(standardise=False)
"""What a model is compared by where no recipe says how."""


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """What a model makes of a trial's clips: the same whatever is trained on it."""

    name: str
    """Of the model."""
    rows: tuple[FloatArray, ...]
    """The embeddings of each clip's 5 s windows [shape=(windows, size)]."""
    seconds_per_minute: float
    """Time that a minute of audio took, decoding included, in seconds."""
    size: int
    """Of the model's files, in bytes."""


def embed_trial(folder: Path, trial: Trial, *, model_files: Sequence[Path] = ()) -> Embedded:
    """Let a model's own backend make the embeddings of a trial's clips.

    Args:
        folder: The model folder.
        trial: Has the clips.
        model_files: Folders to look for `external` files in.

    Raises:
        ModelError: The model does not load, or shows no embedding.
    """
    model = load_embedder(folder, model_files)
    rows, spent_s, audio_s = embed_clips(model, trial.clips)
    model.close()
    size = sum(entry.size for entry in read_manifest(folder).files.values())
    return Embedded(model.info.name, tuple(rows), spent_s / (audio_s / 60.0), size)


def evaluate_frozen(
    embedded: Embedded, trial: Trial, *, system: str, spec: HeadRecipe, seed: int
) -> Result:
    """Train a head on a model's frozen embeddings without each fold, and test it there.

    Args:
        embedded: The embeddings.
        trial: What to learn from and to test on.
        system: What the result is called.
        spec: The head.
        seed: Of the heads.

    Raises:
        InputError: A fold leaves too little to learn from.
    """
    rows = embedded.rows
    said = np.zeros((len(trial.clips), len(trial.labels)), dtype=np.float32)
    head_bytes = 0
    for fold, train, test in tqdm(list(trial.splits()), desc=f"heads of {system}", unit="fold"):
        check_classes(trial, train, fold)
        of_train = [rows[i] for i in train]
        numbers = numbers_of(of_train)
        head = fit_heads(
            np.concatenate(of_train),
            trial.truth[train][numbers],
            [trial.clips[train[i]].recording for i in numbers],
            spec,
            seed=seed,
            quiet=True,
        )
        exported, head_bytes = _exported(head)
        for i in test:
            said[i] = np.mean([exported(row) for row in rows[i]], axis=0)
    return trial.result(
        system, said, embedded.seconds_per_minute, (embedded.size + head_bytes) / 1e6
    )


def numbers_of(rows: Sequence[FloatArray]) -> NDArray[np.intp]:
    """Say of which clip each row is, for clips of several rows [shape=(n,)]."""
    return np.repeat(np.arange(len(rows)), [len(row) for row in rows])


def _exported(head: Head) -> tuple[OnnxHead, int]:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "head.onnx"
        write_onnx(head, path)
        return OnnxHead(path), path.stat().st_size

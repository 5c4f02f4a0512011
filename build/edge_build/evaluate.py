"""`edge-build evaluate`: recipes and models side by side, on the same folds."""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.contracts import FloatArray
from edge.errors import InputError
from edge.model.manifest import PoolSpec
from edge.stsg.pooling import Rows, Statistic
from edge_build.cache import Cache
from edge_build.dataset import Clip, choose_clips
from edge_build.embeddings import predictions_of
from edge_build.folder import files_of, write_folder
from edge_build.folds import NEVER_TESTED
from edge_build.frames import stream_samples, try_each
from edge_build.learn import Chain
from edge_build.recipe import Recipe, read_recipe
from edge_build.scores import Scores, score_table


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Clips with their folds, and what may be learnt from without labels."""

    clips: tuple[Clip, ...]
    folds: tuple[str, ...]
    unlabelled: tuple[Clip, ...]
    labels: tuple[str, ...]

    def splits(self) -> Iterator[tuple[str, list[int], list[int]]]:
        """Yield each fold's name, and the numbers of the clips to learn from and to test on."""
        for fold in sorted(set(self.folds) - {NEVER_TESTED}):
            test = [i for i, name in enumerate(self.folds) if name == fold]
            train = [i for i, name in enumerate(self.folds) if name != fold]
            yield fold, train, test

    def result(
        self,
        system: str,
        said: FloatArray,
        seconds_per_minute: float,
        megabytes: float,
        notes: Sequence[str] = (),
    ) -> "Result":
        """Make the result of what a system said of each clip [shape=(n, n_labels)]."""
        tested = [i for i, fold in enumerate(self.folds) if fold != NEVER_TESTED]
        return Result(
            system,
            self.labels,
            self.truth[tested],
            said[tested],
            seconds_per_minute,
            megabytes,
            tuple(notes),
        )

    @property
    def truth(self) -> NDArray[np.intp]:
        """Class number of each clip [shape=(n,)]."""
        return np.array([self.labels.index(clip.label or "") for clip in self.clips], dtype=np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """One system's line in the table, and what it is made of."""

    system: str
    labels: tuple[str, ...]
    truth: NDArray[np.intp]
    """Class number of each clip that was tested [shape=(n,)]."""
    said: FloatArray
    """What the system said of each of them [shape=(n, n_labels)]."""
    seconds_per_minute: float
    """Time to score a minute of audio on one core, decoding included, in seconds; longer than
    `edge-batch` takes where the arithmetic is pinned."""
    megabytes: float
    """Size of the model's files, head included."""
    notes: tuple[str, ...] = ()
    """What was made smaller than asked for, a line each."""

    @property
    def scores(self) -> Scores:
        """The figures."""
        return score_table(self.truth, self.said)


def evaluate_recipe(path: Path, trial: Trial, cache: Cache) -> list[Result]:
    """Learn everything again without each fold, then score it through the runtime.

    Returns:
        The model's result, and for one of tokens that of the mean of its own PCA frames (a bag
        without tokens), which says what the tokens are worth.
    """
    recipe = read_recipe(path)
    found = [evaluate_alone(recipe, path, trial, cache)]
    if Rows.VECTORS in recipe.needs:
        bag = msgspec.structs.replace(
            recipe,
            name=f"{recipe.name}: mean of its PCA frames",
            window=(PoolSpec(of=Rows.POINTS, by=(Statistic.MEAN,)),),
        )
        found.append(evaluate_alone(bag, path, trial, cache))
    return found


def evaluate_alone(recipe: Recipe, path: Path, trial: Trial, cache: Cache) -> Result:
    """Learn everything again without each fold, then score it through the runtime.

    Args:
        recipe: What is learnt.
        path: The file that goes into the model folder as its recipe.
        trial: What to learn from and to test on.
        cache: Where results are kept.

    Raises:
        InputError: A fold leaves too little to learn from.
    """
    chain = Chain(recipe, cache)
    chain.prepare(trial.clips, trial.unlabelled)
    said = np.zeros((len(trial.clips), len(trial.labels)), dtype=np.float32)
    spent_s = audio_s = 0.0
    size = 0
    notes: list[str] = []
    for fold, train, test in trial.splits():
        tqdm.write(f"{recipe.name}: without fold {fold}", file=sys.stderr)
        check_classes(trial, train, fold)
        learnt = chain.learn([trial.clips[i] for i in train], trial.unlabelled)
        notes += [note for note in learnt.notes if note not in notes]
        with tempfile.TemporaryDirectory() as place:
            folder = write_folder(Path(place) / "model", recipe, path, learnt)
            size = sum(file.stat().st_size for file in files_of(folder).values())
            scores, spent, heard = _through_runtime(folder, [trial.clips[i] for i in test])
            said[test] = scores
            spent_s, audio_s = spent_s + spent, audio_s + heard
    return trial.result(recipe.name, said, spent_s / (audio_s / 60.0), size / 1e6, notes)


def usable_trial(
    trial: Trial, recipes: Sequence[Recipe], cache: Cache, left_out: Sequence[str] = ()
) -> tuple[Trial, list[str]]:
    """Leave out the clips that cannot be used, so that all systems meet the same ones.

    Args:
        trial: All clips that were found.
        recipes: Those that take part; each must be able to use a clip.
        cache: Where frames are kept.
        left_out: Why files were left out before this, a line each.

    Returns:
        The trial of the clips that are left, and notes on the others.

    Raises:
        InputError: Fewer than two classes are left.
    """
    framed = [recipe for recipe in recipes if recipe.base is None]
    notes: list[str] = []
    for prepare in [Chain(recipe, cache).prepare for recipe in framed] or [readable]:
        good, others, said = prepare(trial.clips, trial.unlabelled, left_out)
        left_out = ()
        kept = {clip.name for clip in good}
        pairs = [
            pair for pair in zip(trial.clips, trial.folds, strict=True) if pair[0].name in kept
        ]
        trial = replace(
            trial,
            clips=tuple(clip for clip, _ in pairs),
            folds=tuple(fold for _, fold in pairs),
            unlabelled=tuple(others),
            labels=tuple(sorted({clip.label for clip, _ in pairs if clip.label})),
        )
        notes += said
    return trial, notes


def readable(
    clips: Sequence[Clip], unlabelled: Sequence[Clip], left_out: Sequence[str] = ()
) -> tuple[list[Clip], list[Clip], list[str]]:
    """Choose what can be read and framed, where no recipe's frames say what can be used."""

    def read(clip: Clip) -> None:
        for _ in stream_samples(clip.path, sample_rate_hz=_ANY_RATE_HZ):
            pass

    good, bad = try_each([*clips, *unlabelled], read, task="reading")
    return choose_clips(good, [*left_out, *bad])


def _through_runtime(folder: Path, clips: Sequence[Clip]) -> tuple[FloatArray, float, float]:
    """Score clips by a model folder; return the scores, the seconds it took and those it heard."""
    from edge.load import load_model  # noqa: PLC0415 (the backends are heavy)

    model = load_model(folder)
    rows = []
    audio_s = 0.0
    begun = time.perf_counter()
    for clip in tqdm(clips, desc="scoring", unit="file"):
        predictions, heard_s = predictions_of(model, clip, keep_embeddings=False)
        rows.append(np.mean([prediction.scores for prediction in predictions], axis=0))
        audio_s += heard_s
    spent_s = time.perf_counter() - begun
    model.close()
    return np.stack(rows), spent_s, audio_s


def check_classes(trial: Trial, train: Sequence[int], fold: str) -> None:
    """See that something of each class is left to learn from.

    Raises:
        InputError: Without the fold, nothing is left of one.
    """
    left = {trial.clips[i].label for i in train}
    missing = sorted(set(trial.labels) - {label for label in left if label})
    if missing:
        raise InputError(
            f"without fold {fold} nothing is left of {', '.join(missing)}",
            remedy="use folds that each leave clips of every class",
        )


_ANY_RATE_HZ = 32_000

"""The search: optuna hands out settings and keeps what came of them; processes learn and score."""

import contextlib
import fcntl
import multiprocessing
import os
import signal
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for_end
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from tqdm import tqdm

from edge.errors import InputError
from edge_build.cache import Cache, key_of
from edge_build.codebook import tokens_for
from edge_build.evaluate import Trial, evaluate_alone
from edge_build.folder import RECIPE_NAME
from edge_build.learn import Chain
from edge_build.pinned import library_versions, pinning
from edge_build.recipe import Recipe, read_recipe
from edge_build.recipe_parts import Projection
from edge_build.scores import Scores
from edge_build.sweep.spec import Sweep
from edge_build.variance import cumulative_variance

STUDY_NAME = "study.db"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one setting."""

    scores: Scores | None
    """None where it cannot be learnt from the data; `notes` say why."""
    explained_variance: float | None
    """Share of the frames' variance that the PCA keeps, a mean over folds; None without PCA."""
    megabytes: float
    """Size of the model's files, head included."""
    notes: tuple[str, ...]


def search(sweep: Sweep, trial: Trial, *, out: Path, jobs: int, cache: Cache) -> list[Outcome]:
    """Learn and score every setting that is not kept below `out` yet.

    Only this process touches the study, so a kill at any time loses no more than the settings that
    were being learnt; they are learnt again by the next call.

    Args:
        sweep: What to try.
        trial: What to learn from and to test on.
        out: Folder of the study, which is there.
        jobs: Processes that learn at the same time.
        cache: Shared by them.

    Returns:
        The outcome of each setting, in their order.

    Raises:
        EdgeError: Another sweep is at work there, or a setting fails for other reasons than its
            own values.
    """
    import optuna  # noqa: PLC0415 (heavy)
    from optuna.exceptions import StorageInternalError  # noqa: PLC0415
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = out / STUDY_NAME
    with _alone(out):
        try:
            study = optuna.create_study(
                storage=_storage(path),
                sampler=optuna.samplers.RandomSampler(seed=sweep.base.recipe.seed),
                study_name=_identity(sweep, trial),
                direction="maximize",
                load_if_exists=True,
            )
            return _search(study, sweep, trial, jobs=jobs, cache=cache)
        except (StorageInternalError, SQLAlchemyError) as reason:
            raise InputError(
                f"{path}: cannot be used: {reason}",
                remedy="free space; remove the file if it is broken: what was learnt is cached",
            ) from None


def _storage(path: Path) -> Any:
    """Open a SQLite file; optuna takes a URL, in which not every path can be written."""
    from optuna.storages import RDBStorage  # noqa: PLC0415 (heavy)
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(path)

    return RDBStorage("sqlite://", engine_kwargs={"creator": connect, "poolclass": NullPool})


def _search(study: Any, sweep: Sweep, trial: Trial, *, jobs: int, cache: Cache) -> list[Outcome]:
    outcomes = _take_up(study, sweep)
    left = len(sweep.settings) - len(outcomes)
    bar = tqdm(total=len(sweep.settings), initial=len(outcomes), desc="settings", unit="setting")
    with bar, _workers(min(jobs, max(1, left))) as submit:
        running: dict[Future[Outcome], Any] = {}
        while left or running:
            while left and len(running) < jobs:
                asked = _ask(study, sweep)
                setting = sweep.settings[asked.user_attrs[_SETTING]]
                running[submit(learn_and_score, setting.text, trial, cache.folder)] = asked
                left -= 1
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                asked, outcome = running.pop(future), future.result()
                outcomes[asked.user_attrs[_SETTING]] = outcome
                _tell(study, asked, outcome)
                bar.update()
    return [outcomes[number] for number in range(len(sweep.settings))]


def _take_up(study: Any, sweep: Sweep) -> dict[int, Outcome]:
    """Return the outcomes that are kept, by their setting's number, and line up the rest."""
    from optuna.trial import TrialState  # noqa: PLC0415 (heavy)

    outcomes = {}
    waiting = set()
    for kept in study.get_trials(deepcopy=False):
        number = kept.user_attrs[_SETTING]
        if kept.state is TrialState.COMPLETE:
            outcomes[number] = msgspec.convert(kept.user_attrs[_OUTCOME], Outcome)
        elif kept.state is TrialState.RUNNING:
            # No one else is at work here: who ran it was killed.
            study.tell(kept.number, state=TrialState.FAIL)
        elif kept.state is TrialState.WAITING:
            waiting.add(number)
    for number, setting in enumerate(sweep.settings):
        if number not in outcomes and number not in waiting:
            values = dict(zip(sweep.keys, setting.names, strict=True))
            study.enqueue_trial(values, user_attrs={_SETTING: number})
    return outcomes


def _ask(study: Any, sweep: Sweep) -> Any:
    """Take the next setting that waits; as names, since optuna knows no lists."""
    asked = study.ask()
    for at, key in enumerate(sweep.keys):
        names = sorted({setting.names[at] for setting in sweep.settings})
        asked.suggest_categorical(key, names)
    return asked


def _tell(study: Any, asked: Any, outcome: Outcome) -> None:
    from optuna.trial import TrialState  # noqa: PLC0415 (heavy)

    asked.set_user_attr(_OUTCOME, msgspec.to_builtins(outcome))
    if outcome.scores is None:
        study.tell(asked, state=TrialState.FAIL)
    else:
        study.tell(asked, outcome.scores.macro_f1)


def learn_and_score(text: str, trial: Trial, cache_folder: Path) -> Outcome:
    """Learn one setting and score it, as `evaluate` does, without its progress.

    Args:
        text: The setting's recipe, as YAML.
        trial: What to learn from and to test on.
        cache_folder: Of the cache.
    """
    cache = Cache(cache_folder)
    with (
        tempfile.TemporaryDirectory() as place,
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stderr(nowhere),
    ):
        path = Path(place) / RECIPE_NAME
        path.write_text(text, "utf-8")
        recipe = read_recipe(path)
        chain = Chain(recipe, cache)
        chain.prepare(trial.clips, trial.unlabelled)
        short = _too_little(chain, trial)
        if short:
            return Outcome(None, None, 0.0, (short,))
        explained = _explained(chain, trial, recipe, cache)
        result = evaluate_alone(recipe, path, trial, cache)
    return Outcome(result.scores, explained, result.megabytes, result.notes)


def _too_little(chain: Chain, trial: Trial) -> str:
    """Say why a setting's codebook cannot be made of the data; empty where it can."""
    if chain.recipe.tokens is None:
        return ""
    for _, train, _ in trial.splits():
        clips = [*(trial.clips[i] for i in train), *trial.unlabelled]
        try:
            tokens_for(sum(len(chain.frame_store.opened(clip)) for clip in clips), chain.recipe)
        except InputError as error:
            return error.what
    return ""


def _explained(chain: Chain, trial: Trial, recipe: Recipe, cache: Cache) -> float | None:
    if recipe.tokens is None or recipe.tokens.projection is not Projection.PCA:
        return None
    shares = [
        cumulative_variance(
            chain.frame_store,
            [*(trial.clips[i] for i in train), *trial.unlabelled],
            recipe,
            cache,
        )[recipe.tokens.dims - 1]
        for _, train, _ in trial.splits()
    ]
    return float(np.mean(shares))


def _identity(sweep: Sweep, trial: Trial) -> str:
    """Name the study by all that its figures depend on: another sweep takes nothing from it."""
    return key_of(
        sweep.keys,
        [setting.text for setting in sweep.settings],
        [(clip.sha256, clip.label, clip.recording) for clip in trial.clips],
        trial.folds,
        [clip.sha256 for clip in trial.unlabelled],
        library_versions(),
        pinning(),
    )


@contextlib.contextmanager
def _workers(jobs: int) -> Iterator[Callable[..., "Future[Outcome]"]]:
    """Start processes for the work; none is left behind, however this one ends."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, initializer=_end_with_parent)
    try:
        yield pool.submit
    except BaseException as error:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        if isinstance(error, BrokenProcessPool):
            raise InputError(
                "a process that learnt a setting was killed, perhaps for want of memory",
                remedy="give the same command again, with fewer --jobs; it takes up from there",
            ) from None
        raise
    pool.shutdown()


def _end_with_parent() -> None:
    """Let this process end when the one that started it is killed; leave interrupts to that."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    sentinel = parent.sentinel
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        wait_for_end([sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


@contextlib.contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep a second sweep out of a folder."""
    with (out / ".lock").open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"--out: another sweep is at work in {out}",
                remedy="wait for it, or name another folder",
            ) from None
        yield


def best_of(outcomes: Sequence[Outcome]) -> int:
    """Number the outcome of the highest macro F1, the first of equal ones.

    Raises:
        InputError: None could be learnt.
    """
    scored = [
        (-outcome.scores.macro_f1, number)
        for number, outcome in enumerate(outcomes)
        if outcome.scores is not None
    ]
    if not scored:
        raise InputError(
            f"no setting can be learnt from the data: {outcomes[0].notes[0]}",
            remedy="add audio, or sweep smaller values",
        )
    return min(scored)[1]


_SETTING, _OUTCOME = "setting", "outcome"
"""What is kept with each of the study's trials: the setting's number, and what came of it."""

"""Who scores: this process, or several that each hold the model."""

import contextlib
import multiprocessing
import multiprocessing.connection
import signal
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol

from edge.allocator import keep_freed_memory
from edge.batch.record import FileRecord, Rows, pack_rows
from edge.batch.scoring import Failure, score_file
from edge.contracts import Model, PostProcessor, WindowKind
from edge.errors import EdgeError, ModelError
from edge.load import prove_model
from edge.model.folder import ModelFolder
from edge.refine import PostSpec, build_post


@dataclass(frozen=True, slots=True)
class Work:
    """What every worker of a run is told once."""

    models: tuple[ModelFolder, ...]
    """Verified folders: the primary model's, perhaps a fallback's."""
    fingerprints: tuple[str, ...]
    windows: WindowKind
    post: tuple[PostSpec, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """One recording to score."""

    number: int
    """Position among the run's recordings."""
    path: str
    model: int
    """Position in `Work.models`."""
    deadline_s: float | None
    """When to stop, on the monotonic clock."""


@dataclass(frozen=True, slots=True)
class PackedRows:
    """Rows as they go into the journal."""

    packed: bytes
    seconds: float
    """Audio of this recording read so far, in seconds."""


@dataclass(frozen=True, slots=True)
class Unloadable:
    """A model that could not be loaded when it was needed."""

    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Begun:
    """The task was taken up."""


@dataclass(frozen=True, slots=True)
class Returned:
    """The task was not taken up: its process had died before."""


Report = PackedRows | FileRecord | Failure | Unloadable | Begun | Returned


class Crew(Protocol):
    """Takes tasks, gives reports."""

    @property
    def free(self) -> int:
        """How many tasks can be given now."""
        ...

    def give(self, task: Task) -> None:
        """Begin a task."""
        ...

    def reports(self, *, timeout_s: float) -> Iterator[tuple[Task, Report]]:
        """Yield what came in; all but PackedRows and Begun end their task."""
        ...

    def close(self) -> None:
        """Stop at once."""
        ...


class _Scorer:
    """Holds the models of one process; the fallback is loaded when it is first needed."""

    def __init__(self, work: Work) -> None:
        keep_freed_memory()
        self._work = work
        self._loaded: dict[int, tuple[Model, list[PostProcessor]]] = {}
        self._model(0)

    def run(self, task: Task) -> Iterator[Report]:
        try:
            model, post = self._model(task.model)
        except ModelError as error:
            yield Unloadable(error.what, error.remedy)
            return
        try:
            for result in score_file(
                task.path,
                model,
                fingerprint=self._work.fingerprints[task.model],
                windows=self._work.windows,
                post=post,
                deadline_s=task.deadline_s,
            ):
                if isinstance(result, Rows):
                    yield PackedRows(pack_rows(result), result.seconds)
                else:
                    yield result
        except Exception as error:  # counted as a failed file, with the place: others go on
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            yield Failure(task.path, f"internal error: {type(error).__name__}: {error} at {where}")

    def close(self) -> None:
        for model, _ in self._loaded.values():
            model.close()

    def _model(self, number: int) -> tuple[Model, list[PostProcessor]]:
        if number not in self._loaded:
            model = prove_model(self._work.models[number])
            self._loaded[number] = model, build_post(self._work.post, model.info.labels)
        return self._loaded[number]


class OneProcess:
    """Scores in this process; a `Crew` of one.

    Args:
        work: What to score with.

    Raises:
        ModelError: The model cannot be loaded.
    """

    def __init__(self, work: Work) -> None:
        self._scorer = _Scorer(work)
        self._task: Task | None = None

    @property
    def free(self) -> int:
        """One, unless a task waits."""
        return int(self._task is None)

    def give(self, task: Task) -> None:
        """Keep the task for `reports`."""
        self._task = task

    def reports(self, *, timeout_s: float) -> Iterator[tuple[Task, Report]]:
        """Run the task."""
        if self._task is None:
            return
        task = self._task
        for report in self._scorer.run(task):
            if not isinstance(report, PackedRows):
                self._task = None
            yield task, report

    def close(self) -> None:
        """Let go of the models."""
        self._scorer.close()


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: "Connection[object, object]"
    ready: bool = False
    task: Task | None = None
    begun: bool = False


class Processes:
    """Scores in several processes, each with a model of its own; a `Crew`.

    A process that dies fails the recording it was on and is replaced.

    Args:
        work: What to score with.
        count: How many processes.
    """

    def __init__(self, work: Work, count: int) -> None:
        self._work = work
        self._context = multiprocessing.get_context("spawn")
        self._workers = [self._start() for _ in range(count)]
        self._stillborn = 0

    @property
    def free(self) -> int:
        """How many processes wait for a task."""
        return sum(worker.ready and worker.task is None for worker in self._workers)

    def give(self, task: Task) -> None:
        """Send a task to a process that waits."""
        worker = next(w for w in self._workers if w.ready and w.task is None)
        worker.task, worker.begun = task, False
        # One that died while it waited shows by its closed pipe, in `reports`.
        with contextlib.suppress(OSError):
            worker.pipe.send(task)

    def reports(self, *, timeout_s: float) -> Iterator[tuple[Task, Report]]:
        """Wait for messages, and for processes that die.

        Raises:
            ModelError: No process can load the model.
        """
        by_pipe = {worker.pipe: worker for worker in self._workers}
        for pipe in multiprocessing.connection.wait(list(by_pipe), timeout=timeout_s):
            worker = by_pipe[pipe]  # type: ignore[index]
            try:
                message = worker.pipe.recv()
            except (EOFError, ConnectionError):
                yield from self._replace(worker)
                continue
            if message is None:
                worker.ready = True
                self._stillborn = 0
            elif worker.task is None:
                assert isinstance(message, Unloadable)
                raise ModelError(message.what, remedy=message.remedy)
            else:
                task = worker.task
                assert isinstance(message, Report)
                worker.begun = True
                if not isinstance(message, PackedRows | Begun):
                    worker.task = None
                yield task, message

    def close(self) -> None:
        """End every process at once; what they were on is lost."""
        for worker in self._workers:
            worker.pipe.close()
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join()

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(self._work, theirs), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _replace(self, worker: _Worker) -> Iterator[tuple[Task, Report]]:
        worker.pipe.close()
        worker.process.join(_PATIENCE_S)
        why = _death(worker.process.exitcode)
        if not worker.ready:
            self._stillborn += 1
            if self._stillborn >= _MOST_STILLBORN:
                raise ModelError(
                    f"the process that should load {self._work.models[0].path} {why}",
                    remedy="try fewer --workers, or a smaller model",
                )
        self._workers[self._workers.index(worker)] = self._start()
        if worker.task is not None and worker.begun:
            yield worker.task, Failure(worker.task.path, f"the process that scored it {why}")
        elif worker.task is not None:
            yield worker.task, Returned()


def _work(work: Work, pipe: "Connection[object, object]") -> None:
    """Be a worker: load, then answer each task; end when the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        try:
            scorer = _Scorer(work)
        except EdgeError as error:
            pipe.send(Unloadable(error.what, error.remedy))
            return
        pipe.send(None)
        while True:
            task = pipe.recv()
            assert isinstance(task, Task)
            pipe.send(Begun())
            for report in scorer.run(task):
                pipe.send(report)
    except (EOFError, ConnectionError):
        return  # whoever gave the tasks is gone


def _death(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f"ended with exit code {exit_code}"
    name = signal.Signals(-exit_code).name
    hint = " (often: out of memory)" if -exit_code == signal.SIGKILL else ""
    return f"died of {name}{hint}"


_PATIENCE_S = 5.0
_MOST_STILLBORN = 3

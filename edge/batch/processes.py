"""Several processes that score, each with a model of its own."""

import contextlib
import multiprocessing
import multiprocessing.connection
import multiprocessing.resource_tracker
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from edge.batch.overheard import Overheard
from edge.batch.scoring import Failure
from edge.batch.workers import (
    Begun,
    PackedRows,
    Report,
    Returned,
    Scorer,
    Task,
    Unloadable,
    Work,
)
from edge.errors import EdgeError, ModelError


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: "Connection[object, object]"
    overheard: Overheard
    ready: bool = False
    task: Task | None = None
    begun: bool = False


class Processes:
    """Scores in several processes, each with a model of its own; a `Crew`.

    A process that dies fails the recording it was on and is replaced. What a process writes to its
    standard error comes here line by line: native libraries write there without being asked.

    Args:
        work: What to score with.
        count: How many processes.
    """

    def __init__(self, work: Work, count: int) -> None:
        self._work = work
        self._context = multiprocessing.get_context("spawn")
        self._lines: list[str] = []
        self._told: set[str] = set()
        self._stillborn = 0
        # It would be started with the first process, and let interrupts through again.
        multiprocessing.resource_tracker.ensure_running()
        self._workers = [self._start() for _ in range(count)]

    @property
    def free(self) -> int:
        """How many processes wait for a task."""
        return sum(worker.ready and worker.task is None for worker in self._workers)

    def give(self, task: Task) -> None:
        """Send a task to a process that waits."""
        worker = next(w for w in self._workers if w.ready and w.task is None)
        worker.task, worker.begun = task, False
        worker.overheard.forget()
        # One that died while it waited shows by its closed pipe, in `reports`.
        with contextlib.suppress(OSError):
            worker.pipe.send(task)

    def reports(self, *, timeout_s: float) -> Iterator[tuple[Task, Report]]:
        """Wait for messages, and for processes that die.

        Raises:
            ModelError: No process can load the model.
        """
        by_pipe = {worker.pipe: worker for worker in self._workers}
        heard = [worker.overheard for worker in self._workers if not worker.overheard.ended]
        by_ear = {overheard.pipe: overheard for overheard in heard}
        for pipe in multiprocessing.connection.wait([*by_pipe, *by_ear], timeout=timeout_s):
            if pipe in by_ear:
                self._keep(by_ear[pipe].read())
                continue
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

    def overheard(self) -> list[str]:
        """Return what the processes wrote since the last call: each line once, and not many."""
        lines, self._lines = self._lines, []
        return lines

    def close(self) -> None:
        """End every process at once; what they were on is lost."""
        for worker in self._workers:
            worker.pipe.close()
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join()
            worker.overheard.close()

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        hearing, speaking = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_work, args=(self._work, theirs, speaking), daemon=True
        )
        # An interrupt is this process's to answer, also while Python starts in that one.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        theirs.close()
        speaking.close()
        return _Worker(process, ours, Overheard(hearing))

    def _keep(self, lines: list[str]) -> None:
        for line in lines:
            if line not in self._told and len(self._told) < _MOST_LINES:
                self._told.add(line)
                self._lines.append(line)

    def _replace(self, worker: _Worker) -> Iterator[tuple[Task, Report]]:
        worker.pipe.close()
        worker.process.join(_PATIENCE_S)
        self._keep(worker.overheard.read_all())
        why = _death(worker.process.exitcode) + worker.overheard.last_words
        worker.overheard.close()
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


def _work(
    work: Work, pipe: "Connection[object, object]", speaking: "Connection[object, object]"
) -> None:
    """Be a worker: load, then answer each task; end when the pipe closes."""
    os.dup2(speaking.fileno(), 2)
    speaking.close()
    try:
        try:
            scorer = Scorer(work)
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
_MOST_LINES = 20

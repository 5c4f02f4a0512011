"""Who scores: this process, or several that each hold the model (`edge.batch.processes`)."""

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge.allocator import keep_freed_memory
from edge.batch.record import FileRecord, pack_rows
from edge.batch.scoring import Failure, Part, score_file
from edge.contracts import Model, PostProcessor, WindowKind
from edge.errors import ModelError
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
    share: float
    """Of the whole recording, from 0 to 1."""


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

    def overheard(self) -> list[str]:
        """Return what native code in the workers wrote since the last call, for the user."""
        ...

    def close(self) -> None:
        """Stop at once."""
        ...


class Scorer:
    """Holds the models of one process; the fallback is loaded when it is first needed."""

    def __init__(self, work: Work) -> None:
        keep_freed_memory()
        self._work = work
        self._loaded: dict[int, tuple[Model, list[PostProcessor]]] = {}
        self._model(0)

    def run(self, task: Task) -> Iterator[Report]:
        """Score a recording; what goes wrong is its Failure."""
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
                if isinstance(result, Part):
                    yield PackedRows(pack_rows(result.rows), result.seconds, result.share)
                else:
                    yield result
        except Exception as error:  # counted as a failed file, with the place: others go on
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            yield Failure(task.path, f"internal error: {type(error).__name__}: {error} at {where}")

    def close(self) -> None:
        """Let go of the models."""
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
        self._scorer = Scorer(work)
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

    def overheard(self) -> list[str]:
        """Return nothing: what native code writes in this process is shown as it comes."""
        return []

    def close(self) -> None:
        """Let go of the models."""
        self._scorer.close()

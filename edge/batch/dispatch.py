"""Giving recordings to workers, and keeping what comes back."""

import os
import time
from collections import deque
from dataclasses import dataclass, field, replace

from edge.batch.budget import Budget, Choice
from edge.batch.journal import Journal
from edge.batch.plan import Plan
from edge.batch.processes import Processes
from edge.batch.progress import Progress, Standing, open_progress, tell
from edge.batch.record import FileRecord
from edge.batch.scoring import OUT_OF_TIME, Failure
from edge.batch.summary import Summary
from edge.batch.workers import (
    Begun,
    Crew,
    OneProcess,
    PackedRows,
    Report,
    Task,
    Unloadable,
    Work,
)


@dataclass(slots=True)
class Dispatch:
    """Gives recordings to a crew and keeps what comes back."""

    plan: Plan
    journal: Journal
    summary: Summary
    began_s: float = field(kw_only=True)
    """When the command began, on the monotonic clock."""
    _queue: deque[int] = field(default_factory=deque)
    _sizes: list[int] = field(default_factory=list)
    _total: int = 0
    """Bytes of all recordings."""
    _left: int = 0
    """Bytes in the queue."""
    _busy: dict[int, tuple[Task, float]] = field(default_factory=dict)
    """Recordings in progress and when they began."""
    _parts: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    _partly: dict[int, PackedRows] = field(default_factory=dict)
    """What was last heard of recordings in progress."""
    _next_show_s: float = 0.0

    def run(self) -> None:
        """Score every recording that an earlier run did not."""
        self._begin()
        if not self._queue:
            return
        options = self.plan.options
        budget = None
        if options.budget_s is not None:
            budget = Budget(
                limit_s=options.budget_s,
                workers=min(options.workers, len(self._queue)),
                has_fallback=len(self.plan.models) > 1,
                columns=len(self.plan.columns),
            )
        if not options.quiet:
            self._greet()
        crew = self._hire()
        progress = open_progress(
            files=len(self.plan.recordings),
            work=self._total,
            at=self._standing(budget),
            began_s=self.began_s,
            budget_s=options.budget_s,
            quiet=options.quiet,
        )
        try:
            while self._queue or self._busy:
                while self._queue and crew.free:
                    self._give(crew, budget)
                for task, report in crew.reports(timeout_s=_REFRESH_S):
                    self._take(task, report, budget, progress)
                    self._show(progress, budget)
                for line in crew.overheard():
                    progress.say(line)
                self._show(progress, budget)
        finally:
            crew.close()
            progress.close()

    def _begin(self) -> None:
        """Fill the queue with what is not in the journal as it is on the disk."""
        known = {model.fingerprint: model.id for model in self.plan.models}
        for number, path in enumerate(self.plan.recordings.paths):
            record = self.journal.find(path)
            if record is not None and _is_current(record, known):
                self.summary.resumed += 1
                self.summary.add(record, known[record.model])
            else:
                self.journal.forget(path)
                self._queue.append(number)
        self.summary.resumed_audio_s = self.summary.audio_s
        self._sizes = [_size(path) for path in self.plan.recordings.paths]
        self._total = sum(self._sizes)
        self._left = sum(self._sizes[number] for number in self._queue)

    def _greet(self) -> None:
        journal = self.journal
        if journal.put_aside is not None:
            tell(
                f"an unfinished run was there: starting afresh; it is kept as {journal.put_aside} "
                "(--resume would have gone on with it)"
            )
        if self.plan.options.resume:
            left = f"{len(self._queue)} to do"
            tell(f"resuming: {self.summary.resumed} files were scored before, {left}")
        if journal.dropped_bytes:
            tell(f"{journal.dropped_bytes} bytes of an unfinished record were dropped")

    def _hire(self) -> Crew:
        work = Work(
            models=tuple(model.folder for model in self.plan.models),
            fingerprints=tuple(model.fingerprint for model in self.plan.models),
            windows=self.plan.options.windows,
            post=tuple(self.plan.post),
        )
        workers = min(self.plan.options.workers, len(self._queue))
        return OneProcess(work) if workers == 1 else Processes(work, workers)

    def _give(self, crew: Crew, budget: Budget | None) -> None:
        """Give the next recording to whoever is free, or all up where there is no time."""
        number = self._queue[0]
        size = self._sizes[number]
        choice, deadline_s = Choice.PRIMARY, None
        if budget is not None:
            choice = budget.choose(
                size,
                others=self._left - size,
                total=self._total,
                elapsed_s=time.monotonic() - self.began_s,
                busy_s=self._busy_s(budget),
            )
            deadline_s = self.began_s + budget.limit_s - budget.reserve_s(self._total)
            if choice is Choice.STOP:
                self.summary.unreached += [self.plan.recordings.paths[n] for n in self._queue]
                self._queue.clear()
                self._left = 0
                return
        self._left -= size
        self._queue.popleft()
        task = Task(number, self.plan.recordings.paths[number], choice.value, deadline_s)
        self._busy[number] = task, time.monotonic()
        self._parts[number] = []
        crew.give(task)

    def _take(self, task: Task, report: Report, budget: Budget | None, progress: Progress) -> None:
        """Keep what a worker reports."""
        number = task.number
        if isinstance(report, Begun):
            return
        if isinstance(report, PackedRows):
            self._parts[number].append(self.journal.add_rows(report.packed))
            self._partly[number] = report
            return
        parts = self._parts.pop(number)
        self._partly.pop(number, None)
        del self._busy[number]
        if isinstance(report, FileRecord):
            record = replace(report, parts=parts, path=task.path)
            self.journal.add_file(record)
            self.summary.add(record, self.plan.models[task.model].id)
            if budget is not None:
                rows = sum(record.counts.values())
                size = self._sizes[number]
                budget.observe(Choice(task.model), size=size, spent_s=record.elapsed_s, rows=rows)
        elif isinstance(report, Failure) and report.reason == OUT_OF_TIME:
            self.summary.unreached.append(task.path)
        elif isinstance(report, Failure):
            self.summary.failures.append((task.path, report.reason))
        else:
            if isinstance(report, Unloadable) and budget is not None:
                budget.has_fallback = False
                self.summary.remarks.append(f"no model to step down to: {report.what}")
                progress.say(f"no model to step down to: {report.what}")
            self._queue.appendleft(number)
            self._left += self._sizes[number]

    def _busy_s(self, budget: Budget) -> float:
        """Return what the recordings in progress are expected to need still."""
        now_s = time.monotonic()
        total_s = 0.0
        for number, (task, since_s) in self._busy.items():
            expected_s = budget.expected_s(Choice(task.model), self._sizes[number])
            total_s += max(0.0, (expected_s or 0.0) - (now_s - since_s))
        return total_s

    def _show(self, progress: Progress, budget: Budget | None) -> None:
        if time.monotonic() < self._next_show_s and (self._queue or self._busy):
            return
        self._next_show_s = time.monotonic() + _SECONDS_A_LOOK
        progress.show(self._standing(budget))

    def _standing(self, budget: Budget | None) -> Standing:
        summary = self.summary
        in_progress = sum(self._sizes[number] for number in self._busy)
        partly = sum(self._sizes[number] * part.share for number, part in self._partly.items())
        partly_s = sum(part.seconds for part in self._partly.values())
        return Standing(
            files=summary.files - len(self._queue) - len(self._busy),
            work=self._total - self._left - in_progress + partly,
            audio_s=summary.audio_s - summary.resumed_audio_s + partly_s,
            writing_s=0.0 if budget is None else budget.reserve_s(self._total),
        )


def _is_current(record: FileRecord, known: dict[str, str]) -> bool:
    """Tell whether a recording is as it was when a model of this run scored it."""
    if record.model not in known or record.out_of_time:
        return False
    try:
        status = os.stat(record.path)
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (record.size, record.mtime_ns)


def _size(path: str) -> int:
    """Return a recording's bytes, at least 1: what cannot be read is work, too."""
    try:
        return max(1, os.stat(path).st_size)
    except OSError:
        return 1


_REFRESH_S = 0.5
_SECONDS_A_LOOK = 0.1

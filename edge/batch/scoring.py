"""One recording through one model."""

import math
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge.batch.record import STATE_LETTERS, FileRecord, Rows, Stretch
from edge.contracts import (
    FRAME_SECONDS,
    Model,
    Outcome,
    PostProcessor,
    Prediction,
    WindowKind,
    WindowState,
)
from edge.errors import AudioError, EdgeError
from edge.pipeline import StreamScorer
from edge.sources.file import AudioFile


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a recording's rows, and how far it is."""

    rows: Rows
    seconds: float
    """Audio read so far, in seconds."""
    share: float
    """Of the whole recording, from 0 to 1, as far as its header tells."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A recording that could not be scored."""

    path: str
    reason: str
    elapsed_s: float = 0.0


def score_file(
    path: str,
    model: Model,
    *,
    fingerprint: str,
    windows: WindowKind,
    post: Sequence[PostProcessor] = (),
    deadline_s: float | None = None,
) -> Iterator[Part | FileRecord | Failure]:
    """Score one recording.

    Memory is bounded: rows are handed on as they come.

    Args:
        path: The recording.
        model: The loaded model.
        fingerprint: Names the model in the record.
        windows: Frames or the model's own clips.
        post: Post-processors, in order.
        deadline_s: When to stop reading, on the monotonic clock.

    Yields:
        Its rows in order, every few seconds or so, at last a FileRecord; or, where it cannot be
        scored, a Failure.
    """
    began_s = time.monotonic()
    frames = windows is WindowKind.FRAME
    tally = _Tally(step_s=FRAME_SECONDS if frames else model.info.step_seconds)
    most_rows = max(1, min(_MOST_VALUES // max(1, len(model.info.labels)), _MOST_ROWS))
    held: list[Outcome] = []
    out_of_time = False
    try:
        status = os.stat(path)
        block_s = _BLOCK_S if deadline_s is None else _HURRIED_BLOCK_S
        with AudioFile(Path(path), block_seconds=block_s) as audio:
            scorer = StreamScorer(model, windows=windows, post=post)
            seconds, at_s = 0.0, 0.0
            handed_on_s = began_s
            for block in audio:
                if deadline_s is not None and time.monotonic() > deadline_s:
                    out_of_time = True
                    break
                if (start_s := block.start_sample / block.sample_rate_hz) > at_s:
                    held += scorer.finish()
                    yield Part(tally.gather(held), audio.seconds, audio.share)
                    held = []
                    tally.miss(start_s, "the audio is missing in the file")
                held += scorer.push(block)
                seconds += len(block.samples) / block.sample_rate_hz
                at_s = audio.seconds
                late = time.monotonic() - handed_on_s > _MOST_SILENCE_S
                if len(held) >= most_rows or (held and late):
                    yield Part(tally.gather(held), at_s, audio.share)
                    held = []
                    handed_on_s = time.monotonic()
            else:
                held += scorer.finish()
            if held:
                yield Part(tally.gather(held), at_s, audio.share)
    except EdgeError as error:
        yield Failure(path, _reason(error, path), time.monotonic() - began_s)
        return
    except OSError as error:
        yield Failure(
            path, f"cannot be read: {error.strerror or error}", time.monotonic() - began_s
        )
        return
    notes = list(audio.notes)
    if out_of_time:
        if not tally.counts:
            yield Failure(path, OUT_OF_TIME, time.monotonic() - began_s)
            return
        notes.append(f"out of time: scored to {at_s:.0f} s, the rest is left")
    elif audio.ends_early and audio.promised_s is not None:
        tally.miss(
            audio.promised_s,
            f"the recording ends early: its header promises {audio.promised_s:.1f} s",
        )
    yield FileRecord(
        path=path,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        model=fingerprint,
        seconds=seconds,
        elapsed_s=time.monotonic() - began_s,
        counts=dict(tally.counts),
        unscored=tally.unscored,
        notes=notes,
        ends_early=audio.ends_early,
        out_of_time=out_of_time,
    )


class _Tally:
    """What became of a recording's windows so far.

    Args:
        step_s: From the start of one window to that of the next, in seconds.
    """

    def __init__(self, *, step_s: float) -> None:
        self.counts: Counter[str] = Counter()
        """By state letter."""
        self.unscored: list[Stretch] = []
        self._goes_on = False
        """Whether the last window was part of the last stretch."""
        self._step_s = step_s
        self._end_s = 0.0
        """Where the last window ends."""

    def gather(self, outcomes: Sequence[Outcome]) -> Rows:
        """Put outcomes into rows, and count them."""
        states = "".join(STATE_LETTERS[outcome.state] for outcome in outcomes)
        self.counts.update(states)
        for outcome in outcomes:
            self._note(outcome)
            self._end_s = max(self._end_s, outcome.window.end_s)
        scores = [outcome.scores for outcome in outcomes if isinstance(outcome, Prediction)]
        return Rows(
            ends_s=[outcome.window.end_s for outcome in outcomes],
            states=states,
            scores=np.stack(scores) if scores else np.empty((0, 0), dtype=np.float32),
        )

    def miss(self, until_s: float, reason: str) -> None:
        """Count the windows of which the file has nothing, from the last one to `until_s`."""
        windows = math.ceil((until_s - self._end_s) / self._step_s - _NO_WINDOW)
        if windows <= 0:
            return
        letter = STATE_LETTERS[WindowState.GAP]
        start_s, self._end_s = self._end_s, self._end_s + windows * self._step_s
        self.unscored.append(Stretch(start_s, self._end_s, windows, letter, reason))
        self.counts[letter] += windows
        self._goes_on = False

    def _note(self, outcome: Outcome) -> None:
        if isinstance(outcome, Prediction):
            self._goes_on = False
            return
        state, end_s = STATE_LETTERS[outcome.state], outcome.window.end_s
        last = self.unscored[-1] if self._goes_on else None
        if last is not None and (last.state, last.reason) == (state, outcome.reason):
            self.unscored[-1] = replace(last, end_s=end_s, windows=last.windows + 1)
        else:
            self.unscored.append(Stretch(outcome.window.start_s, end_s, 1, state, outcome.reason))
        self._goes_on = True


def _reason(error: EdgeError, path: str) -> str:
    """Say it in one line, without the path that the line begins with anyway."""
    what = error.what.removeprefix(f"{path}: ") if isinstance(error, AudioError) else error.what
    return f"{what} ({error.remedy})" if error.remedy else what


OUT_OF_TIME = "the time budget was used up"

_MOST_VALUES = 1 << 20
_NO_WINDOW = 1e-6
_MOST_ROWS = 60
_MOST_SILENCE_S = 1.0
_BLOCK_S = 60.0
_HURRIED_BLOCK_S = 10.0
"""Where the clock has to be looked at between blocks, at a few percent of the time."""

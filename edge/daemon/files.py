"""One recording on its way through a model, a block at a time."""

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from edge.contracts import AudioBlock, Outcome
from edge.daemon.hearing import hear, windows_in
from edge.daemon.ledger import Ledger
from edge.errors import AudioError
from edge.handover import Relay
from edge.recorder.start import Start, resolve_start
from edge.riff import read_metadata
from edge.sources.directory import FoundFile, read_fingerprint
from edge.sources.file import AudioFile
from edge.store.entries import FileDone, FileState, Heard


class FileChangedError(Exception):
    """The file was written to, replaced or taken away while it was read."""


class FileInHandError(Exception):
    """Another source is scoring the same sound."""


@dataclass(frozen=True, slots=True)
class FileTask:
    """What to do with one recording."""

    found: FoundFile
    source: str
    """Name of the source that found it."""
    zone: tzinfo
    """Of recorders that do not say theirs."""
    relay: Relay
    labels: Mapping[str, Sequence[str]]
    """Of each model in use, by its `name@version`; kept up to date by its owner."""
    known_content: Callable[[str], str | None]
    """Tells the path under which a content, by its sha256, was scored before."""
    in_hand: set[str]
    """Contents, by their sha256, that any source is scoring; shared by all."""
    previous: datetime | None = None
    """When the recording before it began: decides where the clocks were put back."""


def score_file(task: FileTask) -> Generator[float, None, FileDone]:
    """Score a recording in steps of some seconds of sound.

    Yields:
        Seconds of sound scored so far.

    Returns:
        The recording with all its windows, by `yield from`.

    Raises:
        FileChangedError: It is not what it was when it was found: nothing is kept of it.
        FileInHandError: The same sound is being scored: once that is done it is known.
    """
    found = task.found
    path = found.path
    try:
        sha256 = yield from _hash(path)
        _check_unchanged(found)
        before = task.known_content(sha256)
        if before is not None:
            return _done(task, sha256, FileState.DUPLICATE, reason=f"the same sound as {before}")
        if sha256 in task.in_hand:
            raise FileInHandError
        task.in_hand.add(sha256)
        try:
            done = yield from _score(task, sha256)
        finally:
            task.in_hand.remove(sha256)
    except FileNotFoundError:
        raise FileChangedError("it was taken away before it could be read") from None
    except OSError as reason:
        _check_unchanged(found)
        return _done(
            task, "", FileState.FAILED, reason=f"cannot be read: {reason.strerror or reason}"
        )
    _check_unchanged(found)
    return done


def _score(task: FileTask, sha256: str) -> Generator[float, None, FileDone]:
    path = task.found.path
    ledger = Ledger()
    # libsndfile may keep what it reads of a name, so the file is opened once.
    audio = AudioFile(path, block_seconds=_STEP_S)
    failed = ""
    broken: list[str] = []
    try:
        with audio:
            for block in audio:
                broken += _account(task, ledger, block, audio.sample_rate_hz)
                yield audio.seconds
    except AudioError as error:
        failed = error.what.removeprefix(f"{path}: ")
    rate = audio.sample_rate_hz
    if failed and not audio.decoded_samples:
        return _done(task, sha256, FileState.FAILED, reason=failed)
    broken += _end_segment(task, ledger, rate)
    if audio.ends_early and audio.promised_s is not None:
        _account_for_gap(ledger, round(audio.promised_s * rate), rate, "the recording ends early")
    start = _start(task, duration_s=audio.seconds)
    ranges, sightings = ledger.take()
    predicted = any(part.model for part in ranges)
    return FileDone(
        source=task.source,
        path=str(path),
        size=task.found.size,
        mtime_ns=task.found.mtime_ns,
        fingerprint=task.found.fingerprint,
        sha256=sha256,
        state=FileState.DONE if predicted else FileState.UNHEARD,
        reason="; ".join(filter(None, [failed, *dict.fromkeys(broken)])),
        sample_rate_hz=rate,
        samples=audio.decoded_samples,
        started_at=start.at,
        time_source=start.source.value,
        notes="; ".join(filter(None, [*audio.notes, start.note])),
        ranges=tuple(ranges),
        heard=tuple(
            Heard(
                seen.start_s,
                seen.end_s,
                start.at + timedelta(seconds=seen.start_s),
                seen.label,
                seen.confidence,
                seen.model,
            )
            for seen in sightings
        ),
    )


def _account(task: FileTask, ledger: Ledger, block: AudioBlock, rate: int) -> list[str]:
    """Account for a block; return what broke the model at it."""
    broken: list[str] = []
    if block.start_sample > task.relay.position:
        broken += _end_segment(task, ledger, rate)
        _account_for_gap(ledger, block.start_sample, rate, "missing or damaged")
    return broken + _hear(task, ledger, lambda: task.relay.push(block), rate, block.end_sample)


def _end_segment(task: FileTask, ledger: Ledger, rate: int) -> list[str]:
    return _hear(task, ledger, task.relay.finish, rate, task.relay.position, ends=True)


def _hear(
    task: FileTask,
    ledger: Ledger,
    say: Callable[[], Sequence[Outcome]],
    rate: int,
    received_to: int,
    *,
    ends: bool = False,
) -> list[str]:
    broken = hear(
        say,
        task.relay,
        ledger,
        task.labels,
        sample_rate_hz=rate,
        received_to=received_to,
        ends=ends,
    )
    return [f"the model broke: {broken}"] if broken else []


def _account_for_gap(ledger: Ledger, end_sample: int, rate: int, reason: str) -> None:
    """Account for what a recording should hold and does not, in windows begun."""
    missing = end_sample - ledger.accounted
    if missing > 0:
        ledger.add_gap(end_sample, received=0, windows=windows_in(missing, rate), reason=reason)


def _start(task: FileTask, *, duration_s: float) -> Start:
    path = task.found.path
    metadata = read_metadata(path)
    return resolve_start(
        name=path.name,
        mtime_s=task.found.mtime_ns / 1e9,
        zone=task.zone,
        guano=metadata.guano,
        comment=metadata.comment,
        duration_s=duration_s,
        previous=task.previous,
    )


def _hash(path: Path) -> Generator[float, None, str]:
    digest = hashlib.sha256()
    # Of a pipe that has taken the recording's place, opening would wait for who writes.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileChangedError("it was replaced by something that is no file")
        while content := file.read(_HASH_BYTES):
            digest.update(content)
            yield 0.0
    return digest.hexdigest()


def _check_unchanged(found: FoundFile) -> None:
    try:
        status = os.stat(found.path)
    except OSError:
        raise FileChangedError("it was taken away while it was read") from None
    if (status.st_size, status.st_mtime_ns) != (found.size, found.mtime_ns):
        raise FileChangedError("it was written to while it was read")
    # One that cannot be read any more is told as that.
    with contextlib.suppress(OSError):
        if read_fingerprint(found.path)[0] != found.fingerprint:
            raise FileChangedError("another file with its size and time has taken its place")


def _done(task: FileTask, sha256: str, state: FileState, *, reason: str) -> FileDone:
    found = task.found
    return FileDone(
        source=task.source,
        path=str(found.path),
        size=found.size,
        mtime_ns=found.mtime_ns,
        fingerprint=found.fingerprint,
        sha256=sha256,
        state=state,
        reason=reason,
    )


_HASH_BYTES = 4 << 20
_STEP_S = 10.0
"""Seconds of sound scored at a time: whoever says stop, and live sources, wait for it."""

"""Standard output: sentences on a terminal, JSON Lines for a program."""

import errno
import os
import select
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Annotated

from msgspec import Meta

from edge.contracts import Detection
from edge.strict_yaml import Record
from edge.table.context import Station
from edge.table.rows import detection_row, is_live, split_label
from edge.table.text import as_text, json_line, one_line


class Form(StrEnum):
    """How a line is written."""

    AUTO = "auto"
    """Text on a terminal, else JSON."""
    TEXT = "text"
    JSON = "json"


class StdoutSpec(Record, frozen=True):
    """`stdout: {min_confidence: 0.5, form: json}`."""

    form: Form = Form.AUTO
    min_confidence: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """Detections below it are passed over."""

    def build(self, station: Station, *, folder: Path, position: str = "") -> "StdoutSink":
        """Make the sink; it has no file, and no position."""
        return StdoutSink(station, form=self.form, min_confidence=self.min_confidence)


class StdoutSink:
    """Writes a line a detection to standard output; a `Sink`.

    It writes past Python's buffer, so that a line is out when `write` returns and nothing is left
    to fail when the program ends. A reader that went away or does not read is an `OSError` like
    any other; what was not read is offered again, a started line is completed first. What a
    reader took before the program was killed it may get again.

    Args:
        station: Where the detections are made.
        form: How a line is written.
        min_confidence: Detections below it are passed over.
        descriptor: The open file to write to; standard output if it is None.
        patience_s: How long it waits for a reader that does not read, in seconds.
    """

    def __init__(
        self,
        station: Station,
        *,
        form: Form = Form.AUTO,
        min_confidence: float = 0.0,
        descriptor: int | None = None,
        patience_s: float = 1.0,
    ) -> None:
        if descriptor is None:
            # A program started with it closed must not write to what took its number.
            descriptor = _CLOSED if sys.__stdout__ is None else sys.__stdout__.fileno()
        self._descriptor = descriptor
        terminal = form is Form.AUTO and descriptor != _CLOSED and os.isatty(descriptor)
        self._text = terminal or form is Form.TEXT
        self._station = station
        self._min_confidence = min_confidence
        self._patience_s = patience_s
        self._rest = b""
        self._last = 0

    def __enter__(self) -> "StdoutSink":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave standard output open: others use it."""

    @property
    def position(self) -> str:
        """Where the next line goes: nothing can be told of a stream."""
        return ""

    def ready(self) -> str:
        """Say where the next line goes: nothing can be told of a stream."""
        return ""

    def write(self, detections: Sequence[Detection]) -> None:
        """Write a line for each detection.

        Raises:
            OSError: Nobody reads, or no more.
        """
        self._send_rest()
        for detection in detections:
            if detection.number <= self._last:
                continue
            if detection.confidence >= self._min_confidence:
                self._rest = self._line(detection).encode()
            self._last = detection.number
            self._send_rest()

    def _send_rest(self) -> None:
        if self._descriptor == _CLOSED:
            raise OSError(errno.EPIPE, "is closed", "standard output")
        waiting = select.poll()
        waiting.register(self._descriptor, select.POLLOUT)
        while self._rest:
            if not waiting.poll(self._patience_s * 1000):
                raise OSError(errno.EAGAIN, "nobody reads it", "standard output")
            try:
                # So much a pipe that has room takes at once, whole.
                sent = os.write(self._descriptor, self._rest[: select.PIPE_BUF])
            except OSError as reason:
                reason.filename = "standard output"
                raise
            self._rest = self._rest[sent:]

    def _line(self, detection: Detection) -> str:
        if not self._text:
            return json_line(detection_row(detection, self._station))
        at = detection.at.astimezone(self._station.zone)
        scientific, common = split_label(detection.label)
        name = common if common == scientific else f"{common} ({scientific})"
        where = as_text(detection.stream)
        if not is_live(detection):
            where += f" at {detection.start_s:g} s"
        return (
            one_line(f"{at:%Y-%m-%d %H:%M:%S%z}  {detection.confidence:.2f}  {name}  {where}")
            + "\n"
        )


_CLOSED = -1

"""Raw PCM through a named pipe: programs that come and go write, edge stays."""

import os
import stat
from collections.abc import Iterator
from types import TracebackType
from typing import Annotated

from msgspec import Meta

from edge.contracts import AudioBlock
from edge.dsp.pcm import PcmFormat
from edge.errors import AudioError
from edge.pcm_reader import Channels, PcmReader, SampleRate
from edge.strict_yaml import Record


class FifoSpec(Record, frozen=True):
    """`fifo: {path: /run/edge/mic, sample_rate: 48000, format: s16le}`."""

    path: Annotated[str, Meta(min_length=1, examples=["/run/edge/mic"])]
    sample_rate: SampleRate
    format: PcmFormat
    channels: Channels = 1


class Fifo:
    """Raw PCM from a named pipe; a `LiveSource`.

    It waits for a writer; when the last writer closes the pipe the iteration ends, and the pipe
    can be opened again.

    Args:
        stream: Name of the stream.
        spec: Which pipe, and how the samples are written.

    Raises:
        AudioError: On entering or while iterating: there is no such pipe, or it cannot be read.
    """

    ends = False
    """Another writer may come."""

    def __init__(self, stream: str, spec: FifoSpec) -> None:
        self.sample_rate_hz = spec.sample_rate
        self._path = spec.path
        self._descriptor: int | None = None
        self._reader = PcmReader(
            stream,
            sample_rate_hz=spec.sample_rate,
            pcm_format=spec.format,
            channels=spec.channels,
        )

    def __enter__(self) -> "Fifo":
        try:
            # Opening a device may set it off, so it is looked at first; and it may be exchanged
            # in between, so it is looked at again.
            self._check(os.stat(self._path))
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
            self._check(os.fstat(self._descriptor))
        except OSError as reason:
            raise AudioError(
                f"{self._path}: cannot be opened: {reason.strerror}",
                remedy=f"make it with `mkfifo {self._path}`, readable for edge",
            ) from None
        except AudioError:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __iter__(self) -> Iterator[AudioBlock]:
        if self._descriptor is None:
            raise ValueError("enter the pipe with `with` before iterating it")
        return self._reader.blocks(self._descriptor)

    def stop(self) -> None:
        """Let the iteration end, for good; from any thread, any number of times."""
        self._reader.stop()

    def _check(self, status: os.stat_result) -> None:
        if not stat.S_ISFIFO(status.st_mode):
            raise AudioError(
                f"{self._path}: is not a named pipe",
                remedy="make one with `mkfifo`; recordings go through a directory source",
            )

"""Raw PCM on standard input: whatever can write to a pipe is a source."""

import os
import sys
from collections.abc import Iterator
from types import TracebackType

from edge.contracts import AudioBlock
from edge.dsp.pcm import PcmFormat
from edge.errors import AudioError
from edge.pcm_reader import Channels, PcmReader, SampleRate
from edge.strict_yaml import Record


class StdinSpec(Record, frozen=True):
    """`stdin: {sample_rate: 32000, format: f32le}`."""

    sample_rate: SampleRate
    format: PcmFormat
    channels: Channels = 1


class Stdin:
    """Raw PCM that is piped in; a `LiveSource` that ends when the pipe is closed.

    Args:
        stream: Name of the stream.
        spec: How the samples are written.
        descriptor: Where it comes in; stays open.

    Raises:
        AudioError: On entering or while iterating: it cannot be read.
    """

    ends = True
    """A pipe that was closed does not come back."""

    def __init__(self, stream: str, spec: StdinSpec, *, descriptor: int = 0) -> None:
        self.sample_rate_hz = spec.sample_rate
        self._stream = stream
        self._descriptor = descriptor
        self._reader = PcmReader(
            stream,
            sample_rate_hz=spec.sample_rate,
            pcm_format=spec.format,
            channels=spec.channels,
        )

    def __enter__(self) -> "Stdin":
        try:
            os.fstat(self._descriptor)
            if self._descriptor == 0 and sys.__stdin__ is None:
                # Closed when the program began: what has its number now is something else.
                raise OSError
        except OSError:
            raise AudioError(f"{self._stream}: standard input is closed", remedy=_PIPE) from None
        if os.isatty(self._descriptor):
            raise AudioError(
                f"{self._stream}: standard input is a terminal, not sound", remedy=_PIPE
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def __iter__(self) -> Iterator[AudioBlock]:
        return self._reader.blocks(self._descriptor)

    def stop(self) -> None:
        """Let the iteration end, for good; from any thread, any number of times."""
        self._reader.stop()


_PIPE = "pipe raw samples in: arecord -f S16_LE -r 48000 -c 1 -t raw | edge run -c edge.yaml"

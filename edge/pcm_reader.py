"""Reads raw PCM from a file descriptor as it comes, until it ends or one says stop."""

import os
import select
import threading
from collections.abc import Iterator
from typing import Annotated

import structlog
from msgspec import Meta

from edge.contracts import AudioBlock
from edge.dsp.pcm import PcmDecoder, PcmFormat
from edge.errors import AudioError

SampleRate = Annotated[int, Meta(ge=1000, le=1_000_000, examples=[48000])]
"""In YAML: samples a second of each channel, in Hz."""
Channels = Annotated[int, Meta(ge=1, le=64)]
"""In YAML: how many channels are interleaved."""

BLOCK_SECONDS = 0.25
"""The longest block of a live source, in seconds: what is there is handed on at once."""


class StopSignal:
    """Says stop to a thread that waits in `poll`: for good, even if it does not wait yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._is_set = False

    @property
    def is_set(self) -> bool:
        """Whether stop was said."""
        return self._is_set

    def open(self) -> int:
        """Return a descriptor that becomes readable at the stop; `close` it again."""
        with self._lock:
            self._descriptor = os.eventfd(int(self._is_set), os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            return self._descriptor

    def close(self) -> None:
        """Close the descriptor, if it is open."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def set(self) -> None:
        """Say stop; from any thread, any number of times."""
        with self._lock:
            self._is_set = True
            if self._descriptor is not None:
                os.eventfd_write(self._descriptor, 1)


class PcmReader:
    """Raw PCM of one stream, from one descriptor after another.

    Args:
        stream: Name of the stream.
        sample_rate_hz: Of each channel.
        pcm_format: How a sample is written.
        channels: How many are interleaved.
    """

    def __init__(
        self, stream: str, *, sample_rate_hz: int, pcm_format: PcmFormat, channels: int
    ) -> None:
        self._stream = stream
        self._sample_rate_hz = sample_rate_hz
        self._format = pcm_format
        self._channels = channels
        self._stop = StopSignal()
        self.fell_silent = False
        """Whether `blocks` ended because nothing came for so long."""

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set

    def stop(self) -> None:
        """Let `blocks` end, now and ever after; from any thread, any number of times."""
        self._stop.set()

    def blocks(
        self, descriptor: int, *, process: int | None = None, silence_s: float | None = None
    ) -> Iterator[AudioBlock]:
        """Yield what comes, numbered from 0, until it ends or `stop` is called.

        Half a sample at the end is left out, and the log says so.

        Args:
            descriptor: What to read; stays open.
            process: A pidfd. Once that process has ended, so does its sound, even if a child of
                its own still holds the other end of the pipe.
            silence_s: How long nothing may come before that is the end; None for ever.

        Raises:
            AudioError: It cannot be read.
        """
        decoder = PcmDecoder(self._format, channels=self._channels)
        most_bytes = max(1, int(BLOCK_SECONDS * self._sample_rate_hz)) * decoder.frame_bytes
        position = 0
        poller = select.poll()
        wait_ms = None if silence_s is None else round(1000 * silence_s)
        stop = self._stop.open()
        try:
            for waited_for in (stop, process, descriptor):
                if waited_for is not None:
                    poller.register(waited_for, select.POLLIN)
            while not self.stopped:
                ready = {waited_for for waited_for, _ in poller.poll(wait_ms)}
                self.fell_silent = not ready
                if stop in ready or not ready:
                    break
                data = self._read(descriptor, most_bytes) if descriptor in ready else b""
                if data is None:
                    continue
                if not data:
                    break
                samples = decoder.push(data)
                if len(samples):
                    yield AudioBlock(self._stream, position, self._sample_rate_hz, samples)
                    position += len(samples)
        finally:
            self._stop.close()
        if decoder.held_bytes and not self.stopped:
            structlog.get_logger().warning(
                "half a sample at the end of the sound is left out",
                stream=self._stream,
                bytes=decoder.held_bytes,
                sample_bytes=decoder.frame_bytes,
            )

    def _read(self, descriptor: int, most_bytes: int) -> bytes | None:
        """Read what is there; nothing at the end, None where another reader was quicker."""
        try:
            return os.read(descriptor, most_bytes)
        except BlockingIOError:
            return None
        except OSError as reason:
            raise AudioError(
                f"{self._stream}: its sound cannot be read: {reason.strerror}",
                remedy="look at what writes it",
            ) from None

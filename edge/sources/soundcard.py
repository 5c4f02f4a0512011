"""A microphone at a sound card, through PortAudio; needs the extra `soundcard`."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from types import ModuleType, TracebackType
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from edge.contracts import AudioBlock, FloatArray
from edge.dsp.mono import mix_to_mono
from edge.errors import AudioError
from edge.pcm_reader import BLOCK_SECONDS, Channels, SampleRate
from edge.remedies import for_this_python
from edge.strict_yaml import Record, RefusedError


class SoundcardSpec(Record, frozen=True):
    """`soundcard: {device: USB Microphone, sample_rate: 48000}`."""

    device: Annotated[str, Meta(min_length=1, examples=["USB Microphone"])]
    """The device's name or a part of it, which no other device shares. Numbers change when the
    machine starts again, so they are no names."""
    sample_rate: SampleRate
    channels: Channels = 1

    def __post_init__(self) -> None:
        """Refuse a number, while the line is known."""
        if self.device.strip().isdigit():
            raise RefusedError(
                f"{self.device!r} is a number, which changes when the machine starts again",
                remedy="give a part of the device's name, such as 'USB Microphone'",
                key="device",
            )


class Soundcard:
    """What a sound card's input hears; a `LiveSource`.

    Where the system was too slow to take the sound, its loss shows in the sample count.

    Args:
        stream: Name of the stream.
        spec: Which device, and how it is to record.

    Raises:
        AudioError: On entering or while iterating: no such device, or it stopped.
    """

    ends = False
    """A device that was unplugged can be plugged in again."""

    def __init__(self, stream: str, spec: SoundcardSpec) -> None:
        self.sample_rate_hz = spec.sample_rate
        self._stream = stream
        self._spec = spec
        self._changed = threading.Condition()
        self._heard: deque[tuple[int, FloatArray]] = deque()
        self._position = 0
        self._arrived_s: float | None = None
        self._over = False
        self._stopped = False
        self._input: Any = None

    def __enter__(self) -> "Soundcard":
        sounddevice = _load_sounddevice(self._stream)
        self._heard.clear()
        self._position, self._arrived_s, self._over = 0, None, False
        with _PORTAUDIO:
            try:
                self._start(sounddevice)
            except sounddevice.PortAudioError as reason:
                self._close()
                raise AudioError(
                    f"{self._stream}: {self._spec.device!r} cannot record "
                    f"{self._spec.channels} channels at {self._spec.sample_rate} Hz: {reason}",
                    remedy="give a rate and channels it has (`arecord --dump-hw-params`), and "
                    "make sure that no other program records from it",
                ) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with _PORTAUDIO:
            self._close()

    def __iter__(self) -> Iterator[AudioBlock]:
        if self._input is None:
            raise ValueError("enter the sound card with `with` before iterating it")
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._heard or self._over or self._stopped, timeout=_SILENCE_S
                )
                if self._stopped:
                    return
                if not self._heard:
                    break
                start_sample, samples = self._heard.popleft()
            yield AudioBlock(self._stream, start_sample, self.sample_rate_hz, samples)
        how = "stopped" if self._over else f"delivered nothing for {_SILENCE_S:.0f} s"
        raise AudioError(
            f"{self._stream}: {self._spec.device!r} {how}",
            remedy="see whether it is plugged in, and what the kernel says (`dmesg`)",
        )

    def stop(self) -> None:
        """Let the iteration end, for good; from any thread, any number of times."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _start(self, sounddevice: ModuleType) -> None:
        _look_again(sounddevice)
        self._input = sounddevice.InputStream(
            device=_find(self._spec.device, list(sounddevice.query_devices()), self._stream),
            samplerate=self._spec.sample_rate,
            channels=self._spec.channels,
            dtype="float32",
            blocksize=int(BLOCK_SECONDS * self._spec.sample_rate / 2),
            callback=self._hear,
            finished_callback=self._end,
        )
        _open_inputs.add(id(self))
        self._input.start()

    def _hear(self, values: FloatArray, frames: int, _: Any, status: Any) -> None:
        """Take what PortAudio's thread brings: float32 [shape=(frames, channels)]."""
        now_s = time.monotonic()
        rate = self.sample_rate_hz
        if status.input_overflow and self._arrived_s is not None:
            # How much was lost is not told; the time that went by tells.
            lost = round((now_s - self._arrived_s) * rate) - frames
            self._position += max(1, lost)
        self._arrived_s = now_s
        samples = np.array(mix_to_mono(values))
        with self._changed:
            # What is not fetched is lost too, and shows by its numbers.
            if len(self._heard) * frames < _MOST_HELD_S * rate:
                self._heard.append((self._position, samples))
            self._position += frames
            self._changed.notify_all()

    def _end(self) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def _close(self) -> None:
        _open_inputs.discard(id(self))
        if self._input is not None:
            self._input.close(ignore_errors=True)
            self._input = None


def _load_sounddevice(stream: str) -> ModuleType:
    try:
        import sounddevice  # noqa: PLC0415 (an extra, and it starts PortAudio)
    except ImportError:
        raise AudioError(
            f"{stream}: a sound card needs sounddevice, which is not installed",
            remedy=for_this_python("pip install 'edge-bioacoustics[soundcard]'"),
        ) from None
    except OSError as reason:
        raise AudioError(
            f"{stream}: a sound card needs PortAudio: {reason}",
            remedy="apt install libportaudio2",
        ) from None
    module: ModuleType = sounddevice
    return module


def _look_again(sounddevice: ModuleType) -> None:
    """Let PortAudio list the devices there are now; it looks only when it starts."""
    if not _open_inputs:
        sounddevice._terminate()
        sounddevice._initialize()


def _find(wanted: str, devices: list[dict[str, Any]], stream: str) -> int:
    """Return the number of the one input whose name is or holds `wanted`."""
    inputs = {
        number: device["name"]
        for number, device in enumerate(devices)
        if device["max_input_channels"] > 0
    }
    same = [number for number, name in inputs.items() if name == wanted]
    part = [number for number, name in inputs.items() if wanted.casefold() in name.casefold()]
    found = same or part
    if len(found) != 1:
        how_many = f"the names of {len(found)} inputs hold" if found else "no input's name holds"
        names = ", ".join(map(repr, inputs.values())) or "none"
        raise AudioError(
            f"{stream}: {how_many} {wanted!r}; inputs there are: {names}",
            remedy="plug it in, or give a part of a name that no other input shares",
        )
    return found[0]


_PORTAUDIO = threading.Lock()
"""PortAudio is started and ended for the whole process, and is not made for several threads."""
_open_inputs: set[int] = set()
_SILENCE_S = 5.0
_MOST_HELD_S = 10.0

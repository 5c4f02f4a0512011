"""Sound from a file: WAV, FLAC, OGG, MP3 and what else libsndfile reads."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import soundfile

from edge.contracts import AudioBlock, FloatArray
from edge.dsp.validity import find_unusable
from edge.errors import AudioError
from edge.riff import MendedFile, read_layout

SUFFIXES = frozenset(
    f".{name}"
    for name in ["wav", "wave", "flac", "ogg", "oga", "opus", "mp3", "aif", "aiff", "rf64", "w64"]
)
"""Suffixes, in lower case, by which a file in a folder is taken for audio."""


class AudioFile:
    """One audio file as a stream of mono blocks at its own rate; a `Source`.

    Memory stays bounded whatever the length, rate and number of channels. Damage does not end the
    reading while there is something left to read: `notes` says what was off.

    Args:
        path: The file. What it is is told by its content, not by its name.
        block_seconds: Length of a block, in seconds; shorter where that would be very large. Long
            blocks are quicker: each stage finds its tables in the processor's cache for longer
            (a minute takes a tenth less time than four times fifteen seconds, measured).

    Raises:
        AudioError: On entering or while iterating: nothing there that can be scored.
    """

    def __init__(self, path: Path, *, block_seconds: float = 60.0) -> None:
        self._path = path
        self._block_seconds = block_seconds
        self._sound: _StraightFile | None = None
        self._mended: MendedFile | None = None
        self._promised = 0
        self._read = 0
        self.sample_rate_hz = 0
        self.channels = 0
        self.notes: list[str] = []
        """What was off, a line each; complete when the iteration is."""

    @property
    def seconds(self) -> float:
        """Length of what was read so far, in seconds."""
        return self._read / self.sample_rate_hz if self.sample_rate_hz else 0.0

    @property
    def share(self) -> float:
        """How much of what the header promises was read so far, from 0 to 1; 0 if it is silent."""
        if not 0 < self._promised < _NO_PROMISE:
            return 0.0
        return min(1.0, self._read / self._promised)

    def __enter__(self) -> "AudioFile":
        try:
            status = os.stat(self._path)
            if stat.S_ISDIR(status.st_mode):
                raise AudioError(
                    f"{self._path}: is not a file but a directory",
                    remedy="name a file, or make sure that the directory can be listed",
                )
            if not stat.S_ISREG(status.st_mode):
                raise AudioError(f"{self._path}: is not a file", remedy="name an audio file")
            if status.st_size == 0:
                raise AudioError(f"{self._path}: is empty (0 bytes)", remedy=_NOTHING_TO_SAVE)
            self._open()
        except OSError as reason:
            raise AudioError(
                f"{self._path}: cannot be read: {reason.strerror or reason}",
                remedy="check that it is there, its permissions and the disk",
            ) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._sound is not None:
            self._sound.close()
        if self._mended is not None:
            self._mended.close()
        self._sound = self._mended = None

    def __iter__(self) -> Iterator[AudioBlock]:
        if self._sound is None:
            raise ValueError("enter the file with `with` before iterating it")
        rate, channels = self.sample_rate_hz, self.channels
        size = max(1, min(round(self._block_seconds * rate), _MOST_VALUES // channels))
        errors: list[str] = []
        fruitless = 0
        while fruitless < _MOST_FRUITLESS_READS:
            samples, error = _read_some(self._sound, size, channels)
            if error:
                errors.append(f"{self.seconds + len(samples) / rate:.1f} s ({error})")
                fruitless = 0 if len(samples) else fruitless + 1
            elif not len(samples):
                break
            if len(samples):
                block = AudioBlock(str(self._path), self._read, rate, samples)
                self._read += len(samples)
                yield block
        if errors:
            count = (
                "a decoder error" if len(errors) == 1 else f"{len(errors)} decoder errors, first"
            )
            self.notes.append(f"{count} at {errors[0]}: what could not be decoded is left out")
        if self._read == 0:
            raise AudioError(
                f"{self._path}: holds no audio that can be decoded", remedy=_NOTHING_TO_SAVE
            )
        missing_s = (self._promised - self._read) / rate
        if self._most_missing_s() < missing_s and self._promised < _NO_PROMISE:
            self.notes.append(
                f"truncated: the header promises {self._promised / rate:.1f} s, "
                f"{self.seconds:.1f} s are there"
            )

    def _most_missing_s(self) -> float:
        """Return how much may be missing without a word; an MP3's length is an estimate."""
        if self._sound is not None and self._sound.format == "MP3":
            return max(0.5, 0.01 * self._promised / self.sample_rate_hz)
        return 0.05

    def _open(self) -> None:
        layout = read_layout(self._path)
        target: bytes | MendedFile = os.fsencode(self._path)
        if layout is not None and layout.corrections:
            target = self._mended = MendedFile(self._path, layout)
        try:
            self._sound = _StraightFile(target)
        except soundfile.LibsndfileError as reason:
            self.__exit__(None, None, None)
            known = reason.code not in _UNKNOWN_FORMAT
            why = reason.error_string.removeprefix("Error : ").rstrip(".")
            raise AudioError(
                f"{self._path}: is not audio that can be read: "
                f"{why if known else 'no audio format recognised'}",
                remedy="look at what it holds; if it is audio, convert it to WAV or FLAC",
            ) from None
        self.sample_rate_hz, self.channels = self._sound.samplerate, self._sound.channels
        self._promised = self._sound.frames
        if self._promised == 0:
            self.__exit__(None, None, None)
            raise AudioError(f"{self._path}: holds a header and no audio", remedy=_NOTHING_TO_SAVE)
        if layout is not None:
            self.notes += layout.notes
        elif _is_cut_ogg(self._path):
            self.notes.append("truncated: the end of the Ogg stream is missing")


class _StraightFile(soundfile.SoundFile):  # type: ignore[misc]
    """Reads from start to end.

    After each read `SoundFile` seeks to where it is, which costs time and makes the MP3 decoder
    start afresh: its samples would depend on the size of the blocks.
    """

    def seekable(self) -> bool:
        return False


def _read_some(sound: _StraightFile, size: int, channels: int) -> tuple[FloatArray, str]:
    """Read up to `size` samples, mixed to mono [shape=(n,)]; say what went wrong, or nothing."""
    # An error does not tell how much was decoded before it: the NaN that are left do.
    values = np.full((size, channels), np.nan, dtype=np.float32)
    try:
        read = len(sound.read(out=values))
        error = ""
    except soundfile.LibsndfileError as reason:
        missing = np.isnan(values[:, 0])
        read = int(missing.argmax()) if missing.any() else size
        error = reason.error_string.removeprefix("Error : ").rstrip(".")
    return _mixed(values[:read]), error


def _mixed(values: FloatArray) -> FloatArray:
    """Mix channels [shape=(n, channels)] to their mean [shape=(n,)].

    Where a channel is NaN, infinite or absurdly large, so is the mix.
    """
    channels = values.shape[1]
    if channels == 1:
        return values[:, 0]
    with np.errstate(over="ignore", invalid="ignore"):
        mono = values[:, 0] + values[:, 1]
        for channel in range(2, channels):
            mono += values[:, channel]
    mono /= np.float32(channels)
    unusable = find_unusable(values.ravel())
    if unusable is not None:
        # One channel's nonsense must not be cancelled out by another's.
        bad = unusable.reshape(values.shape).any(axis=1)
        mono[bad] = np.abs(values[bad]).max(axis=1)
    return mono


def _is_cut_ogg(path: Path) -> bool:
    """Tell whether an Ogg file lacks the page that ends its stream (RFC 3533, section 6)."""
    with path.open("rb") as file:
        if file.read(4) != b"OggS":
            return False
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _OGG_PAGE_BYTES))
        tail = file.read()
    last = tail.rfind(b"OggS")
    return last < 0 or len(tail) < last + 6 or not tail[last + 5] & 4


_NOTHING_TO_SAVE = "nothing can be scored; take it out, or copy it from the recorder again"
_MOST_VALUES = 1 << 21
_MOST_FRUITLESS_READS = 1000
_OGG_PAGE_BYTES = 65_307
_UNKNOWN_FORMAT = (1, 7)
_NO_PROMISE = 1 << 48

"""Sound from a file: WAV, FLAC, OGG, MP3 and what else libsndfile reads."""

import math
import os
import stat
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import soundfile

from edge.contracts import FRAME_SECONDS, AudioBlock, FloatArray
from edge.dsp.mono import mix_to_mono
from edge.errors import AudioError
from edge.ogg import OggLayout, OggRun, OggRunFile, read_pages
from edge.riff import LONGEST_PROMISE_S, MendedFile, WavLayout, read_layout

SUFFIXES = frozenset(
    f".{name}"
    for name in ["wav", "wave", "flac", "ogg", "oga", "opus", "mp3", "aif", "aiff", "rf64", "w64"]
)
"""Suffixes, in lower case, by which a file in a folder is taken for audio."""


class AudioFile:
    """One audio file as a stream of mono blocks at its own rate; a `Source`.

    Memory stays bounded whatever the length, rate and number of channels. Damage does not end the
    reading while there is something left to read: `notes` says what was off.

    Where pages of a Vorbis or Opus file are missing or damaged, the sample count jumps by what is
    missing and on to the next multiple of 5 seconds, so that all later frames are where they would
    be without the hole.

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
        self._below: MendedFile | OggRunFile | None = None
        self._layout: WavLayout | None = None
        self._pages: OggLayout | None = None
        self._runs: deque[OggRun] = deque()
        self._is_mp3 = False
        self._promised = 0
        self._origin = self._lead = 0
        self._at = 0
        self._decoded = 0
        self._holes: list[tuple[float, float]] = []
        self.sample_rate_hz = 0
        self.channels = 0
        self.notes: list[str] = []
        """What was off, a line each; complete when the iteration is."""
        self.ends_early = False
        """Whether it lacks its end; known when the iteration is complete."""

    @property
    def seconds(self) -> float:
        """How far into the recording it was read, in seconds."""
        return self._at / self.sample_rate_hz if self.sample_rate_hz else 0.0

    @property
    def decoded_samples(self) -> int:
        """How many samples it held so far, without those that are missing."""
        return self._decoded

    @property
    def promised_s(self) -> float | None:
        """Length that the header promises, in seconds; None where it does not say or is absurd."""
        if not self.sample_rate_hz or not self._promised:
            return None
        promised_s = self._promised / self.sample_rate_hz
        return promised_s if promised_s <= LONGEST_PROMISE_S else None

    @property
    def share(self) -> float:
        """How much of what the header promises was read so far, from 0 to 1; 0 if it is silent."""
        return min(1.0, self.seconds / self.promised_s) if self.promised_s else 0.0

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
        self._close()

    def __iter__(self) -> Iterator[AudioBlock]:
        if self._sound is None:
            raise ValueError("enter the file with `with` before iterating it")
        errors: list[str] = []
        yield from self._read_through(errors)
        while self._runs:
            self._open_run(self._runs.popleft())
            yield from self._read_through(errors)
        if self._decoded == 0:
            raise AudioError(
                f"{self._path}: holds no audio that can be decoded", remedy=_NOTHING_TO_SAVE
            )
        self._say_what_is_missing(errors)

    def _read_through(self, errors: list[str]) -> Iterator[AudioBlock]:
        sound, rate, channels = self._sound, self.sample_rate_hz, self.channels
        if sound is None:
            return
        size = max(1, min(round(self._block_seconds * rate), _MOST_VALUES // channels))
        fruitless = 0
        while fruitless < _MOST_FRUITLESS_READS:
            samples, error = _read_some(sound, size, channels)
            if error:
                errors.append(f"{self.seconds + len(samples) / rate:.1f} s ({error})")
                fruitless = 0 if len(samples) else fruitless + 1
            elif not len(samples):
                break
            if len(samples):
                block = AudioBlock(str(self._path), self._at, rate, samples)
                self._at += len(samples)
                self._decoded += len(samples)
                yield block

    def _say_what_is_missing(self, errors: list[str]) -> None:
        missing_s = 0.0 if self.promised_s is None else self.promised_s - self.seconds
        falls_short = missing_s > self._most_missing_s()
        self.ends_early |= falls_short
        if self._holes:
            at_s, hole_s = self._holes[0]
            text = f"{hole_s:.1f} s are missing at {at_s:.1f} s"
            if len(self._holes) > 1:
                all_s = sum(hole_s for _, hole_s in self._holes)
                text = f"{len(self._holes)} holes, {all_s:.1f} s in all; first, {text}"
            self.notes.append(f"{text}: pages of the Ogg stream are missing or damaged")
        if errors:
            count = (
                "a decoder error" if len(errors) == 1 else f"{len(errors)} decoder errors, first"
            )
            lost = f"{missing_s:.1f} s are" if missing_s > _LEAST_S else "what was damaged is"
            early = "; later times are early by as much" if self._is_mp3 else ""
            self.notes.append(f"{count} at {errors[0]}: {lost} left out{early}")
        elif falls_short and not self._holes and not (self._layout and self._layout.is_short):
            early = "; if they lack in the middle, later times are early" if self._is_mp3 else ""
            self.notes.append(
                f"truncated: the header promises {self.promised_s:.1f} s, "
                f"{self.seconds:.1f} s are there{early}"
            )

    def _most_missing_s(self) -> float:
        """Return how much may be missing without a word; an MP3's length is an estimate."""
        return max(0.5, 0.01 * (self.promised_s or 0.0)) if self._is_mp3 else _LEAST_S

    def _open(self) -> None:
        layout = self._layout = read_layout(self._path)
        pages = None if layout is not None else read_pages(self._path)
        target: bytes | MendedFile | OggRunFile = os.fsencode(self._path)
        if layout is not None and layout.corrections:
            target = self._below = MendedFile(self._path, layout)
        elif pages is not None and pages.splits and not pages.whole:
            self._pages = pages
            self._runs.extend(pages.runs)
            target = self._below = OggRunFile(self._path, pages, pages.runs[0])
        try:
            self._sound = _StraightFile(target)
        except soundfile.LibsndfileError as reason:
            self._close()
            known = reason.code not in _UNKNOWN_FORMAT
            why = reason.error_string.removeprefix("Error : ").rstrip(".")
            raise AudioError(
                f"{self._path}: is not audio that can be read: "
                f"{why if known else 'no audio format recognised'}",
                remedy="look at what it holds; if it is audio, convert it to WAV or FLAC",
            ) from None
        self.sample_rate_hz, self.channels = self._sound.samplerate, self._sound.channels
        self._is_mp3 = self._sound.format == "MP3"
        self._promised = min(self._sound.frames, _NO_PROMISE)
        if self._promised == 0:
            self._close()
            raise AudioError(f"{self._path}: holds a header and no audio", remedy=_NOTHING_TO_SAVE)
        if layout is not None:
            self.notes += layout.notes
            if layout.is_short:
                self._promised = round(self._promised * layout.promised / layout.there)
        if pages is not None:
            self._take_pages(pages)

    def _take_pages(self, pages: OggLayout) -> None:
        if not pages.ends:
            self.ends_early = True
            self.notes.append("truncated: the end of the Ogg stream is missing")
        if pages.whole:
            return
        if not pages.splits:
            self.notes.append(
                "pages of the Ogg stream are missing or damaged: what follows them is early by as "
                "much"
            )
            return
        self._lead = self._origin = self._sample_of(pages.lead)
        if pages.begins:
            # Not 0 where the start of a longer stream was cut off.
            self._origin = self._sample_of(pages.runs[0].end_granule) - self._promised
        self._promised = self._sample_of(pages.runs[-1].end_granule) - self._origin
        first = self._runs.popleft()
        if not pages.begins:
            self._place(first)

    def _sample_of(self, granule: int) -> int:
        assert self._pages is not None
        per_second = self._pages.granules_per_second or self.sample_rate_hz
        return round(granule * self.sample_rate_hz / per_second)

    def _open_run(self, run: OggRun) -> None:
        assert self._pages is not None
        self._close()
        self._below = OggRunFile(self._path, self._pages, run)
        try:
            self._sound = _StraightFile(self._below)
        except soundfile.LibsndfileError:
            return
        if (self._sound.samplerate, self._sound.channels) == (self.sample_rate_hz, self.channels):
            self._place(run)
        else:
            self._close()

    def _place(self, run: OggRun) -> None:
        """Find where a run's samples lie, and pass over those before the next whole frame."""
        assert self._sound is not None
        # libsndfile counts the lead among what is to be dropped, but drops it at the start alone.
        frames = self._sound.frames + self._lead
        start = self._sample_of(run.end_granule) - frames - self._origin
        if start <= self._at:
            return
        self._holes.append((self.seconds, (start - self._at) / self.sample_rate_hz))
        frame = round(FRAME_SECONDS * self.sample_rate_hz)
        border = math.ceil(start / frame) * frame
        passed_over, _ = _read_some(self._sound, border - start, self.channels)
        if len(passed_over) == border - start:
            self._at = border
        else:
            self._close()

    def _close(self) -> None:
        if self._sound is not None:
            self._sound.close()
        if self._below is not None:
            self._below.close()
        self._sound = self._below = None


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
    return mix_to_mono(values[:read]), error


_NOTHING_TO_SAVE = "nothing can be scored; take it out, or copy it from the recorder again"
_MOST_VALUES = 1 << 21
_MOST_FRUITLESS_READS = 1000
_LEAST_S = 0.05
_UNKNOWN_FORMAT = (1, 7)
_NO_PROMISE = 1 << 48

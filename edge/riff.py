"""Where audio and metadata lie in a WAV file, whatever its header says.

Recorders write the sizes in a WAV header when the recording ends; a battery that ends first leaves
zeros, a guess or yesterday's sizes. The chunks are walked here as they lie in the file.
"""

import io
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

UNKNOWN_SIZES = range(0x7FFF_0000, 0x1_0000_0000)
"""Data sizes by which programs that write to a pipe say that they do not know, in bytes."""

LONGEST_PROMISE_S = 2 * 86_400.0
"""The longest recording that a header is believed to promise, in seconds."""


_Chunk = tuple[bytes, int, int]
"""A chunk's name, the place of its content and its length, in bytes."""


@dataclass(frozen=True, slots=True)
class WavLayout:
    """The audio of one WAV file, in bytes from the file's start."""

    data_start: int
    data_end: int
    """Where the audio ends in truth: at the metadata that follows it, or the file's end."""
    promised: int
    """Bytes of audio that the header promises."""
    bytes_per_second: int
    bytes_per_sample: int
    """Of all channels together."""
    corrections: Sequence[tuple[int, bytes]]
    """What to write where for the header to be right; nothing where the file can be read as is."""

    @property
    def there(self) -> int:
        """Bytes of audio that are there."""
        return self.data_end - self.data_start

    @property
    def is_short(self) -> bool:
        """Whether the header promises audio that is not there.

        What is written ahead of a recording, for want of knowing, is no promise: sizes that stand
        for an unknown one, and more than `LONGEST_PROMISE_S`.
        """
        believed = (
            self.promised not in UNKNOWN_SIZES
            and self.promised <= LONGEST_PROMISE_S * self.bytes_per_second
        )
        return believed and self.promised >= self.there + self.bytes_per_sample

    @property
    def notes(self) -> list[str]:
        """What was off, a line each, for the person who reads the summary."""
        there = self.there
        there_s, promised_s = there / self.bytes_per_second, self.promised / self.bytes_per_second
        if self.promised >= there + self.bytes_per_sample and not self.is_short:
            return [f"the header does not say how long the audio is; {there_s:.1f} s are there"]
        if self.is_short:
            return [f"truncated: the header promises {promised_s:.1f} s, {there_s:.1f} s are there"]
        if self.promised < there and self.corrections:
            return [
                f"wrong size in the header: it says {promised_s:.1f} s of audio, "
                f"{there_s:.1f} s are there and were read"
            ]
        return []


def read_layout(path: Path) -> WavLayout | None:
    """Find the audio in a WAV file (RIFF or RF64).

    Returns:
        None where the file is of another kind, or has no format or data chunk.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return _walk(file, os.fstat(file.fileno()).st_size)[0]


@dataclass(frozen=True, slots=True)
class WavMetadata:
    """What a recorder wrote of its recording, as it stands in the file."""

    guano: bytes | None
    """Content of the first `guan` chunk."""
    comment: bytes | None
    """Content of the first `ICMT` in a RIFF INFO list, NUL padding and all."""


def read_metadata(path: Path) -> WavMetadata:
    """Find the metadata in a WAV file (RIFF or RF64), before the audio or after it.

    Of each text at most 64 KiB are read, of the audio only what tells where it ends.

    Returns:
        Nones where there is no such chunk, and for a file of another kind.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        layout, chunks = _walk(file, size)
        if layout is not None:
            chunks += _chunks_after(file, layout, size)
        guano = comment = None
        for name, at, length in chunks:
            if name == b"guan" and guano is None:
                guano = _text_at(file, at, length)
            elif name == b"LIST" and comment is None:
                comment = _comment_in(file, at, min(at + length, size))
        return WavMetadata(guano, comment)


def _walk(file: BinaryIO, size: int) -> tuple[WavLayout | None, list[_Chunk]]:
    """Follow the chunks up to the audio; return where it lies and the metadata before it."""
    before: list[_Chunk] = []
    head = file.read(12)
    if len(head) < 12 or head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        return None, before
    wide: tuple[int, int] | None = None
    rates: tuple[int, int] | None = None
    at = 12
    while (chunk := _chunk_at(file, at)) is not None:
        name, length = chunk
        if name == b"ds64":
            file.seek(at + 16)
            wide = at + 16, int.from_bytes(file.read(8), "little")
        elif name == b"fmt ":
            rates = _rates_at(file, at + 8)
        elif name == b"data":
            if rates is None:
                return None, before
            if wide is not None and length == 0xFFFF_FFFF:
                return _layout(file, at, wide[1], rates, size=size, wide_at=wide[0]), before
            return _layout(file, at, length, rates, size=size, wide_at=None), before
        _keep(before, name, at, length)
        at += 8 + length + length % 2
    return None, before


def _chunks_after(file: BinaryIO, layout: WavLayout, size: int) -> list[_Chunk]:
    """List the chunks of metadata that follow the audio."""
    # Audio of an odd length is padded by a byte, which some programs leave out.
    end = layout.data_end
    starts = (at for at in (end, end + end % 2) if _is_chain(file, at, size))
    # A size that is a few bytes too large reaches into the chunk that follows.
    at = next(starts, None) or _start_of_trailer(file, layout.data_start, size)
    chunks: list[_Chunk] = []
    while at < size and (chunk := _chunk_at(file, at)) is not None:
        name, length = chunk
        _keep(chunks, name, at, length)
        at += 8 + length + length % 2
    return chunks


def _keep(chunks: list[_Chunk], name: bytes, at: int, length: int) -> None:
    if name in _TEXTS and len(chunks) < _MOST_TEXTS:
        chunks.append((name, at + 8, length))


def _comment_in(file: BinaryIO, at: int, end: int) -> bytes | None:
    """Find the `ICMT` among the entries of a list chunk."""
    file.seek(at)
    if file.read(4) != b"INFO":
        return None
    at += 4
    while at + 8 <= end and (entry := _chunk_at(file, at)) is not None:
        name, length = entry
        if name == b"ICMT":
            return _text_at(file, at + 8, min(length, end - at - 8))
        at += 8 + length + length % 2
    return None


def _text_at(file: BinaryIO, at: int, length: int) -> bytes:
    file.seek(at)
    return file.read(min(length, _LONGEST_TEXT))


def _chunk_at(file: BinaryIO, at: int) -> tuple[bytes, int] | None:
    """Read a chunk's name and length at a byte of the file."""
    file.seek(at)
    head = file.read(8)
    if len(head) < 8 or not all(0x20 <= letter < 0x7F for letter in head[:4]):
        return None
    return head[:4], int.from_bytes(head[4:], "little")


def _rates_at(file: BinaryIO, at: int) -> tuple[int, int] | None:
    """Read bytes a second and bytes a sample from the format chunk."""
    file.seek(at + 8)
    body = file.read(6)
    if len(body) < 6:
        return None
    per_second, per_sample = struct.unpack("<IH", body)
    return (per_second, per_sample) if per_second and per_sample else None


def _layout(
    file: BinaryIO,
    chunk_at: int,
    promised: int,
    rates: tuple[int, int],
    *,
    size: int,
    wide_at: int | None,
) -> WavLayout:
    per_second, per_sample = rates
    start = chunk_at + 8
    end = _true_end(file, start, promised, size=size, second=per_second)
    # libsndfile stops at the promised size or the file's end, whichever comes first.
    as_is = min(start + promised, size) == end
    corrections: list[tuple[int, bytes]] = []
    if not as_is and wide_at is not None:
        corrections = [
            (wide_at - 8, struct.pack("<QQ", end - 8, end - start)),
        ]
    elif not as_is:
        # A RIFF size of 8 and a data size of 0 tell libsndfile to read to the file's end, which
        # also holds beyond 4 GiB, where the true size does not fit.
        corrections = [(4, struct.pack("<I", 8)), (chunk_at + 4, bytes(4))]
    return WavLayout(start, end, promised, per_second, per_sample, corrections)


def _true_end(file: BinaryIO, start: int, promised: int, *, size: int, second: int) -> int:
    """Find the end of audio that begins at `start`."""
    end = start + promised
    if end <= size:
        rest = size - end
        if rest < 8 or _is_chain(file, end, size) or _is_chain(file, end + end % 2, size):
            return end
        # Less than a second after the audio is padding or a tag that is no chunk.
        if promised and (rest < second or _is_silent(file, end, size)):
            return end
    return _start_of_trailer(file, start, size)


def _is_chain(file: BinaryIO, at: int, size: int) -> bool:
    """Tell whether chunks follow one another from `at` to the file's end."""
    while at < size - 1:
        chunk = _chunk_at(file, at)
        if chunk is None:
            return False
        name, length = chunk
        if at + 8 + length > size + 1:
            return name in _TRAILERS
        at += 8 + length + length % 2
    return True


def _is_silent(file: BinaryIO, at: int, size: int) -> bool:
    file.seek(at)
    while at < size:
        part = file.read(min(1 << 20, size - at))
        if not part or part.count(0) < len(part):
            return not part
        at += len(part)
    return True


def _start_of_trailer(file: BinaryIO, start: int, size: int) -> int:
    """Find where metadata begins at the file's end; the file's size where there is none."""
    first = max(start, size - _TRAILER_BYTES)
    file.seek(first)
    tail = file.read(size - first)
    found = [
        first + at
        for name in _TRAILERS
        for at in _places(tail, name)
        if _is_chain(file, first + at, size)
    ]
    return min(found, default=size)


def _places(text: bytes, word: bytes) -> list[int]:
    places = []
    at = text.find(word)
    while at >= 0:
        places.append(at)
        at = text.find(word, at + 1)
    return places


_TRAILERS = (
    b"guan",
    b"LIST",
    b"id3 ",
    b"ID3 ",
    b"bext",
    b"iXML",
    b"cue ",
    b"wamd",
    b"fact",
    b"junk",
)
_TRAILER_BYTES = 1 << 16
_TEXTS = (b"guan", b"LIST")
_LONGEST_TEXT = 1 << 16
# A file of nothing but empty lists must not fill the memory.
_MOST_TEXTS = 64


class MendedFile(io.RawIOBase):
    """A WAV file as it would be with a right header: corrected, and cut where the audio ends.

    Args:
        path: The file; it is not changed.
        layout: Where its audio lies.
    """

    def __init__(self, path: Path, layout: WavLayout) -> None:
        self._file = path.open("rb")
        self._layout = layout

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a byte, as any file does."""
        if whence == os.SEEK_END:
            return self._file.seek(self._layout.data_end + offset)
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the place in the file, in bytes."""
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes."""
        at = self._file.tell()
        left = max(0, self._layout.data_end - at)
        part = self._file.read(left if size < 0 else min(size, left))
        for place, right in self._layout.corrections:
            if place < at + len(part) and at < place + len(right):
                first = max(place, at)
                last = min(place + len(right), at + len(part))
                part = part[: first - at] + right[first - place : last - place] + part[last - at :]
        return part

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        """Read into a buffer; return the number of bytes."""
        part = self.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        """Close the file below."""
        self._file.close()
        super().close()

"""Where pages of an Ogg file are missing or damaged.

An Ogg page (RFC 3533, section 6) has a number, a checksum and a granule position, which says how
much audio there is up to its end. Decoders pass over what is missing and join what is left; here
the pages are walked, so that what follows a hole can be read by itself and put in its place.
"""

import io
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple


@dataclass(frozen=True, slots=True)
class OggRun:
    """Pages of audio that follow one another without a hole."""

    start: int
    end: int
    """Where its pages lie in the file, in bytes."""
    end_granule: int
    """How much audio there is up to its end, in granules."""


@dataclass(frozen=True, slots=True)
class OggLayout:
    """The pages of one stream."""

    header_end: int
    """Where the pages without audio end that every decoder must see first, in bytes."""
    runs: Sequence[OggRun]
    """At least one."""
    granules_per_second: int | None
    """None where it is the stream's sample rate."""
    lead: int
    """Granules of sound before the recording itself, which the decoder drops at its start."""
    begins: bool
    """Whether the first run follows the headers without a hole."""
    ends: bool
    """Whether the page is there that ends the stream."""
    splits: bool
    """Whether a run can be decoded by itself and its length be told: with Vorbis and Opus."""

    @property
    def whole(self) -> bool:
        """Whether no page is missing before the last one that is there."""
        return len(self.runs) == 1 and self.begins


def read_pages(path: Path) -> OggLayout | None:
    """Walk the pages of an Ogg file, in bounded memory but for a few numbers a hole.

    Returns:
        None where the file is of another kind, or holds no intact page of audio.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb", buffering=_AT_ONCE) as file:
        if file.read(4) != b"OggS":
            return None
        pages = _pages(file)
        first = next(pages, None)
        if first is None or first.start != 0:
            return None
        magic = first.body[:8]
        if magic == b"OpusHead" and len(first.body) >= 12:
            lead = int.from_bytes(first.body[10:12], "little")
            return _walk(first, pages, packets=2, rate=_OPUS_HZ, lead=lead, splits=True)
        if magic[:7] == b"\x01vorbis":
            return _walk(first, pages, packets=3, rate=None, lead=0, splits=True)
        return _walk(first, pages, packets=1, rate=None, lead=0, splits=False)


class _Page(NamedTuple):
    start: int
    end: int
    flags: int
    granule: int
    serial: int
    number: int
    packets: int
    """How many end in it."""
    body: bytes


def _walk(
    first: _Page,
    pages: Iterator[_Page],
    *,
    packets: int,
    rate: int | None,
    lead: int,
    splits: bool,
) -> OggLayout | None:
    """Gather pages into runs, behind the first `packets` packets, which hold no audio."""
    header_end, number, packets = first.end, first.number, packets - first.packets
    runs: list[OggRun] = []
    goes_on = begins = True
    last = first
    for page in pages:
        if page.serial != first.serial:
            continue
        goes_on = goes_on and page.number == number + 1
        number, last = page.number, page
        if packets > 0 and goes_on:
            header_end, packets = page.end, packets - page.packets
            continue
        if not runs and not goes_on:
            begins = False
        if runs and goes_on:
            granule = max(page.granule, runs[-1].end_granule)
            runs[-1] = OggRun(runs[-1].start, page.end, granule)
        else:
            runs.append(OggRun(page.start, page.end, page.granule))
        goes_on = True
    # A page in which no packet ends has no position of its own.
    runs = [run for run in runs if run.end_granule > 0]
    if packets > 0 or not runs:
        return None
    ends = bool(last.flags & _ENDS_STREAM)
    return OggLayout(header_end, runs, rate, lead, begins, ends, splits)


def _pages(file: BinaryIO) -> Iterator[_Page]:
    """Yield the intact pages, wherever they begin."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return
        mark, _, flags, granule, serial, number, crc, segments = _HEAD.unpack(head)
        if mark == b"OggS":
            table = file.read(segments)
            body = file.read(sum(table))
            content = head[:22] + bytes(4) + head[26:] + table + body
            end = at + _HEAD.size + segments + sum(table)
            if len(content) == end - at and _crc(content) == crc:
                packets = segments - table.count(255)
                yield _Page(at, end, flags, granule, serial, number, packets, body)
                at = end
                continue
        at = _next_mark(file, at + 1)
        if at < 0:
            return


def _next_mark(file: BinaryIO, at: int) -> int:
    """Find where a page may begin; -1 where nowhere."""
    while True:
        file.seek(at)
        part = file.read(_AT_ONCE)
        found = part.find(b"OggS")
        if found >= 0:
            return at + found
        if len(part) < 4:
            return -1
        at += len(part) - 3


def _crc(content: bytes) -> int:
    """CRC-32 as Ogg has it: zlib's polynomial, from the other end and with nothing inverted."""
    mirrored = zlib.crc32(content.translate(_MIRRORED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_MIRRORED), "big")


class OggRunFile(io.RawIOBase):
    """One run of an Ogg file behind the stream's headers, as a file of its own.

    Args:
        path: The file; it is not changed.
        layout: Its pages.
        run: The run.
    """

    def __init__(self, path: Path, layout: OggLayout, run: OggRun) -> None:
        self._file = path.open("rb")
        self._header_end = layout.header_end
        self._skipped = run.start - layout.header_end
        self._size = layout.header_end + run.end - run.start
        self._at = 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a byte, as any file does."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Return the place in the file, in bytes."""
        return self._at

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        """Read into a buffer; return the number of bytes."""
        in_header = self._at < self._header_end
        left = (self._header_end if in_header else self._size) - self._at
        self._file.seek(self._at + (0 if in_header else self._skipped))
        part = self._file.read(max(0, min(len(buffer), left)))
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def close(self) -> None:
        """Close the file below."""
        self._file.close()
        super().close()


_HEAD = struct.Struct("<4sBBqIIIB")
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_ENDS_STREAM = 4
_OPUS_HZ = 48_000
_AT_ONCE = 1 << 16

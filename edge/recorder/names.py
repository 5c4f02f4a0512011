"""The time that recorders write into the names of their files."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timezone, tzinfo
from enum import StrEnum

from edge.recorder.zone import fixed_offset


class Recorder(StrEnum):
    """Whose way of naming files a name follows."""

    AUDIOMOTH = "AudioMoth"
    AUDIOMOTH_HEX = "AudioMoth (hexadecimal name)"
    SONG_METER = "Song Meter"
    SWIFT = "Swift"
    FRONTIER_LABS = "Frontier Labs"
    BIRDNET_PI = "BirdNET-Pi"
    BIRDCLEF = "BirdCLEF"


@dataclass(frozen=True, slots=True)
class NameTime:
    """What a file's name says of its start."""

    recorder: Recorder
    at: datetime
    """Aware where the name itself says the zone; else naive: the recorder's own clock."""


def parse_name(name: str) -> NameTime | None:
    """Read the start of a recording from its file's name.

    | recorder | pattern | zone |
    |---|---|---|
    | AudioMoth | `[16 hex_]YYYYMMDD_HHMMSS[T].WAV` | not said |
    | AudioMoth, firmware of 2017-2018 | 8 hex digits, Unix seconds: `5B07FAC0.WAV` | UTC |
    | Song Meter | `PREFIX_YYYYMMDD_HHMMSS[_mmm].wav` | not said |
    | Swift | `PREFIX_YYYYMMDD_HHMMSS_-0400.wav` | in the name |
    | Frontier Labs | `[PREFIX_]20191125T000000+1000_REC.flac` | in the name |
    | BirdNET-Pi | `2024-05-01-birdnet-[STREAM-]06:15:00.wav` | not said |
    | BirdCLEF 2026 | `BC2026_Test_0001_S05_20250227_010002.ogg` | UTC |

    Any extension will do, for files are converted; only the hexadecimal name, which could be any
    name of eight letters, must be a WAV's.

    Args:
        name: The name, with or without folders before it. An AudioMoth's daily folder
            (`20240501/`) says nothing that the name does not.

    Returns:
        None for a name of another form, and for a date or offset that does not exist.
    """
    stem, dot, extension = name.rpartition("/")[2].rpartition(".")
    if not dot:
        stem, extension = extension, ""
    for recorder, pattern, zone in _PATTERNS:
        if match := pattern.fullmatch(stem):
            at = _time_of(match, zone)
            return NameTime(recorder, at) if at is not None else None
    if extension.upper() == "WAV" and _HEX.fullmatch(stem):
        return NameTime(Recorder.AUDIOMOTH_HEX, datetime.fromtimestamp(int(stem, 16), UTC))
    return None


def _time_of(match: re.Match[str], zone: timezone | None) -> datetime | None:
    parts = match.groupdict()
    own: tzinfo | None = zone
    if (sign := parts.get("sign")) is not None:
        own = fixed_offset(sign, parts["hours"], parts["minutes"])
        if own is None:
            return None
    elif parts.get("zulu"):
        own = UTC
    year, month, day = int(parts["year"]), int(parts["month"]), int(parts["day"])
    hour, minute, second = int(parts["hour"]), int(parts["minute"]), int(parts["second"])
    micro = int(parts.get("milli") or 0) * 1000
    try:
        return datetime(year, month, day, hour, minute, second, micro, own)
    except ValueError:
        return None


_DATE = r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)"
_TIME = r"(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)"
_OFFSET = r"(?P<sign>[+-])(?P<hours>\d\d)(?P<minutes>\d\d)"


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII | re.DOTALL)


_HEX = _compiled("[0-9A-F]{8}")
# The first that fits decides; a Song Meter's prefix would swallow what stands before it here.
_PATTERNS: tuple[tuple[Recorder, re.Pattern[str], timezone | None], ...] = (
    (Recorder.AUDIOMOTH, _compiled(f"(?:[0-9A-Fa-f]{{16}}_)?{_DATE}_{_TIME}T?"), None),
    (Recorder.BIRDCLEF, _compiled(rf"BC\d{{4}}_[A-Za-z]+_\d+_S\d+_{_DATE}_{_TIME}"), UTC),
    (Recorder.SWIFT, _compiled(f".+_{_DATE}_{_TIME}_{_OFFSET}"), None),
    (Recorder.SONG_METER, _compiled(rf".+_{_DATE}_{_TIME}(?:_(?P<milli>\d{{3}}))?"), None),
    (
        Recorder.FRONTIER_LABS,
        _compiled(f"(?:.+_)?{_DATE}T{_TIME}(?:{_OFFSET}|(?P<zulu>Z))(?:_.*)?"),
        None,
    ),
    (
        Recorder.BIRDNET_PI,
        _compiled(
            r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)-birdnet-(?:[^-]+-)?"
            r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
        ),
        None,
    ),
)

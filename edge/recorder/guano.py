"""GUANO metadata: lines of `Key:Value` text in a WAV file's `guan` chunk.

Source: the GUANO specification 1.0, https://guano-md.org.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from edge.recorder.zone import fixed_offset


@dataclass(frozen=True, slots=True)
class Guano:
    """What one `guan` chunk says; None for what it does not say, or not legibly."""

    version: str | None
    timestamp: datetime | None
    """Start of the recording. Aware where written with `Z` or an offset; else naive: local time."""
    position: tuple[float, float] | None
    """Latitude and longitude (WGS84), in degrees."""
    make: str | None
    model: str | None
    serial: str | None
    temperature_c: float | None
    """Inside the recorder, in degrees Celsius."""
    fields: Mapping[str, str]
    """Every field as it is written, in order, also those above and those of vendors."""
    damaged: tuple[str, ...]
    """The lines that say nothing: no `Key:Value`, a key again, or a value that cannot be."""


def parse_guano(chunk: bytes) -> Guano:
    """Read the content of a `guan` chunk; whatever is damaged costs only its own line."""
    fields: dict[str, str] = {}
    damaged: list[str] = []
    for raw in chunk.decode("utf-8", errors="replace").split("\n"):
        # The specification counts NUL, with which chunks are padded, as white space.
        line = raw.strip(_BLANK)
        key, colon, value = (part.strip(_BLANK) for part in line.partition(":"))
        if colon and key and key not in fields:
            fields[key] = value
        elif line:
            damaged.append(line)
    timestamp = parse_timestamp(fields.get("Timestamp", ""))
    position = _position(fields.get("Loc Position", ""))
    temperature = _number(fields.get("Temperature Int", ""))
    typed = {
        "Timestamp": timestamp,
        "Loc Position": position,
        "Temperature Int": temperature,
    }
    damaged += [
        f"{key}:{fields[key]}" for key, value in typed.items() if value is None and fields.get(key)
    ]
    return Guano(
        version=fields.get("GUANO|Version") or None,
        timestamp=timestamp,
        position=position,
        make=fields.get("Make") or None,
        model=fields.get("Model") or None,
        serial=fields.get("Serial") or None,
        temperature_c=temperature,
        fields=fields,
        damaged=tuple(damaged),
    )


def parse_timestamp(text: str) -> datetime | None:
    """Read a GUANO date and time: `2015-12-31T23:59:59.123+04:00`.

    Returns:
        An aware time where `Z` or an offset is written, else a naive one; None where the text is
        no such time. A date without a time of day is none: it would pass for midnight.
    """
    match = _TIMESTAMP.fullmatch(text.strip(_BLANK))
    if match is None:
        return None
    zulu, sign, offset_hours, offset_minutes = match.groups()[7:]
    zone = UTC if zulu else None
    if sign and (zone := fixed_offset(sign, offset_hours, offset_minutes)) is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    micro = int((match[7] or "").ljust(6, "0")[:6])
    try:
        return datetime(year, month, day, hour, minute, second, micro, zone)
    except ValueError:
        return None


def _position(text: str) -> tuple[float, float] | None:
    parts = [_number(part) for part in text.split()]
    if len(parts) != 2 or parts[0] is None or parts[1] is None:
        return None
    latitude, longitude = parts[0], parts[1]
    return (latitude, longitude) if abs(latitude) <= 90 and abs(longitude) <= 180 else None


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


_BLANK = "\0\t\n\v\f\r \ufeff"
_NUMBER = re.compile(r"[+-]?\d{1,9}(?:\.\d*)?", re.ASCII)
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?"
    r"(?:([Zz])|([+-])(\d\d):?(\d\d)?)?",
    re.ASCII,
)

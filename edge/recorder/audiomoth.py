"""The comment that an AudioMoth writes into a WAV file's header (RIFF INFO `ICMT`).

Source: AudioMoth-Firmware-Basic 1.0.0 to 1.11.0, https://github.com/OpenAcousticDevices.
"""

import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timezone

from edge.recorder.guano import parse_timestamp
from edge.recorder.zone import fixed_offset


@dataclass(frozen=True, slots=True)
class AudioMothComment:
    """What one comment says; None for what it does not say."""

    recorded_at: datetime
    """Start of the recording, in the zone that the recorder was set to; always aware."""
    serial: str | None
    """16 hexadecimal digits; not said where the comment names a deployment instead."""
    deployment: str | None
    """16 hexadecimal digits."""
    external_microphone: bool
    gain: str | None
    """`0` to `4` in early firmware, `low` to `high` since 1.4.0."""
    battery_v: float | None
    """Volts; the bound itself where the comment says `less than` or `greater than`."""
    temperature_c: float | None
    stopped: str | None
    """Why the recording ended early, in the recorder's words."""


def parse_comment(comment: bytes) -> AudioMothComment | None:
    """Read an AudioMoth's comment, of any firmware.

    The first firmware named no zone; its clock ran in UTC. OpenSoundscape wraps the comment into
    JSON when it writes a file; the start is then the one it gives for what it wrote, which may
    be a part of the recording.

    Args:
        comment: The text as it stands in the file, NUL padding and all.

    Returns:
        None for other programs' comments, and where no legible time is left.
    """
    text = comment.partition(b"\0")[0].decode("utf-8", errors="replace").strip()
    if text.startswith(_OPENSOUNDSCAPE):
        return _unwrap(text.removeprefix(_OPENSOUNDSCAPE))
    start = _START.match(text)
    if start is None:
        return None
    hour, minute, second, day, month, year = (int(part) for part in start.groups()[:6])
    zone: timezone | None = UTC
    if start["sign"]:
        zone = fixed_offset(start["sign"], start["hours"], start["minutes"])
    if zone is None:
        return None
    try:
        recorded_at = datetime(year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError:
        return None
    battery, temperature = _found(_BATTERY, text), _found(_TEMPERATURE, text)
    return AudioMothComment(
        recorded_at=recorded_at,
        serial=_found(_SERIAL, text),
        deployment=_found(_DEPLOYMENT, text),
        external_microphone="using external microphone" in text,
        gain=_found(_GAIN, text),
        battery_v=None if battery is None else float(battery),
        temperature_c=None if temperature is None else float(temperature),
        stopped=_found(_STOPPED, text),
    )


def _unwrap(text: str) -> AudioMothComment | None:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    inner, start = said.get("comment"), said.get("recording_start_time")
    if not isinstance(inner, str) or not isinstance(start, str):
        return None
    comment = parse_comment(inner.encode(errors="replace"))
    recorded_at = parse_timestamp(start)
    if comment is None or recorded_at is None or recorded_at.tzinfo is None:
        return None
    return replace(comment, recorded_at=recorded_at)


def _found(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return next((part for part in match.groups() if part), None) if match else None


_OPENSOUNDSCAPE = "opso_metadata"
_START = re.compile(
    r"Recorded at (\d\d):(\d\d):(\d\d) (\d\d)/(\d\d)/(\d{4})"
    r"(?: \(UTC(?:(?P<sign>[+-])(?P<hours>\d\d?)(?::(?P<minutes>\d\d))?)?\)| (?=by AudioMoth))",
    re.ASCII,
)
_SERIAL = re.compile(r" by AudioMoth ([0-9A-Fa-f]{16})\b")
_DEPLOYMENT = re.compile(r" during deployment ([0-9A-Fa-f]{16})\b")
_GAIN = re.compile(r" at (?:gain setting (\d)\b|([a-z-]+) gain\b)", re.ASCII)
_BATTERY = re.compile(
    r" battery (?:state )?was (?:less than |greater than |[<>] ?)?(\d+\.\d+)V", re.ASCII
)
_TEMPERATURE = re.compile(r" temperature was (-?\d+\.\d+)C", re.ASCII)
_STOPPED = re.compile(r" Recording (?:stopped|cancelled before completion) (?:due to|by) ([^.]+)\.")

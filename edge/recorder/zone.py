"""Time zones as people write them in a configuration and as recorders write them in a name."""

import difflib
import re
from datetime import UTC, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from edge.errors import ConfigError

_OFFSET = re.compile(r"(?:UTC)?([+-])(\d{1,2})(?::?(\d\d))?", re.ASCII)
_WIDEST = timedelta(hours=14)


def parse_zone(text: str) -> tzinfo:
    """Turn a zone's name or offset into a `tzinfo`.

    Args:
        text: `UTC`, an IANA name (`America/Cuiaba`) or a fixed offset from UTC (`+02:00`, `-0330`,
            `+2`, `UTC-3:30`).

    Raises:
        ConfigError: There is no such zone; the remedy names those spelt nearly so.
    """
    text = text.strip()
    if text.upper() in ("UTC", "Z"):
        return UTC
    if offset := _OFFSET.fullmatch(text):
        if (zone := fixed_offset(*offset.groups())) is not None:
            return zone
        raise ConfigError(
            f"{text!r} is no offset from UTC", remedy="offsets lie between -14:00 and +14:00"
        )
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ConfigError(f"there is no time zone {text!r}", remedy=_remedy(text)) from None


def fixed_offset(sign: str, hours: str, minutes: str | None = None) -> timezone | None:
    """Return the zone of a written offset such as `-`, `3`, `30`; None for an impossible one.

    Args:
        sign: `+` where local time is ahead of UTC, `-` where it is behind.
        hours: One or two digits.
        minutes: Two digits of the same sign as the hours.
    """
    size = timedelta(hours=int(hours), minutes=int(minutes or 0))
    if int(minutes or 0) >= 60 or size > _WIDEST:
        return None
    return timezone(-size if sign == "-" else size)


def _remedy(text: str) -> str:
    known = available_timezones()
    if not known:
        return "this machine has no time zone data: pip install tzdata, or give an offset: '+02:00'"
    spellings = {name.rpartition("/")[2].lower(): name for name in sorted(known)}
    spellings |= {name.lower(): name for name in known}
    close = difflib.get_close_matches(text.lower().replace(" ", "_"), sorted(spellings), n=3)
    names = list(dict.fromkeys(spellings[spelling] for spelling in close))
    forms = "an IANA name such as 'Europe/Berlin', 'UTC' or an offset such as '+02:00'"
    return f"did you mean {' or '.join(names)}? Or give {forms}" if names else f"give {forms}"

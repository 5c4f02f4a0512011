"""Zones as people write them."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ConfigError
from edge.recorder.zone import fixed_offset, parse_zone


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("UTC", UTC),
        ("utc", UTC),
        ("Z", UTC),
        ("America/Cuiaba", ZoneInfo("America/Cuiaba")),
        (" Europe/Berlin\n", ZoneInfo("Europe/Berlin")),
        ("+02:00", timezone(timedelta(hours=2))),
        ("-0330", timezone(-timedelta(hours=3, minutes=30))),
        ("+5", timezone(timedelta(hours=5))),
        ("UTC-3:30", timezone(-timedelta(hours=3, minutes=30))),
        ("-00:30", timezone(-timedelta(minutes=30))),
        ("+14:00", timezone(timedelta(hours=14))),
    ],
)
def test_a_zone_is_a_name_or_an_offset(text, zone):
    """UTC, IANA names and offsets with or without colon are zones."""
    assert zone == parse_zone(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("America/Cuiabá", "America/Cuiaba"),
        ("america/cuiaba", "America/Cuiaba"),
        ("Cuiaba", "America/Cuiaba"),
        ("Europe/Berln", "Europe/Berlin"),
        ("America/New York", "America/New_York"),
    ],
)
def test_a_misspelt_zone_is_answered_with_the_nearest(text, hint):
    """Whoever errs in a name is told the name."""
    with pytest.raises(ConfigError) as caught:
        parse_zone(text)
    assert repr(text) in caught.value.what
    assert hint in caught.value.remedy


@pytest.mark.parametrize(
    "text", ["", "America", "../etc/passwd", "/etc/localtime", "x\0y", "+25:00", "+02:60", "-14:01"]
)
def test_what_is_no_zone_is_an_error_with_a_remedy(text):
    """Folders, paths, nonsense and offsets that no place has are refused."""
    with pytest.raises(ConfigError) as caught:
        parse_zone(text)
    assert caught.value.remedy != ""


@settings(deadline=None, derandomize=True)
@given(st.integers(-14 * 60, 14 * 60), st.sampled_from([":", ""]))
def test_every_offset_survives_being_written(minutes, colon):
    """An offset written with or without colon is read as itself."""
    sign = "-" if minutes < 0 else "+"
    hours, rest = divmod(abs(minutes), 60)
    zone = parse_zone(f"{sign}{hours:02}{colon}{rest:02}")
    assert timedelta(minutes=minutes) == zone.utcoffset(datetime(2024, 1, 1))


def test_an_impossible_offset_is_none():
    """Sixty minutes and fifteen hours are no offset."""
    assert [fixed_offset("+", "1", "60"), fixed_offset("-", "15")] == [None, None]

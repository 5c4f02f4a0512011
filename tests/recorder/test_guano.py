"""GUANO text."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.recorder.guano import Guano, parse_guano, parse_timestamp

AUDIOMOTH = (
    b"GUANO|Version:1.0\nMake:Open Acoustic Devices\nModel:AudioMoth\nSerial:24BBD608675B68F7\n"
    b"Firmware Version:AudioMoth-Firmware-Basic (1.11.0)\nTimestamp:2026-08-10T16:00:00-03:00\n"
    b"Loc Position:-18.980000 -56.620000\nOAD|Loc Source:GPS\n"
    b"Original Filename:20260810_160000.WAV\nOAD|Recording Settings:48000 GAIN 2\n"
    b"OAD|Battery Voltage:4.8\nTemperature Int:-3.1"
)


def test_every_known_field_is_typed():
    """An AudioMoth's chunk gives its start, place, maker and temperature."""
    said = parse_guano(AUDIOMOTH)
    at = datetime(2026, 8, 10, 16, tzinfo=timezone(timedelta(hours=-3)))
    expected = Guano(
        version="1.0",
        timestamp=at,
        position=(-18.98, -56.62),
        make="Open Acoustic Devices",
        model="AudioMoth",
        serial="24BBD608675B68F7",
        temperature_c=-3.1,
        fields=said.fields,
        damaged=(),
    )
    assert expected == said
    assert at.utcoffset() == said.timestamp.utcoffset()


def test_fields_nobody_knows_are_kept_in_order():
    """A vendor's field stays as it was written."""
    fields = parse_guano(AUDIOMOTH).fields
    assert fields["OAD|Recording Settings"] == "48000 GAIN 2"
    assert list(fields)[:4] == ["GUANO|Version", "Make", "Model", "Serial"]
    assert len(fields) == 12


def test_white_space_and_padding_are_no_content():
    """Blank lines, CR, a byte order mark and NUL padding are passed over."""
    chunk = b"\xef\xbb\xbfGUANO|Version: 1.0 \r\n\r\n  Timestamp:\t2024-05-01T06:15:00Z \r\n\0\0\0 "
    said = parse_guano(chunk)
    assert dict(said.fields) == {"GUANO|Version": "1.0", "Timestamp": "2024-05-01T06:15:00Z"}
    assert said.damaged == ()


def test_damage_costs_only_its_line():
    """Lines without a colon, repeated keys, bad numbers and bad UTF-8 leave the rest legible."""
    said = parse_guano(
        b"GUANO|Version:1.0\nrubbish\nModel:SM4\nModel:SM5\n:no key\nTemperature Int:warm\n"
        b"Loc Position:91.0 10\nMake:\xff\xfe\nTimestamp:2024-05-01T06:15:00\nSerial:"
    )
    expected = (
        "rubbish",
        "Model:SM5",
        ":no key",
        "Loc Position:91.0 10",
        "Temperature Int:warm",
    )
    assert expected == said.damaged
    assert (
        said.model,
        said.position,
        said.temperature_c,
        said.serial,
    ) == ("SM4", None, None, None)
    assert datetime(2024, 5, 1, 6, 15) == said.timestamp
    assert said.make == "��"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2015-12-31T23:59:59", datetime(2015, 12, 31, 23, 59, 59)),
        ("2015-12-31T23:59:59.123", datetime(2015, 12, 31, 23, 59, 59, 123000)),
        ("2015-12-31T23:59:59.123456Z", datetime(2015, 12, 31, 23, 59, 59, 123456, UTC)),
        ("2015-12-31T23:59:59.1234567Z", datetime(2015, 12, 31, 23, 59, 59, 123456, UTC)),
        (
            "2015-12-31T23:59:59+04:00",
            datetime(2015, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=4))),
        ),
        (
            "2015-12-31 23:59-0330",
            datetime(2015, 12, 31, 23, 59, tzinfo=timezone(-timedelta(hours=3, minutes=30))),
        ),
    ],
)
def test_each_form_of_a_timestamp_is_read(text, at):
    """Local, UTC and relative times, with or without a fraction."""
    said = parse_timestamp(text)
    assert at == said
    assert at.utcoffset() == said.utcoffset()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2015-12-31",
        "2015-12-32T00:00:00",
        "2015-12-31T24:00:00",
        "2015-12-31T23:59:59+25:00",
        "2015-12-31T23:59:59+0",
        "0000-00-00T00:00:00Z",
        "31/12/2015 23:59:59",
        "tomorrow",
    ],
)
def test_what_is_no_time_is_none(text):
    """A date alone is no start, and an impossible one neither."""
    assert parse_timestamp(text) is None


zones = st.none() | st.integers(-14 * 60, 14 * 60).map(lambda n: timezone(timedelta(minutes=n)))


@settings(deadline=None, derandomize=True)
@given(st.datetimes(timezones=zones), st.floats(-90, 90), st.floats(-180, 180))
def test_what_is_written_is_read(at, latitude, longitude):
    """Any time in any zone and any place on Earth survive being written."""
    text = f"Timestamp:{at.isoformat()}\nLoc Position:{latitude:.6f} {longitude:.6f}\n"
    said = parse_guano(text.encode())
    assert (at, at.utcoffset()) == (said.timestamp, said.timestamp.utcoffset())
    assert (float(f"{latitude:.6f}"), float(f"{longitude:.6f}")) == said.position


@settings(deadline=None, derandomize=True)
@given(st.binary())
def test_no_chunk_is_an_error(chunk):
    """Any bytes give a record."""
    assert isinstance(parse_guano(chunk), Guano)

"""The AudioMoth's comment, through the years of its firmware."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.recorder.audiomoth import AudioMothComment, parse_comment
from edge.riff import read_metadata

AT = "Recorded at 10:25:00 04/04/2020"
SERIAL = "24526B065D325963"
OLD = AudioMothComment(
    recorded_at=datetime(2020, 4, 4, 10, 25, tzinfo=UTC),
    serial=SERIAL,
    deployment=None,
    external_microphone=False,
    gain="2",
    battery_v=4.7,
    temperature_c=None,
    stopped=None,
)
NEW = replace(OLD, gain="medium", temperature_c=12.8)


def zoned(hours, minutes=0):
    """The local time of the comment above in a zone."""
    zone = timezone(timedelta(hours=hours, minutes=minutes))
    return OLD.recorded_at.replace(tzinfo=zone)


FORMS = {
    "1.0.0": (f"{AT} by AudioMoth {SERIAL} at gain setting 2 while battery state was 4.7V", OLD),
    "1.0.0 low": (
        f"{AT} by AudioMoth {SERIAL} at gain setting 2 while battery state was < 3.6V",
        replace(OLD, battery_v=3.6),
    ),
    "1.0.0 full": (
        f"{AT} by AudioMoth {SERIAL} at gain setting 4 while battery state was > 5.0V",
        replace(OLD, battery_v=5.0, gain="4"),
    ),
    "1.0.1": (
        f"{AT} (UTC) by AudioMoth {SERIAL} at gain setting 2 while battery state was 4.7V",
        OLD,
    ),
    "1.2.0": (
        f"{AT} (UTC+5) by AudioMoth {SERIAL} at gain setting 2 while battery state was 4.7V.",
        replace(OLD, recorded_at=zoned(5)),
    ),
    "1.2.1": (
        f"{AT} (UTC-11) by AudioMoth {SERIAL} at gain setting 2 while battery state was "
        "less than 3.6V. Recording cancelled before completion due to low battery voltage.",
        replace(OLD, recorded_at=zoned(-11), battery_v=3.6, stopped="low battery voltage"),
    ),
    "1.3.0": (
        f"{AT} (UTC-3:30) by AudioMoth {SERIAL} at gain setting 2 while battery state was "
        "greater than 4.9V. Recording cancelled before completion due to "
        "change of switch position.",
        replace(
            OLD,
            recorded_at=zoned(-3, -30),
            battery_v=4.9,
            stopped="change of switch position",
        ),
    ),
    "1.4.0": (
        f"{AT} (UTC+5:45) by AudioMoth {SERIAL} at medium gain setting while battery state was "
        "4.7V and temperature was 12.8C. Amplitude threshold was 512. Band-pass filter applied "
        "with cut-off frequencies of 1.0kHz and 8.0kHz.",
        replace(NEW, recorded_at=zoned(5, 45)),
    ),
    "1.5.0": (
        f"{AT} (UTC) during deployment 0FE081F80FE081F0 using external microphone at low-medium "
        "gain setting while battery state was 4.7V and temperature was 12.8C. Recording "
        "cancelled before completion due to microphone change.",
        replace(
            NEW,
            serial=None,
            deployment="0FE081F80FE081F0",
            external_microphone=True,
            gain="low-medium",
            stopped="microphone change",
        ),
    ),
    "1.6.0": (
        f"{AT} (UTC-0:30) by AudioMoth {SERIAL} using external microphone at medium-high gain "
        "while battery was less than 2.5V and temperature was -7.9C. Amplitude threshold was "
        "-24 dB with 1s minimum trigger duration. High-pass filter with frequency of 1.0kHz "
        "applied. Recording stopped due to switch position change.",
        replace(
            NEW,
            recorded_at=zoned(0, -30),
            external_microphone=True,
            gain="medium-high",
            battery_v=2.5,
            temperature_c=-7.9,
            stopped="switch position change",
        ),
    ),
    "1.8.0": (
        f"{AT} (UTC+12) during deployment 0FE081F80FE081F0 at high gain while battery was 4.7V "
        "and temperature was 12.8C. Frequency trigger (8.0kHz and window length of 64 samples) "
        "threshold was 0.05% with 0s minimum trigger duration. Recording stopped by "
        "magnetic switch.",
        replace(
            NEW,
            recorded_at=zoned(12),
            serial=None,
            deployment="0FE081F80FE081F0",
            gain="high",
            stopped="magnetic switch",
        ),
    ),
    "cut short": (
        f"{AT} (UTC) by Audio",
        replace(OLD, serial=None, gain=None, battery_v=None),
    ),
}


@pytest.mark.parametrize(("text", "comment"), FORMS.values(), ids=FORMS)
def test_each_firmwares_comment_is_read(text, comment):
    """Every published form gives what it says, padded to 384 bytes as in the file."""
    said = parse_comment(text.encode().ljust(384, b"\0"))
    assert comment == said
    assert comment.recorded_at.utcoffset() == said.recorded_at.utcoffset()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0" * 384,
        "made with Audacity",
        "Recorded at 10:25:00 31/02/2020 (UTC) by AudioMoth 24526B065D325963",
        "Recorded at 10:25:00 04/04/2020 (UTC+25) by AudioMoth 24526B065D325963",
        "Recorded at 10:25:00 04/04/2020 (UTC+5 by AudioMoth 24526B065D325963",
        "Recorded at 10:25:00 04/04/2020",
        "opso_metadata{}",
        "opso_metadata[1]",
        "opso_metadata{cut",
        'opso_metadata{"comment": "made with Audacity", "recording_start_time": "x"}',
    ],
)
def test_other_comments_say_nothing(text):
    """Another program's comment and an impossible time are no AudioMoth's."""
    assert parse_comment(text.encode()) is None


@settings(deadline=None, derandomize=True)
@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2106, 1, 1)).map(
        lambda at: at.replace(microsecond=0)
    ),
    st.integers(-12 * 60, 14 * 60),
)
def test_any_time_in_any_zone_survives_being_written(at, offset_minutes):
    """The firmware's own way of writing a zone is undone."""
    hours, minutes = divmod(abs(offset_minutes), 60)
    sign = "-" if offset_minutes < 0 else "+" if offset_minutes else ""
    zone = f"{sign}{hours}" * bool(offset_minutes) + f":{minutes:02}" * bool(minutes)
    said = parse_comment(
        f"Recorded at {at:%H:%M:%S %d/%m/}{at.year:04} (UTC{zone}) by AudioMoth {SERIAL}".encode()
    )
    expected = at.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    assert (expected, expected.utcoffset()) == (said.recorded_at, said.recorded_at.utcoffset())


@settings(deadline=None, derandomize=True)
@given(st.binary() | st.text().map(lambda text: b"opso_metadata" + text.encode(errors="replace")))
def test_no_comment_is_an_error(comment):
    """Any bytes give a comment or none."""
    said = parse_comment(comment)
    assert said is None or isinstance(said, AudioMothComment)


def test_a_part_that_opensoundscape_cut_out_begins_where_it_says():
    """The start of the file wins over the start of the recording that it was cut from."""
    wrapped = {"comment": FORMS["1.0.1"][0], "recording_start_time": "2020-04-04T10:26:30+00:00"}
    expected = replace(OLD, recorded_at=datetime(2020, 4, 4, 10, 26, 30, tzinfo=UTC))
    assert expected == parse_comment(b"opso_metadata" + json.dumps(wrapped).encode() + b"\0")


@pytest.mark.parametrize(
    ("name", "at", "serial"),
    [
        ("metadata.wav", datetime(2020, 4, 4, 10, 25, tzinfo=UTC), "24526B065D325963"),
        ("1min.wav", datetime(2018, 5, 4, 9, 32, tzinfo=UTC), "0FE081F80FE081F0"),
        ("audiomoth_gps.wav", datetime(2024, 5, 28, 10, 0, tzinfo=UTC), "243B1F026488F56E"),
    ],
)
def test_real_files_say_when_they_began(data_dir, name, at, serial):
    """The comments of real AudioMoths are found after the audio and read."""
    said = parse_comment(read_metadata(data_dir / "soundscapes" / name).comment)
    assert (at, serial) == (said.recorded_at, said.serial)

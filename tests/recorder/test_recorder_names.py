"""Times in the names of recorders' files."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.recorder.names import NameTime, Recorder, parse_name


def offset(hours, minutes=0):
    """A fixed zone east of Greenwich."""
    return timezone(timedelta(hours=hours, minutes=minutes))


KNOWN = [
    ("20240501_061500.WAV", Recorder.AUDIOMOTH, datetime(2024, 5, 1, 6, 15)),
    ("20240501_061500T.WAV", Recorder.AUDIOMOTH, datetime(2024, 5, 1, 6, 15)),
    ("24F319075F7DF877_20240501_061500.WAV", Recorder.AUDIOMOTH, datetime(2024, 5, 1, 6, 15)),
    ("24F319075F7DF877_20240501_061500T.wav", Recorder.AUDIOMOTH, datetime(2024, 5, 1, 6, 15)),
    ("20240501/20240501_061500.WAV", Recorder.AUDIOMOTH, datetime(2024, 5, 1, 6, 15)),
    ("card/20240501/20240501_061500.flac", Recorder.AUDIOMOTH, datetime(2024, 5, 1, 6, 15)),
    ("5B07FAC0.WAV", Recorder.AUDIOMOTH_HEX, datetime(2018, 5, 25, 12, 0, tzinfo=UTC)),
    ("S4A03895_20190522_234500.wav", Recorder.SONG_METER, datetime(2019, 5, 22, 23, 45)),
    ("SITE_A_0+1_20190522_234500.wav", Recorder.SONG_METER, datetime(2019, 5, 22, 23, 45)),
    (
        "BAT1_20190522_234500_125.wav",
        Recorder.SONG_METER,
        datetime(2019, 5, 22, 23, 45, 0, 125000),
    ),
    (
        "SwiftOne_20230710_040000_-0400.wav",
        Recorder.SWIFT,
        datetime(2023, 7, 10, 4, tzinfo=offset(-4)),
    ),
    (
        "S1_x_20230710_040000_+0545.wav",
        Recorder.SWIFT,
        datetime(2023, 7, 10, 4, tzinfo=offset(5, 45)),
    ),
    (
        "20191125T000000+1000_REC.flac",
        Recorder.FRONTIER_LABS,
        datetime(2019, 11, 25, tzinfo=offset(10)),
    ),
    (
        "20191125T013000+0930_REC [-18.1883+143.2525].flac",
        Recorder.FRONTIER_LABS,
        datetime(2019, 11, 25, 1, 30, tzinfo=offset(9, 30)),
    ),
    ("dam_20191125T000000Z.wav", Recorder.FRONTIER_LABS, datetime(2019, 11, 25, tzinfo=UTC)),
    ("2024-05-01-birdnet-06:15:00.wav", Recorder.BIRDNET_PI, datetime(2024, 5, 1, 6, 15)),
    ("2024-05-01-birdnet-RTSP_1-06:15:00.wav", Recorder.BIRDNET_PI, datetime(2024, 5, 1, 6, 15)),
    (
        "BC2026_Test_0001_S05_20250227_010002.ogg",
        Recorder.BIRDCLEF,
        datetime(2025, 2, 27, 1, 0, 2, tzinfo=UTC),
    ),
    (
        "BC2027_Train_123456_S11_20260131_235959.ogg",
        Recorder.BIRDCLEF,
        datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC),
    ),
]


@pytest.mark.parametrize(("name", "recorder", "at"), KNOWN)
def test_a_recorders_name_says_when_it_began(name, recorder, at):
    """Each recorder's pattern gives its time, and its zone where it has one."""
    said = parse_name(name)
    assert NameTime(recorder, at) == said
    assert at.utcoffset() == said.at.utcoffset()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "soundscape_8358733.ogg",
        "20240501.WAV.txt",
        "recording.wav",
        "20240532_061500.WAV",
        "20230229_061500.WAV",
        "20240501_246000.WAV",
        "20240501_061500X.WAV",
        "24F319075F7DF87_0501_061500.WAV",
        "S4A03895_20191322_234500.wav",
        "S4A03895_20190522_234500_0_5.wav",
        "SwiftOne_20230710_040000_-0460.wav",
        "SwiftOne_20230710_040000_-2300.wav",
        "20191125T000000_REC.flac",
        "2024-05-01-birdnet-06:15:60.wav",
        "2024-13-01-birdnet-06:15:00.wav",
        "5B07FAC0.ogg",
        "5b07fac0.WAV",
        "5B07FAC.WAV",
        "٢٠٢٤٠٥٠١_٠٦١٥٠٠.WAV",
    ],
)
def test_other_names_and_impossible_dates_say_nothing(name):
    """A name that is not wholly a recorder's, or a day that never was, is no time."""
    assert parse_name(name) is None


whole_seconds = st.datetimes(datetime(2001, 1, 1), datetime(2100, 12, 31)).map(
    lambda at: at.replace(microsecond=0)
)
quarters = st.integers(-12 * 4, 14 * 4).map(lambda n: timezone(timedelta(minutes=15 * n)))


@settings(deadline=None, derandomize=True)
@given(whole_seconds, st.sampled_from(["", "24F319075F7DF877_"]), st.sampled_from(["", "T"]))
def test_an_audiomoths_name_survives_being_written(at, serial, trigger):
    """Any time an AudioMoth writes is read back."""
    name = f"{at:%Y%m%d}/{serial}{at:%Y%m%d_%H%M%S}{trigger}.WAV"
    assert NameTime(Recorder.AUDIOMOTH, at) == parse_name(name)


@settings(deadline=None, derandomize=True)
@given(st.integers(0, 0xFFFF_FFFF))
def test_an_old_audiomoths_name_survives_being_written(unix_s):
    """Any Unix time of 32 bits is read back."""
    at = datetime.fromtimestamp(unix_s, UTC)
    assert NameTime(Recorder.AUDIOMOTH_HEX, at) == parse_name(f"{unix_s:08X}.WAV")


@settings(deadline=None, derandomize=True)
@given(whole_seconds, st.text("ABCxyz0189_+-", min_size=1, max_size=12))
def test_a_song_meters_name_survives_being_written(at, prefix):
    """Any time behind any prefix is read back, were the prefix an AudioMoth's."""
    said = parse_name(f"{prefix}_{at:%Y%m%d_%H%M%S}.wav")
    assert at == said.at


@settings(deadline=None, derandomize=True)
@given(whole_seconds, quarters)
def test_a_zone_in_the_name_survives_being_written(at, zone):
    """Swift and Frontier Labs names give back the instant and the offset."""
    at = at.replace(tzinfo=zone)
    names = [f"SwiftOne_{at:%Y%m%d_%H%M%S_%z}.wav", f"{at:%Y%m%dT%H%M%S%z}_REC.flac"]
    expected = [NameTime(Recorder.SWIFT, at), NameTime(Recorder.FRONTIER_LABS, at)]
    said = [parse_name(name) for name in names]
    assert expected == said
    assert [zone.utcoffset(None)] * 2 == [one.at.utcoffset() for one in said]


@settings(deadline=None, derandomize=True)
@given(whole_seconds)
def test_birdnet_pis_and_birdclefs_names_survive_being_written(at):
    """Both are read back; the competition's in UTC."""
    names = [f"{at:%Y-%m-%d-birdnet-%H:%M:%S}.wav", f"BC2026_Test_9_S1_{at:%Y%m%d_%H%M%S}.ogg"]
    expected = [
        NameTime(Recorder.BIRDNET_PI, at),
        NameTime(Recorder.BIRDCLEF, at.replace(tzinfo=UTC)),
    ]
    assert expected == [parse_name(name) for name in names]


@settings(deadline=None, derandomize=True)
@given(st.text())
def test_any_text_is_a_name(text):
    """No name is an error."""
    said = parse_name(text)
    assert said is None or isinstance(said, NameTime)


def test_a_day_of_a_song_meter_lies_in_one_row(data_dir):
    """The real names of one day are 96 quarters of an hour."""
    names = sorted(path.name for path in (data_dir / "recorder-day").glob("*.wav"))
    said = [parse_name(name) for name in names]
    day = datetime(2019, 5, 22)
    expected = [
        NameTime(Recorder.SONG_METER, day + n * timedelta(minutes=15)) for n in range(len(names))
    ]
    assert expected == said
    assert len(names) == 96

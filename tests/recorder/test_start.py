"""The start of a recording, by the best source that is left."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.recorder.start import Start, TimeSource, resolve_start
from edge.riff import read_metadata

BERLIN = ZoneInfo("Europe/Berlin")
CUIABA = ZoneInfo("America/Cuiaba")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
GUANO = b"GUANO|Version:1.0\nTimestamp:2024-05-01T01:00:00Z\n"
COMMENT = b"Recorded at 02:00:00 01/05/2024 (UTC) by AudioMoth 24526B065D325963".ljust(384, b"\0")
NAME = "S1_20240501_030000.wav"
MTIME = datetime(2024, 5, 1, 4, 1, tzinfo=UTC).timestamp()


def utc(*parts):
    """An instant."""
    return datetime(*parts, tzinfo=UTC)


def start_of(name="notes.wav", *, mtime_s=MTIME, zone=UTC, **rest):
    """Resolve with what a test does not care about filled in."""
    return resolve_start(name=name, mtime_s=mtime_s, zone=zone, **rest)


def test_guano_wins_then_icmt_then_the_name_then_the_modification_time():
    """The best source that is there decides."""
    found = [
        start_of(NAME, guano=GUANO, comment=COMMENT, duration_s=60),
        start_of(NAME, comment=COMMENT, duration_s=60),
        start_of(NAME, duration_s=60),
        start_of(duration_s=60),
    ]
    expected = [
        Start(utc(2024, 5, 1, 1), TimeSource.GUANO),
        Start(utc(2024, 5, 1, 2), TimeSource.ICMT),
        Start(utc(2024, 5, 1, 3), TimeSource.NAME),
        Start(
            utc(2024, 5, 1, 4), TimeSource.MTIME, note="name: no recorder's time in the file's name"
        ),
    ]
    assert expected == found


def test_the_sources_have_the_names_that_rows_carry():
    """guano, icmt, name, mtime."""
    assert [str(source) for source in TimeSource] == ["guano", "icmt", "name", "mtime"]


def test_without_a_length_the_modification_time_is_the_end_and_says_so():
    """What is not known is not made up."""
    found = start_of()
    assert utc(2024, 5, 1, 4, 1) == found.at
    assert "length is not known" in found.note


def test_the_zone_is_used_only_where_none_is_written():
    """A local GUANO time and a bare name are in the configured zone, the rest in its own."""
    local = GUANO.replace(b"Z", b"")
    swift = "SwiftOne_20240501_030000_-0400.wav"
    found = [
        start_of(NAME, zone=BERLIN, guano=GUANO),
        start_of(NAME, zone=BERLIN, guano=local),
        start_of(NAME, zone=BERLIN, comment=COMMENT.replace(b"(UTC)", b"(UTC-3:30)")),
        start_of(NAME, zone=BERLIN),
        start_of(swift, zone=BERLIN),
        start_of("5B07FAC0.WAV", zone=BERLIN),
        start_of(NAME, zone=timezone(-timedelta(hours=3, minutes=30))),
    ]
    expected = [
        utc(2024, 5, 1, 1),
        utc(2024, 4, 30, 23),
        utc(2024, 5, 1, 5, 30),
        utc(2024, 5, 1, 1),
        utc(2024, 5, 1, 7),
        utc(2018, 5, 25, 12),
        utc(2024, 5, 1, 6, 30),
    ]
    assert expected == [one.at for one in found]


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ({"guano": b"Timestamp:yesterday"}, "guano: its Timestamp is no time: 'yesterday'"),
        ({"guano": b"\xff\xfe\0"}, "guano: it has no Timestamp"),
        ({"guano": b"Timestamp:2000-01-01T00:00:09"}, "guano: 2000-01-01 00:00:09 cannot be"),
        ({"guano": b"Timestamp:2155-01-01T00:00:09Z"}, "guano: 2155-01-01 00:00:09+00:00 cannot"),
        ({"comment": bytes(384)}, "icmt: the comment holds no time"),
        (
            {"comment": COMMENT.replace(b"01/05/2024", b"01/01/1970")},
            "icmt: 1970-01-01 02:00:00+00:00 cannot be; was the clock set?",
        ),
    ],
)
def test_a_source_that_cannot_be_true_is_passed_over_with_a_note(sources, said):
    """Damage and unset clocks cost only their own source."""
    found = start_of(NAME, **sources)
    assert (utc(2024, 5, 1, 3), TimeSource.NAME) == (found.at, found.source)
    assert said in found.note


@pytest.mark.parametrize(
    "name", ["00000012.WAV", "19700101_000012.WAV", "S4A03895_20000101_000012.wav", "20240101.WAV"]
)
def test_a_name_written_by_an_unset_clock_leaves_the_modification_time(name):
    """1970, 2000, and eight digits that are no Unix time of this century, are passed over."""
    found = start_of(name, duration_s=60)
    assert (utc(2024, 5, 1, 4), TimeSource.MTIME) == (found.at, found.source)
    assert "cannot be" in found.note


@pytest.mark.parametrize("mtime_s", [0.0, -1e10, 1e30, float("inf"), float("nan")])
def test_when_nothing_can_be_true_the_start_is_marked(mtime_s):
    """The caller is given a time, and told that it is none."""
    found = start_of(mtime_s=mtime_s, duration_s=60)
    assert (found.plausible, found.source) == (False, TimeSource.MTIME)
    assert "start is not known" in found.note


@pytest.mark.parametrize("duration_s", [-1.0, float("nan"), float("inf"), 1e18])
def test_a_length_that_cannot_be_is_not_known(duration_s):
    """A broken length never moves the start."""
    assert utc(2024, 5, 1, 4, 1) == start_of(duration_s=duration_s).at


FOLDS = [
    (BERLIN, "20241027_023000.WAV", utc(2024, 10, 27, 0, 30), utc(2024, 10, 27, 1, 30)),
    (CUIABA, "20180217_233000.WAV", utc(2018, 2, 18, 2, 30), utc(2018, 2, 18, 3, 30)),
    (LORD_HOWE, "20240407_014500.WAV", utc(2024, 4, 6, 14, 45), utc(2024, 4, 6, 15, 15)),
]


@pytest.mark.parametrize(("zone", "name", "first", "second"), FOLDS)
def test_a_time_that_occurred_twice_is_the_first_and_flagged(zone, name, first, second):
    """Without a hint the first is taken."""
    found = start_of(name, zone=zone)
    assert (first, True, False) == (found.at, found.ambiguous, found.nonexistent)
    assert f"occurred twice in {zone}: taken as the first" in found.note


@pytest.mark.parametrize(("zone", "name", "first", "second"), FOLDS)
def test_an_earlier_file_tells_the_two_apart(zone, name, first, second):
    """Recordings come in order; one that began after the first leaves only the second."""
    minute = timedelta(minutes=1)
    hints = [first - minute, first, second - minute, second + minute]
    found = [start_of(name, zone=zone, previous=hint) for hint in hints]
    assert [first, second, second, first] == [one.at for one in found]
    assert [one.ambiguous for one in found] == [True] * 4


@pytest.mark.parametrize(("zone", "name", "first", "second"), FOLDS)
def test_the_modification_time_tells_the_two_apart(zone, name, first, second):
    """It is the end of one of the two, unless the file was copied or touched since."""
    found = [
        start_of(name, zone=zone, duration_s=600, mtime_s=ended.timestamp())
        for ended in (
            first + timedelta(seconds=602),
            second + timedelta(seconds=602),
            second + timedelta(days=3),
        )
    ]
    assert [first, second, first] == [one.at for one in found]
    words = [one.note.partition("taken as the ")[2] for one in found]
    expected = ["first, by the modification time", "second, by the modification time", "first"]
    assert expected == words


def test_without_a_length_the_modification_time_decides_nothing():
    """A long recording and a short one can end at the same time."""
    zone, name, first, second = FOLDS[0]
    assert first == start_of(name, zone=zone, mtime_s=second.timestamp()).at


@pytest.mark.parametrize(
    ("zone", "name", "at"),
    [
        (BERLIN, "20240331_023000.WAV", utc(2024, 3, 31, 1, 30)),
        (CUIABA, "20181104_003000.WAV", utc(2018, 11, 4, 4, 30)),
        (LORD_HOWE, "20241006_021500.WAV", utc(2024, 10, 5, 15, 45)),
    ],
)
def test_a_time_that_was_skipped_is_that_of_a_clock_not_put_forward(zone, name, at):
    """The gap's width is added, as on the clock of the recorder, and the row is flagged."""
    found = start_of(name, zone=zone)
    assert (at, False, True) == (found.at, found.ambiguous, found.nonexistent)
    assert "was skipped in" in found.note


def test_a_local_guano_time_is_subject_to_the_same():
    """Where GUANO says no offset, folds are flagged too."""
    found = start_of(zone=BERLIN, guano=b"Timestamp:2024-10-27T02:30:00")
    assert (found.source, found.ambiguous) == (TimeSource.GUANO, True)


@settings(deadline=None, derandomize=True)
@given(
    st.datetimes(datetime(2001, 1, 2), datetime(2036, 1, 1)).map(
        lambda at: at.replace(microsecond=0, tzinfo=UTC)
    ),
    st.sampled_from([BERLIN, CUIABA, LORD_HOWE, UTC]),
    st.integers(0, 7200),
)
def test_what_a_recorder_writes_in_local_time_comes_back(at, zone, duration_s):
    """With the file's own modification time, every instant is found again, folds too."""
    local = at.astimezone(zone)
    ended_s = at.timestamp() + duration_s
    found = start_of(
        f"S1_{local:%Y%m%d_%H%M%S}.wav", zone=zone, duration_s=duration_s, mtime_s=ended_s
    )
    assert (at, TimeSource.NAME, False) == (found.at, found.source, found.nonexistent)


def test_real_files_begin_when_their_recorder_says(data_dir):
    """An AudioMoth's comment and a Song Meter's name, through the real files."""
    moth = data_dir / "soundscapes" / "metadata.wav"
    meter = data_dir / "recorder-day" / "S4A03895_20190522_000000.wav"
    found = []
    for path in (moth, meter):
        metadata = read_metadata(path)
        found.append(
            resolve_start(
                name=path.name,
                mtime_s=path.stat().st_mtime,
                zone=ZoneInfo("America/Toronto"),
                guano=metadata.guano,
                comment=metadata.comment,
                duration_s=soundfile.info(path).duration,
            )
        )
    expected = [
        Start(utc(2020, 4, 4, 10, 25), TimeSource.ICMT),
        Start(utc(2019, 5, 22, 4), TimeSource.NAME),
    ]
    assert expected == found

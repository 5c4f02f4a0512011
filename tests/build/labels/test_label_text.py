"""The text of label files, and the times in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import InputError
from edge_build.labels.text import read_lines, seconds_of


@pytest.mark.parametrize(
    "content",
    [
        "käuzchen\nwren\n".encode(),
        "käuzchen\nwren\n".encode("utf-8-sig"),
        "käuzchen\r\nwren\r\n".encode(),
        "käuzchen\rwren\r".encode(),
        "käuzchen\r\nwren\r\n".encode("utf-16"),
    ],
    ids=["plain", "mark", "CRLF", "CR", "UTF-16"],
)
def test_lines_do_not_depend_on_marks_and_ends(content, tmp_path):
    """A mark in front, the ends of lines, and 16 bits leave no trace."""
    (tmp_path / "a.txt").write_bytes(content)
    assert read_lines(tmp_path / "a.txt") == ["käuzchen", "wren", ""]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"0\t1\twren\n1\t2\tk\xe4uzchen\n", "a.txt, line 2: is not UTF-8 text"),
        (b"RIFF\0\0WAVE", "a.txt, line 1: is no text"),
    ],
)
def test_no_encoding_is_guessed(content, message, tmp_path):
    """What is not UTF-8 is refused with its line, and told how to be mended."""
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_lines(tmp_path / "a.txt")
    assert "save it again as UTF-8" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12.5", 12.5),
        (" 12,5 ", 12.5),
        ("7", 7.0),
        ("-0.25", -0.25),
        ("1e1", 10.0),
        ("00:00:05", 5.0),
        ("1:02:03.5", 3723.5),
        ("75:30", 4530.0),
        ("0:07,25", 7.25),
    ],
)
def test_times_are_read_exactly(text, seconds):
    """Seconds with a point or a comma, minutes, and hours."""
    assert seconds == seconds_of(text)


@pytest.mark.parametrize(
    "text",
    ["", "x", "nan", "inf", "1e999", "1.234,5", "1" * 999, "1:75:00", "1:5", "1:2:3", "-1:00"],
)
def test_what_is_no_time_is_refused(text):
    """Also what Python would take for a number."""
    with pytest.raises(ValueError, match="is no time"):
        seconds_of(text)


@given(st.integers(0, 10**5), st.integers(0, 59), st.integers(0, 59))
def test_clocks_count_seconds(hours, minutes, seconds):
    """Hours, minutes and seconds add up."""
    text = f"{hours}:{minutes:02d}:{seconds:02d}"
    assert hours * 3600 + minutes * 60 + seconds == seconds_of(text)

"""Audacity label tracks."""

import pytest

from edge.errors import InputError
from edge_build.labels.files import read_label_files
from edge_build.labels.marks import Mark


def read(tmp_path, text):
    """Write a track and read it by what it holds."""
    path = tmp_path / "dawn.txt"
    path.write_bytes(text.encode())
    (file,), _ = read_label_files([path])
    return file


def test_a_track_with_frequencies_points_and_confidences(tmp_path):
    """Lines with a backslash and cells behind the label are passed over."""
    file = read(
        tmp_path,
        "0.101385\t0.367520\tSP\n\\\t6441.064453\t12296.577148\n\n"
        "2,5\t2,5\tCRER, alt\r\n"
        "5.0\t10.0\tPica pica, Eurasian Magpie\t0.9000\n"
        "11\t12\n",
    )
    assert (
        Mark("", 0.101385, 0.36752, "SP", 1),
        Mark("", 2.5, 2.5, "CRER, alt", 4),
        Mark("", 5.0, 10.0, "Pica pica, Eurasian Magpie", 5),
        Mark("", 11.0, 12.0, "", 6),
    ) == file.marks
    assert file.listed == ("",)


@pytest.mark.parametrize("text", ["", "\n", "\ufeff \r\n"])
def test_an_empty_track_is_of_a_recording_without_labels(text, tmp_path):
    """Audacity exports a track without labels as an empty file."""
    file = read(tmp_path, text)
    assert (file.marks, file.listed) == ((), ("",))


@pytest.mark.parametrize(
    ("line", "message"),
    [("wren", "is not start, end and label"), ("1\tx\twren", "'x' is no time")],
)
def test_a_line_that_is_none_is_told(line, message, tmp_path):
    """The file, the line, and what to do."""
    with pytest.raises(InputError, match=f"dawn.txt, line 2: {message}") as caught:
        read(tmp_path, f"0\t1\twren\n{line}\n")
    assert caught.value.remedy


def test_a_real_track(data_dir):
    """The one that came with a recording of spinetails: all its labels, none of its frequencies."""
    (file,), _ = read_label_files([data_dir / "soundscapes" / "spinetail.txt"])
    assert Mark("", 0.101385, 0.36752, "SP", 1) == file.marks[0]
    assert {"SP", "CRER"} == {mark.label for mark in file.marks}
    assert all(0 <= mark.start_s < mark.end_s < 25 for mark in file.marks)

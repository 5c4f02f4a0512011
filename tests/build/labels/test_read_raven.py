"""Raven selection tables."""

from pathlib import Path

import pytest

from edge.errors import InputError
from edge_build.labels.files import read_label_files
from edge_build.labels.marks import Mark

PLAIN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tSpecies"
)


def read(tmp_path, text, *, column=None, name="dawn.Table.1.selections.txt"):
    """Write a table and read it by what it holds."""
    path = tmp_path / name
    path.write_text(text, "utf-8")
    (file,), others = read_label_files([path], column=column)
    assert others == []
    return file


def refusal(tmp_path, text, **more):
    """The error that a table is refused with."""
    with pytest.raises(InputError) as caught:
        read(tmp_path, text, **more)
    assert caught.value.remedy
    return caught.value


def test_a_table_of_one_recording(tmp_path):
    """Times, labels and lines are as they stand there; both views of a selection are rows."""
    file = read(
        tmp_path,
        f"{PLAIN}\n"
        "1\tWaveform 1\t1\t0.5\t2.25\t0\t0\twren\n"
        "1\tSpectrogram 1\t1\t0.5\t2.25\t900\t4000\twren\n"
        '2\tSpectrogram 1\t1\t7,125\t8,5\t900\t4000\t"frog, ""small"""\n'
        "3\tSpectrogram 1\t1\t9\t10\t900\t4000\n",
    )
    assert (
        Mark("", 0.5, 2.25, "wren", 2),
        Mark("", 0.5, 2.25, "wren", 3),
        Mark("", 7.125, 8.5, 'frog, "small"', 4),
        Mark("", 9.0, 10.0, "", 5),
    ) == file.marks
    assert file.listed == ("",)


def test_a_table_without_rows_is_of_a_recording_without_labels(tmp_path):
    """The heading alone speaks of the recording that bears its name."""
    file = read(tmp_path, f"{PLAIN}\r\n")
    assert file.marks == ()
    assert file.listed == ("",)


def test_file_offset_counts_within_the_named_recording(tmp_path):
    """Begin Time goes on through all open sounds; the offset and the length are what count."""
    file = read(
        tmp_path,
        "Begin Time (s)\tEnd Time (s)\tBegin File\tFile Offset (s)\tAnnotation\n"
        "1.0\t2.0\ta.wav\t1.0\twren\n"
        "61.5\t63.0\tb.wav\t1.5\tfrog\n",
    )
    assert (Mark("a.wav", 1.0, 2.0, "wren", 2), Mark("b.wav", 1.5, 3.0, "frog", 3)) == file.marks
    assert file.listed == ("a.wav", "b.wav")


def test_begin_path_is_taken_before_begin_file(tmp_path):
    """The path says more, also one of another system."""
    file = read(
        tmp_path,
        "Begin Time (s)\tEnd Time (s)\tBegin File\tBegin Path\tSpecies\n"
        "1\t2\ta.wav\tD:\\card1\\a.wav\twren\n",
    )
    assert file.listed == ("D:\\card1\\a.wav",)


def test_several_files_without_offsets_are_refused(tmp_path):
    """Where the second file begins, nobody knows."""
    error = refusal(
        tmp_path,
        "Begin Time (s)\tEnd Time (s)\tBegin File\tSpecies\n1\t2\ta.wav\tx\n61\t62\tb.wav\tx\n",
    )
    assert "line 1: has selections of several files" in error.what
    assert "File Offset (s)" in error.remedy
    error = refusal(
        tmp_path,
        "Begin Time (s)\tEnd Time (s)\tBegin File\tFile Offset (s)\tSpecies\n"
        "1\t2\ta.wav\t1\tx\n61\t62\tb.wav\t\tx\n",
    )
    assert "line 3: has no File Offset (s)" in error.what


def test_the_first_filled_column_holds_the_labels(tmp_path):
    """An empty one is passed over; where several are filled, that is told."""
    heading = "Begin Time (s)\tEnd Time (s)\tCommon Name\tAnnotation\tSpecies Code\n"
    file = read(tmp_path, f"{heading}1\t2\tWinter Wren\t\twinwre3\n")
    assert [mark.label for mark in file.marks] == ["Winter Wren"]
    assert file.remark == (
        "labels are taken from the column Common Name; --label-column takes another, such as "
        "Species Code"
    )
    file = read(tmp_path, f"{heading}1\t2\tWinter Wren\t\twinwre3\n", column="species code")
    assert ([mark.label for mark in file.marks], file.remark) == (["winwre3"], "")


def test_own_tables_are_read_back(tmp_path):
    """What `edge` exports names its recordings and holds labels by name and by code."""
    file = read(
        tmp_path,
        "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\t"
        "Common Name\tSpecies Code\tConfidence\tBegin Path\tFile Offset (s)\n"
        "1\tSpectrogram 1\t1\t5.0\t10.0\t0.0\t16000.0\tEurasian Magpie\t"
        "Pica pica_Eurasian Magpie\t0.9000\t/data/dawn.wav\t5.0\n",
    )
    assert (Mark("/data/dawn.wav", 5.0, 10.0, "Eurasian Magpie", 2),) == file.marks


@pytest.mark.parametrize(
    ("text", "column", "what", "remedy"),
    [
        (
            "Begin Time (s)\tEnd Time (s)\tCall\n1\t2\tx\n",
            None,
            "line 1: no column is known to hold labels; it has Begin Time (s), End Time (s), Call",
            "--label-column",
        ),
        (
            "\nBegin Time (s)\tEnd Time (s)\tCall\n1\t2\tx\n",
            "Calls",
            "line 2: has no column 'Calls', only Begin Time (s), End Time (s), Call",
            "--label-column",
        ),
        (
            "Begin Time (s)\tEnd Time (s)\tSpecies\tspecies\n1\t2\tx\ty\n",
            None,
            "line 1: 2 columns are called Species",
            "leave one of them",
        ),
        (f"{PLAIN}\n1\t\t\tone\t2\t\t\tx\n", None, "line 2: 'one' is no time", "write seconds"),
        (f"{PLAIN}\n1\t\t\t1\t2\t\t\tx\ty\n", None, "line 2: has 9 cells for 8", "tabs"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text, column, what, remedy, tmp_path):
    """File, line, and what to do."""
    error = refusal(tmp_path, text, column=column)
    assert f"dawn.Table.1.selections.txt, {what}" in error.what
    assert remedy in error.remedy


def test_a_table_with_commas_or_semicolons(tmp_path):
    """As other programs save it; the decimals then have commas or points as they like."""
    for text in (
        "Begin Time (s),End Time (s),Species\n1.5,2,wren\n",
        'Begin Time (s);End Time (s);Species\n1,5;2;"wren"\n',
    ):
        file = read(tmp_path, text, name="a.csv")
        assert (Mark("", 1.5, 2.0, "wren", 2),) == file.marks
    assert Path(file.path).name == "a.csv"

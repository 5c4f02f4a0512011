"""BirdCLEF's tables of labelled soundscapes."""

import pytest

from edge.errors import InputError
from edge_build.labels.files import read_label_files
from edge_build.labels.marks import Mark

HEADING = "filename,start,end,primary_label\n"


def read(tmp_path, text):
    """Write a table and read it by what it holds."""
    path = tmp_path / "labels.csv"
    path.write_text(text, "utf-8")
    (file,), _ = read_label_files([path])
    return file


def test_several_labels_and_clock_times(tmp_path):
    """Each label is a mark; a row without one speaks of its recording all the same."""
    file = read(
        tmp_path,
        f"{HEADING}a.ogg,00:00:00,00:00:05,22961; käuzchen\n"
        "a.ogg,00:00:05,00:00:10,\n"
        "b.ogg,5,10.5,nocall\n"
        'c.ogg,"0,5",1,22961;\n',
    )
    assert (
        Mark("a.ogg", 0.0, 5.0, "22961", 2),
        Mark("a.ogg", 0.0, 5.0, "käuzchen", 2),
        Mark("c.ogg", 0.5, 1.0, "22961", 5),
    ) == file.marks
    assert file.listed == ("a.ogg", "b.ogg", "c.ogg")


def test_semicolons_between_cells(tmp_path):
    """As a spreadsheet saves it where decimals have commas: several labels are in quotes."""
    file = read(tmp_path, 'filename;start;end;primary_label\na.ogg;0,5;1;"x;y"\n')
    assert [(mark.label, mark.start_s) for mark in file.marks] == [("x", 0.5), ("y", 0.5)]


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("filename,start,end\na.ogg,0,5\n", "line 1: has no column primary_label", "add"),
        (f"{HEADING}a.ogg,0,5,x\n,0,5,x\n", "line 3: has no filename", "complete it"),
        (f"{HEADING}a.ogg,0,five,x\n", "line 2: 'five' is no time", "write seconds"),
        (f"{HEADING}a.ogg,0,5,5,x\n", "line 2: has 5 cells for 4 columns", "semicolons"),
        (f'{HEADING}a.ogg,0,5,"x\n', "line 2: unexpected end of data", "quotation marks"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text, message, remedy, tmp_path):
    """File, line, and what to do."""
    with pytest.raises(InputError, match=f"labels.csv, {message}") as caught:
        read(tmp_path, text)
    assert remedy in caught.value.remedy


def test_the_competition_s_own_table(data_dir):
    """Rows are read as they stand; what repeats is seen to where recordings are put together."""
    (file,), _ = read_label_files([data_dir / "birdclef2026" / "train_soundscapes_labels.head.csv"])
    first = "BC2026_Train_0039_S22_20211231_201500.ogg"
    labels = ("22961", "23158", "24321", "517063", "65380")
    assert [Mark(first, 0.0, 5.0, label, 2) for label in labels] == list(file.marks[:5])

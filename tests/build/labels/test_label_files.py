"""Label files among other files."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import InputError
from edge_build.labels.files import read_label_files

RAVEN = "Begin Time (s)\tEnd Time (s)\tSpecies\n1\t2\twren\n"
TRACK = "1\t2\twren\n"
TABLE = "filename,start,end,primary_label\na.ogg,1,2,wren\n"


def test_a_folder_is_looked_through_and_others_are_named(tmp_path):
    """All forms side by side, below each other; what holds no labels is passed over and told."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name, text in {
        "a.Table.1.selections.txt": RAVEN,
        "in/b.txt": TRACK,
        "in/deep/c.csv": TABLE,
        "README.txt": "Labels of spring.\n",
        "notes.md": TRACK,
        ".hidden.txt": TRACK,
    }.items():
        (tmp_path / name).write_text(text)
    files, others = read_label_files([tmp_path, tmp_path / "in" / "b.txt"])
    names = [file.path.relative_to(tmp_path).as_posix() for file in files]
    assert sorted(names) == ["a.Table.1.selections.txt", "in/b.txt", "in/deep/c.csv"]
    assert all([mark.label for mark in file.marks] == ["wren"] for file in files)
    assert others == ["README.txt"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Labels of spring.\n", "line 1: no form of label file begins so: 'Labels of spring.'"),
        ("\nfile,from,to,what\na,1,2,x\n", "line 2: no form of label file begins so"),
        ("Start (s),End (s),Common name\n0,3,x\n", "line 1: no form of label file begins so"),
    ],
)
def test_a_named_file_that_is_none_is_refused(text, message, tmp_path):
    """The error shows how it begins, and says what forms there are."""
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_label_files([tmp_path / "x.csv"])
    for form in ("Raven", "Audacity", "filename, start, end, primary_label"):
        assert form in caught.value.remedy


def test_a_folder_without_any_and_a_path_without_anything(tmp_path):
    """Both are refused by name."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: holds no label files"):
        read_label_files([tmp_path / "empty"])
    with pytest.raises(InputError, match=r"nowhere\.txt: cannot be read"):
        read_label_files([tmp_path / "nowhere.txt"])


BEGINNINGS = (
    "",
    "1\t2\twren\n",
    "Begin Time (s)\tEnd Time (s)\tSpecies\n",
    "Begin Time (s),End Time (s),Species\n",
    "filename,start,end,primary_label\n",
)
PIECES = ("\t", "\n", ",", ";", '"', "1", "2.5", "1e999", "9:99", "-", "\r", "\0", "x", "\u2028")


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    beginning=st.sampled_from(BEGINNINGS),
    rest=st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=12).map("".join),
)
def test_whatever_it_holds_a_file_is_read_or_refused(beginning, rest, tmp_path):
    """Nothing but our own error comes of text that makes no sense, and all lines are its own."""
    path = tmp_path / "a.txt"
    path.write_bytes((beginning + rest).encode("utf-8", "surrogatepass"))
    try:
        files, _ = read_label_files([path])
        remedy = "none is needed"
    except InputError as error:
        files, remedy = [], error.remedy
    assert remedy
    lines = (beginning + rest).count("\n") + rest.count("\r") + 1
    assert all(1 <= mark.line <= lines for file in files for mark in file.marks)

"""Labels are read in order, and never guessed at."""

import pytest

from edge.model.labels import read_labels
from edge.model.manifest import LabelFormat

CSV = 'index,mid,name\n0,/m/1,Speech\n1,/m/2,"Child speech, kid"\n2,/m/3,"two\nlines"\n'


@pytest.mark.parametrize(
    ("text", "form", "column", "expected"),
    [
        ("owl\nfrog\n", "lines", None, ("owl", "frog")),
        ("\ufeffowl\r\nfrog\r\n\r\n", "lines", None, ("owl", "frog")),
        ("Pica pica_Magpie\nDog_Dog", "scientific_common", None, ("Pica pica_Magpie", "Dog_Dog")),
        (CSV, "csv", "name", ("Speech", "Child speech, kid", "two\nlines")),
    ],
)
def test_labels_are_read(tmp_path, text, form, column, expected):
    """Each form gives the labels in the file's order."""
    (tmp_path / "labels").write_bytes(text.encode())
    assert expected == read_labels(tmp_path / "labels", form=LabelFormat(form), column=column)


@pytest.mark.parametrize(
    ("content", "form", "column", "problem"),
    [
        (b"owl\nfrog\nowl\n", "lines", None, "labels gives 1 labels twice, such as 'owl'"),
        (b"", "lines", None, "labels holds no labels"),
        (b"\xff\xfeo\0", "lines", None, "labels is not UTF-8"),
        (b"Pica pica\n", "scientific_common", None, "'Pica pica' is not"),
        (CSV.encode(), "csv", "label", "no column 'label', only index, mid, name"),
        (CSV.encode(), "csv", None, "no column None"),
        (b"", "csv", "name", "no column 'name', only none"),
        (b"a,name\n1,owl\n2\n", "csv", "name", "rows without a name"),
        (b'a,name\n1,"owl', "csv", "name", "is not CSV"),
    ],
)
def test_bad_labels_are_refused(tmp_path, content, form, column, problem):
    """What is wrong is said."""
    (tmp_path / "labels").write_bytes(content)
    with pytest.raises(ValueError, match=problem):
        read_labels(tmp_path / "labels", form=LabelFormat(form), column=column)

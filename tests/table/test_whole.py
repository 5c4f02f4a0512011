import pytest

from edge.errors import InputError
from edge.table.whole import write_lines


def test_file_is_there_whole_or_as_before(tmp_path):
    """What fails half way leaves what was there, and nothing beside it."""
    path = tmp_path / "table.csv"
    write_lines(path, ["old\n"])

    def lines():
        yield "new\n"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_lines(path, lines())
    assert path.read_text() == "old\n"
    assert [path] == list(tmp_path.iterdir())


def test_folder_that_cannot_be_made_has_a_remedy(tmp_path):
    """A file where a folder should be is an error of the arguments."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match=r"x\.csv: cannot be written") as caught:
        write_lines(tmp_path / "taken" / "x.csv", [])
    assert "--out" in caught.value.remedy

import csv
import io
import json
import math

from hypothesis import given
from hypothesis import strategies as st

from edge.table.text import csv_line, json_line, seconds, tab_line

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(st.lists(TEXTS, min_size=2, max_size=5))
def test_cells_come_back_from_csv(cells):
    """A strict reader finds the same cells, but for the apostrophe before a formula."""
    (read,) = csv.reader(io.StringIO(csv_line(cells), newline=""), strict=True)
    assert [f"'{c}" if c[:1] in {*"=+-@\t\r"} and c else c for c in cells] == read


@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_tables_between_tabs_keep_their_shape(cells):
    """Whatever the cells hold, there is one line, and a tab between any two."""
    line = tab_line(cells)
    assert [line] == line.splitlines(keepends=True)
    assert len(cells) == len(line.split("\t"))
    assert '"' not in line


def test_spreadsheet_runs_nothing():
    """Text that would be a formula gets an apostrophe, a negative number none."""
    cells = ("=HYPERLINK(1)", "+1", "-1", "@x", "a=b", -56.62, None)
    assert csv_line(cells) == "'=HYPERLINK(1),'+1,'-1,'@x,a=b,-56.62,\n"
    assert tab_line(cells) == "'=HYPERLINK(1)\t'+1\t'-1\t'@x\ta=b\t-56.62\t\n"


def test_json_keeps_text_as_it_is():
    """What guards a spreadsheet would change data for programs."""
    row = {"label": '=1\t"é\n', "latitude": None}
    line = json_line(row)
    assert row == json.loads(line)
    assert len(line.splitlines()) == 1
    assert "é" in line


@given(st.floats(0, 1e9))
def test_seconds_are_exact_to_the_microsecond(value):
    """There is no exponent, and always a decimal."""
    text = seconds(value)
    assert math.isclose(value, float(text), abs_tol=6e-7)
    whole, decimals = text.split(".")
    assert (whole + decimals).isdecimal()

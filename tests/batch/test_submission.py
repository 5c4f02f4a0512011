import pytest

from edge.batch.submission import quote, row_id


@pytest.mark.parametrize(
    ("end_s", "name"),
    [
        (5.0, "a_5"),
        (100.0, "a_100"),
        (54_000.0, "a_54000"),
        (0.975, "a_0.975"),
        (1.4625, "a_1.4625"),
        (0.1 + 0.2, "a_0.3"),
    ],
)
def test_row_is_named_after_the_end_of_its_window(end_s, name):
    """Whole seconds have no decimals, others as many as they need."""
    assert row_id("a", end_s) == name


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("plain name", b"plain name"),
        ("a,b", b'"a,b"'),
        ('say "x"', b'"say ""x"""'),
        ("two\nlines\r", b'"two\nlines\r"'),
        ("\u00dc", b"\xc3\x9c"),
    ],
)
def test_field_is_quoted_as_rfc_4180_says(text, field):
    """Commas, quotes and line ends are quoted, the rest is UTF-8."""
    assert quote(text) == field

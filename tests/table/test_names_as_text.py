import os

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.table.text import as_text


def test_utf8_names_stay_and_other_bytes_are_escaped():
    """Only what cannot be written, or could be mistaken for an escape, is changed."""
    for name in ("plain name", "\u00dcbung \u65e5\u672c", "back\\slash", "a\\x", "two\nlines"):
        assert name == as_text(name)
    assert as_text(os.fsdecode(b"odd\xff\xc3\xa4")) == "odd\\xff\u00e4"
    assert as_text(os.fsdecode(b"a\\b\xff")) == "a\\\\b\\xff"
    assert as_text("odd\\xff") == "odd\\\\xff"


@settings(max_examples=500, deadline=None, derandomize=True)
@given(*[st.lists(st.sampled_from([b"\xff", b"\xc3", b"\xa4", b"\\", b"x", b"f"]), max_size=6)] * 2)
def test_two_names_are_two_texts(one, other):
    """Whatever the bytes, the text is UTF-8 and tells them apart."""
    names = [os.fsdecode(b"".join(parts)) for parts in (one, other)]
    texts = [as_text(name).encode("utf-8") for name in names]
    assert (names[0] == names[1]) == (texts[0] == texts[1])

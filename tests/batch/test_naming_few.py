from edge.batch.names import count_of, some_of


def test_few_of_many_are_named():
    """The dots are there only where something is left out."""
    assert some_of(["a", "b"], most=2) == "a, b"
    assert some_of(["a", "b", "c"], most=2) == "a, b, ..."


def test_one_is_one():
    """What is counted stands in the singular where there is one of it."""
    assert [count_of(n, "window") for n in (0, 1, 2)] == ["0 windows", "1 window", "2 windows"]

"""The one table that all rows print into."""


def heading() -> str:
    """Return its first line."""
    return f"{'figure':<66} {'must':>6} {'aim':>6} {'here':>7}   beside it"


def line(figure: str, must: str, aim: str, here: float | str, beside: str = "") -> None:
    """Print one row."""
    found = here if isinstance(here, str) else f"{here:.2f}"
    print(f"{figure:<66} {must:>6} {aim:>6} {found:>7}   {beside}".rstrip(), flush=True)

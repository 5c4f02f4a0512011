"""How a command ends."""

import sys

from edge.errors import EdgeError

DONE, FAULTS, WRONG, NOT_RUNNING = 0, 1, 2, 3


def complain(error: EdgeError) -> None:
    """Say what is wrong and what to do about it, to standard error."""
    sys.stdout.flush()
    print(f"edge: {error.what}", file=sys.stderr)
    if error.remedy:
        print(f"remedy: {error.remedy}", file=sys.stderr)

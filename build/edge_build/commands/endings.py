"""How a command ends: its exit code."""

DONE, NOT_WRITTEN, NOTHING_DONE = 0, 1, 2

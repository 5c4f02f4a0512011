"""The model folders that ship with edge; see `edge models list`."""

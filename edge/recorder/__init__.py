"""When a recording began, from what its recorder left: metadata chunks, the name, the clock."""

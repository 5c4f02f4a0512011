"""Sound that does not wait: read on its own thread, anchored to the clock."""

"""From samples to mel frames: pure arithmetic, no I/O, no threads, no clock."""

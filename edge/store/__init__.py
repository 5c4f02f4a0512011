"""What is remembered: every window's fate and every detection, in one SQLite file."""

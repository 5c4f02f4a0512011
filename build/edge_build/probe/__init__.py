"""Which tensor of a model tells classes apart best, before a head is trained on it."""

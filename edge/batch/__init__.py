"""`edge-batch`: a directory of recordings to a submission."""

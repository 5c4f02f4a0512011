"""One recipe learnt with many values of its keys: searches, their tables and pictures."""

"""The program that listens, keeps and survives."""

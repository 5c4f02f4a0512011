"""Detections as rows, and files of rows."""

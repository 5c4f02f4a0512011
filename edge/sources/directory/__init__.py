"""Recordings from a folder, each handed out once it is complete.

    kernel ──▶ watching ──┐
                          ├─▶ queue ──▶ take()
    folders ─▶ sweep ─────┘

What inotify tells is a hint that saves waiting; the sweep is what finds everything. A folder
without inotify, or events that were lost, cost time and no file.
"""

from edge.sources.directory.fingerprint import read_fingerprint
from edge.sources.directory.records import DirectorySpec, FoundFile, Trouble, WaitingFile
from edge.sources.directory.source import Directory

__all__ = [
    "Directory",
    "DirectorySpec",
    "FoundFile",
    "Trouble",
    "WaitingFile",
    "read_fingerprint",
]

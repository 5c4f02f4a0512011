"""Entries that tests write, and what of them a store must show."""

import random
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from edge.contracts import WindowState
from edge.store.entries import (
    FileDone,
    FileState,
    Heard,
    StreamOpened,
    WindowRange,
    WindowsDone,
)

START = datetime(2024, 5, 1, 4, 30, tzinfo=UTC)
RATE = 32_000
WINDOW = 5 * RATE
MODEL = "stsg-esc10@1.0"


def now():
    """A clock that stands still."""
    return START


def opened(stream, source="microphone"):
    """A live stream that starts at `START`."""
    return StreamOpened(stream, source, RATE, START, "clock")


def heard(window, label="Turdus merula", confidence=0.75):
    """A detection in the window of that number."""
    at = START + timedelta(seconds=5 * window)
    return Heard(5.0 * window, 5.0 * window + 5, at, label, confidence, MODEL)


def window_range(window, *, state=WindowState.PREDICTED, reason="", count=1, received=None):
    """Windows from that number on."""
    samples = count * WINDOW if received is None else received
    model = MODEL if state is WindowState.PREDICTED else ""
    start = window * WINDOW
    return WindowRange(start, start + count * WINDOW, samples, count, state, reason, model)


def done(stream, window, *detections, in_flight=0, drift_ppm=None, **kind):
    """One window of a live stream that is a multiple of windows old."""
    received = (window + 1) * WINDOW + in_flight
    return WindowsDone(stream, received, (window_range(window, **kind),), detections, drift_ppm)


def file_done(number, *, source="card", windows=12):
    """A minute's file, its windows' states and detections drawn by its number."""
    draw = random.Random(number)
    states = draw.choices(
        [("predicted", ""), ("failed", "holds samples that are NaN"), ("gap", "dropped")],
        weights=(8, 1, 1),
        k=windows,
    )
    ranges = tuple(
        window_range(at, state=WindowState(state), reason=reason)
        for at, (state, reason) in enumerate(states)
    )
    labels = [f"species {draw.randrange(40)}" for _ in range(draw.randrange(4))]
    found = tuple(heard(draw.randrange(windows), label, draw.random()) for label in labels)
    return FileDone(
        source=source,
        path=f"/card/2024/{number:06}.wav",
        size=1000 + number,
        mtime_ns=1_700_000_000_000_000_000 + number,
        fingerprint=sha256(str(number).encode()).hexdigest()[:16],
        sha256=sha256(str(number).encode()).hexdigest(),
        state=FileState.DONE,
        sample_rate_hz=RATE,
        samples=windows * WINDOW,
        started_at=START + timedelta(minutes=number),
        time_source="name",
        ranges=ranges,
        heard=found,
    )


def is_known(store, entry):
    """Whether a store knows a file by its path, size, modification time and fingerprint."""
    known = store.known_fingerprints(entry.path, entry.size, entry.mtime_ns)
    return entry.fingerprint in known


def contents(reader):
    """All that a store says of its files, in the order of their paths and free of numbers."""
    files = {
        file.path: (file.source, file.size, file.mtime_ns, file.sha256, file.state, file.samples)
        for file in reader.files()
    }
    ranges = {}
    for one in reader.ranges():
        if one.stream in files:
            ranges.setdefault(one.stream, []).append(one.range)
    detections = {}
    for one in reader.detections():
        if one.stream in files:
            row = (one.start_s, one.end_s, one.at, one.label, one.confidence, one.model)
            detections.setdefault(one.stream, []).append(row)
    return [
        (path, files[path], ranges.get(path, []), detections.get(path, []))
        for path in sorted(files)
    ]

"""Detections for tests of what becomes of them."""

from datetime import UTC, datetime, timedelta

from edge.contracts import Detection

EPOCH = datetime(2024, 5, 1, 6, 15, tzinfo=UTC)


def detection(number: int = 1, **changes) -> Detection:
    """A magpie heard in a file, 5 s times the number after the start; `changes` replace fields."""
    start_s = changes.pop("start_s", 5.0 * number)
    fields = {
        "number": number,
        "source": "card",
        "stream": "/rec/S4A_20240501_061500.wav",
        "start_s": start_s,
        "end_s": start_s + 5.0,
        "at": EPOCH + timedelta(seconds=start_s),
        "time_source": "guano",
        "label": "Pica pica_Eurasian Magpie",
        "confidence": 0.875,
        "model": "birdnet-v2.4@2.4",
    }
    return Detection(**fields | changes)


def live(number: int = 1, **changes) -> Detection:
    """The same heard in a live stream called mic."""
    return detection(number, **{"stream": "mic", "source": "mic", "time_source": "clock"} | changes)

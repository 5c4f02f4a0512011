"""A detection as a row: the one place where its columns, names and times are made."""

import re
from datetime import UTC, datetime
from typing import NamedTuple

from edge.contracts import Detection
from edge.table.context import Station
from edge.table.recordings import Found
from edge.table.text import Cell, as_text


class Species(NamedTuple):
    """The two names in a label."""

    scientific: str
    common: str


def split_label(label: str) -> Species:
    """Split a label of the form `Scientific name_Common name`, as BirdNET has them.

    The form is recognised by its first part: a genus and an epithet, or the same words as the
    second part (`Engine_Engine`). Any other label, `sea_waves` too, is both names.
    """
    first, _, second = label.partition("_")
    if first and second and (first == second or _BINOMIAL.fullmatch(first)):
        return Species(first, second)
    return Species(label, label)


def is_live(detection: Detection) -> bool:
    """Tell whether it was heard in a live stream; all others were in a file."""
    return detection.time_source == "clock"


COLUMNS = (
    "number",
    "time_utc",
    "time_local",
    "source",
    "stream",
    "start_s",
    "end_s",
    "label",
    "scientific_name",
    "common_name",
    "confidence",
    "model",
    "time_source",
    "station",
    "latitude",
    "longitude",
)
"""The keys of a row, in order."""


def detection_row(detection: Detection, station: Station) -> dict[str, Cell]:
    """Make the row of a detection.

    Returns:
        A value for each of `COLUMNS`: times in ISO 8601 with microseconds, in UTC (`Z`) and in the
        station's zone (with its offset); seconds and the confidence to six decimals; the stream as
        `as_text` writes it.
    """
    at = detection.at.astimezone(UTC)
    species = split_label(detection.label)
    values: tuple[Cell, ...] = (
        detection.number,
        utc_text(at),
        at.astimezone(station.zone).isoformat(timespec="microseconds"),
        as_text(detection.source),
        as_text(detection.stream),
        round(detection.start_s, 6),
        round(detection.end_s, 6),
        as_text(detection.label),
        as_text(species.scientific),
        as_text(species.common),
        round(detection.confidence, 6),
        detection.model,
        detection.time_source,
        station.name,
        station.latitude,
        station.longitude,
    )
    return dict(zip(COLUMNS, values, strict=True))


def found_row(found: Found, station: Station) -> dict[str, Cell]:
    """Make the row of an exported detection: as `detection_row`, and last `recording`, a number."""
    return {**detection_row(found.detection, station), "recording": found.stream}


def utc_text(at: datetime) -> str:
    """Write a time as ISO 8601 in UTC, with microseconds and `Z`."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


_BINOMIAL = re.compile(r"[A-Z][\w.-]*(?: [a-z×(][\w.()×'-]*)+")

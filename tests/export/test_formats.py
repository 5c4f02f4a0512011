"""Each format as what reads it finds it."""

import csv
import json
import subprocess
import sys
import tracemalloc
from itertools import islice

import pytest
from detections import detection, live
from exports import export, numbered

from edge.contracts import Detection
from edge.export import FORMATS
from edge.table.context import Context, Station, Stream

NASTY = 'ta\tb "quo,te"\nline.wav'
FOUND = [
    detection(1),
    detection(2, stream="/rec/x/other.flac", label="sea_waves", confidence=1.0),
    detection(3),
    detection(4, stream=f"/rec/{NASTY}", label="=cmd|' /C calc'!A0_x"),
    live(5, start_s=10_000_000.125),
]


def read_csv(path):
    """Read strictly what RFC 4180 calls CSV; return a dictionary a line."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def read_tabs(path, *, heading=True):
    """Read as Raven and Audacity do: lines, tabs, no quoting."""
    lines = [line.split("\t") for line in path.read_text("utf-8").splitlines()]
    if not heading:
        return lines
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def test_csv_holds_every_column_of_every_detection(tmp_path):
    """A spreadsheet's reader finds each detection, in order."""
    station = Station("pantanal-07", -18.98, -56.62)
    (path,) = export("csv", FOUND, tmp_path, Context(station))
    rows = read_csv(path)
    assert path.name == "detections.csv"
    assert [int(row["number"]) for row in rows] == [1, 2, 3, 4, 5]
    assert f"/rec/{NASTY}" == rows[3]["stream"]
    assert rows[3]["label"] == "'=cmd|' /C calc'!A0_x"
    assert rows[4]["start_s"] == "10000000.125"
    assert {"-56.62"} == {row["longitude"] for row in rows}
    assert read_csv(export("csv", FOUND, tmp_path, Context())[0])[0]["longitude"] == ""


def test_json_lines_hold_what_the_csv_holds(tmp_path):
    """The keys are the CSV's columns, and text is as it is."""
    (path,) = export("jsonl", FOUND, tmp_path, Context(Station("s")))
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    (table,) = export("csv", FOUND, tmp_path, Context(Station("s")))
    assert list(read_csv(table)[0]) == list(rows[0])
    assert [row["recording"] for row in rows] == [1, 2, 1, 3, 4]
    assert f"/rec/{NASTY}" == rows[3]["stream"]
    assert rows[3]["label"] == "=cmd|' /C calc'!A0_x"
    assert (rows[0]["latitude"], rows[0]["confidence"]) == (None, 0.875)


RAVEN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\t"
    "Common Name\tSpecies Code\tConfidence\tBegin Path\tFile Offset (s)\n"
)


def test_raven_table_leads_to_the_sound_both_ways(tmp_path):
    """In the published columns, time in the sound and offset in the file are the same seconds."""
    streams = [Stream(1, "/rec/S4A_20240501_061500.wav", live=False, rate_hz=22_050)]
    tables = export("raven", FOUND, tmp_path, Context(streams=streams))
    by_name = {path.name.partition(".")[0]: path for path in tables}
    table = by_name["S4A_20240501_061500"]
    assert table.read_text().startswith(RAVEN)
    assert [
        {
            "Selection": str(number),
            "View": "Spectrogram 1",
            "Channel": "1",
            "Begin Time (s)": begin,
            "End Time (s)": end,
            "Low Freq (Hz)": "0.0",
            "High Freq (Hz)": "11025.0",
            "Common Name": "Eurasian Magpie",
            "Species Code": "Pica pica_Eurasian Magpie",
            "Confidence": "0.8750",
            "Begin Path": "/rec/S4A_20240501_061500.wav",
            "File Offset (s)": begin,
        }
        for number, begin, end in [(1, "5.0", "10.0"), (2, "15.0", "20.0")]
    ] == read_tabs(table)
    (other,) = read_tabs(by_name["other"])
    assert (other["Common Name"], other["High Freq (Hz)"]) == ("sea_waves", "15000.0")
    (nasty,) = read_tabs(by_name["ta_b _quo,te__line"])
    assert nasty["Begin Path"] == "/rec/ta b 'quo,te' line.wav"
    assert nasty["Common Name"] == "'=cmd|' /C calc'!A0_x"


def test_live_stream_is_timed_within_the_hour(tmp_path):
    """A window that reaches over the hour stays in the hour of its start."""
    last = live(1, start_s=44 * 60 + 57.5)
    (table,) = export("raven", [last], tmp_path, Context())
    (row,) = read_tabs(table)
    assert (row["Begin Time (s)"], row["End Time (s)"]) == ("3597.5", "3602.5")
    assert (row["Begin Path"], row["File Offset (s)"]) == ("", "3597.5")


def test_audacity_finds_start_end_and_label(tmp_path):
    """There is no heading; names stand side by side where there are two."""
    tables = export("audacity", FOUND, tmp_path, Context())
    by_name = {path.name.partition(".")[0]: path for path in tables}
    assert read_tabs(by_name["S4A_20240501_061500"], heading=False) == [
        ["5.0", "10.0", "Pica pica, Eurasian Magpie", "0.8750"],
        ["15.0", "20.0", "Pica pica, Eurasian Magpie", "0.8750"],
    ]
    assert read_tabs(by_name["other"], heading=False) == [["10.0", "15.0", "sea_waves", "1.0000"]]


def test_real_label_track_has_the_same_first_three_columns(tmp_path, data_dir):
    """A track that Audacity wrote is read by the same rule as ours."""
    text = (data_dir / "soundscapes" / "spinetail.txt").read_text()
    real = [line.split("\t") for line in text.splitlines() if not line.startswith("\\")]
    (ours,) = export("audacity", [detection()], tmp_path, Context())
    for start, end, label, *_ in [*real, *read_tabs(ours, heading=False)]:
        assert float(start) < float(end)
        assert label


def test_kaleidoscope_finds_folder_file_and_distance(tmp_path):
    """In the published columns, the distance is small where the confidence is high."""
    (path,) = export("kaleidoscope", FOUND, tmp_path, Context())
    columns = "INDIR,FOLDER,IN FILE,OFFSET,DURATION,TOP1MATCH,TOP1DIST\n"
    assert path.read_text("utf-8").startswith(columns)
    rows = [list(row.values()) for row in read_csv(path)]
    magpie = "Pica pica_Eurasian Magpie"
    assert [
        ["/", "rec", "S4A_20240501_061500.wav", "5.0", "5.0", magpie, "0.1250"],
        ["/", "rec", "S4A_20240501_061500.wav", "15.0", "5.0", magpie, "0.1250"],
    ] == rows[:2]
    assert rows[2][2] == NASTY
    assert rows[3] == ["/rec", "x", "other.flac", "10.0", "5.0", "sea_waves", "0.0000"]
    assert rows[4][:4] == ["", "mic", "mic_20240825_000000Z", "100.125"]


def test_birdnet_results_have_the_analyzers_columns(tmp_path):
    """Each recording has a file as BirdNET-Analyzer writes it."""
    tables = export("birdnet", FOUND, tmp_path, Context())
    by_name = {path.name: path for path in tables}
    text = by_name["S4A_20240501_061500.BirdNET.results.csv"].read_text("utf-8")
    assert text == (
        "Start (s),End (s),Scientific name,Common name,Confidence,File\n"
        "5.0,10.0,Pica pica,Eurasian Magpie,0.8750,/rec/S4A_20240501_061500.wav\n"
        "15.0,20.0,Pica pica,Eurasian Magpie,0.8750,/rec/S4A_20240501_061500.wav\n"
    )
    (nasty,) = read_csv(by_name["ta_b _quo,te__line.BirdNET.results.csv"])
    assert f"/rec/{NASTY}" == nasty["File"]


def test_detections_of_a_recording_are_in_order_of_time(tmp_path):
    """Recordings that were scored in turns, or twice, are sorted."""
    found = [detection(n, start_s=5.0 * (7 * n % 40)) for n in range(1, 40)]
    (table,) = export("audacity", found, tmp_path, Context())
    starts = [float(line[0]) for line in read_tabs(table, heading=False)]
    assert sorted(d.start_s for d in found) == starts


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "kaleidoscope", "raven"])
def test_memory_does_not_grow_with_the_detections(tmp_path, form):
    """Three times the detections take the same memory, but for what Python sets aside."""

    def many(count: int):
        for n in range(1, count + 1):
            yield live(n, start_s=5.0 * n) if n % 3 else detection(n, stream=f"/r/{n % 20}.wav")

    def peak(count: int) -> int:
        tracemalloc.start()
        FORMATS[form].write(numbered(many(count)), tmp_path / str(count), Context())
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    small, large = peak(12_000), peak(36_000)
    assert large < small + 3_000_000


def test_formats_can_be_loaded_without_what_models_need():
    """Listing and exporting needs neither NumPy's heavy users nor the runtimes."""
    code = "import sys, edge.export; print([m for m in sys.modules if m.split('.')[0] in %r])"
    heavy = {"scipy", "faiss", "onnxruntime", "ai_edge_litert", "soundfile"}
    out = subprocess.run([sys.executable, "-c", code % heavy], capture_output=True, check=True)
    assert out.stdout == b"[]\n"


def test_source_is_read_one_by_one(tmp_path):
    """Detections are taken as they are wanted, and an error while reading leaves no file."""

    def broken():
        yield from islice((detection(n) for n in range(1, 9)), 5)
        raise ZeroDivisionError

    for form in FORMATS.values():
        with pytest.raises(ZeroDivisionError):
            form.write(numbered(broken()), tmp_path, Context())
    assert list(tmp_path.iterdir()) == []


def test_every_field_of_a_detection_reaches_the_csv(tmp_path):
    """A field that is added to the contract is not forgotten here."""
    (path,) = export("csv", [detection()], tmp_path, Context())
    columns = set(read_csv(path)[0]) | {"at"}
    assert set(Detection.__dataclass_fields__) <= columns

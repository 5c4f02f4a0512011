"""`edge export` as a process, over stores that a `Store` wrote."""

import csv
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
import yaml
from exports import PER_RECORDING

from edge.contracts import WindowState
from edge.store.entries import (
    FileDone,
    FileState,
    Heard,
    StreamOpened,
    WindowRange,
    WindowsDone,
)
from edge.store.reader import StoreReader
from edge.store.retention import Limits, Retention
from edge.store.store import Store

START = datetime(2019, 5, 22, 6, tzinfo=UTC)
NOW = datetime(2026, 6, 21, tzinfo=UTC)
RATE = 16_000
MODEL = "birdnet-v2.4@2.4"
RAVEN = PER_RECORDING["raven"]


def heard(start_s, confidence=0.75, *, begin=START, label="Pica pica_Eurasian Magpie"):
    """What was found in a window of a stream that began then."""
    at = begin + timedelta(seconds=start_s)
    return Heard(start_s, start_s + 5, at, label, confidence, MODEL)


def recording(path, *found, seconds=60.0, begin=START, state=FileState.DONE):
    """A file as it is when it was scored; what is found is given by start or whole."""
    samples = round(seconds * RATE)
    rows = tuple(one if isinstance(one, Heard) else heard(float(one), begin=begin) for one in found)
    content = sha256(f"{path}{found}{begin}".encode("utf-8", "surrogateescape")).hexdigest()
    return FileDone(
        source="card",
        path=path,
        size=2 * samples,
        mtime_ns=1,
        fingerprint=content[:16],
        sha256=content,
        state=state,
        sample_rate_hz=RATE,
        samples=samples,
        started_at=begin,
        time_source="name",
        ranges=(WindowRange(0, samples, samples, 12, WindowState.PREDICTED, "", MODEL),),
        heard=rows,
    )


def live(stream, seconds, *found, begin=START):
    """A live source from its opening to its end."""
    samples = round(seconds * RATE)
    part = WindowRange(0, samples, samples, 1, WindowState.PREDICTED, "", MODEL)
    return [
        StreamOpened(stream, "command", RATE, begin, "clock"),
        WindowsDone(stream, samples, (part,), tuple(heard(float(at), begin=begin) for at in found)),
    ]


@pytest.fixture
def exporter(tmp_path):
    """Takes entries into the store, and exports them."""
    config = tmp_path / "edge.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "model": "birdnet-v2.4",
                "source": {"directory": {"path": str(tmp_path)}},
                "store": {"path": "edge.db"},
            }
        )
    )
    return Exporter(config, tmp_path / "edge.db", tmp_path / "tables")


class Exporter:
    def __init__(self, config, path, out):
        self.config, self.path, self.out = config, path, out

    def store(self):
        return Store.open(self.path, now=lambda: NOW, monotonic_s=lambda: 0.0)

    def take(self, *entries):
        with self.store() as store:
            for entry in entries:
                if isinstance(entry, StreamOpened):
                    assert entry.stream == store.next_stream()
                store.write([entry])

    def run(self, form, *arguments, code=0):
        command = [sys.executable, "-m", "edge", "export", "-c", self.config]
        done = subprocess.run(
            [*command, "--format", form, "--out", self.out, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done

    def tables(self, suffix=RAVEN):
        """Each table's lines without the heading, split at tabs, by name."""
        heading = 0 if suffix == ".labels.txt" else 1
        return {
            str(path.relative_to(self.out)).removesuffix(suffix): [
                line.split("\t") for line in path.read_text("utf-8").splitlines()[heading:]
            ]
            for path in sorted(self.out.rglob(f"*{suffix}"))
        }

    def spans(self):
        """Begin and end of each selection, by table."""
        return {name: [row[3:5] for row in rows] for name, rows in self.tables().items()}


CARD = "/media/card/20190522_060000.WAV"


def test_two_recordings_of_one_path_have_tables_of_their_own(exporter):
    """Cards that were mounted at one folder, one after the other, are not mixed, and it is told."""
    exporter.take(recording(CARD, 0, 5), recording(CARD, 0, 10), recording("/media/card/b.wav", 5))
    done = exporter.run("raven")
    assert exporter.spans() == {
        "20190522_060000": [["0.0", "5.0"], ["5.0", "10.0"]],
        "20190522_060000_2": [["0.0", "5.0"], ["10.0", "15.0"]],
        "b": [["5.0", "10.0"]],
    }
    told = f"2 recordings are called {CARD}; their tables are numbered in the order"
    assert told in done.stderr
    exporter.run("audacity")
    starts = {name: [r[0] for r in rows] for name, rows in exporter.tables(".labels.txt").items()}
    assert starts == {
        "20190522_060000": ["0.0", "5.0"],
        "20190522_060000_2": ["0.0", "10.0"],
        "b": ["5.0"],
    }
    exporter.run("birdnet")
    lengths = {name: len(rows) for name, rows in exporter.tables(".BirdNET.results.csv").items()}
    assert lengths == {"20190522_060000": 2, "20190522_060000_2": 2, "b": 1}


def test_two_recordings_of_one_path_are_told_apart_in_tables_of_everything(exporter):
    """In Kaleidoscope a path is one recording; rows of CSV and JSON bear a number."""
    exporter.take(recording(CARD, 0, 5), recording(CARD, 0, 10), recording("/media/card/b.wav", 5))
    done = exporter.run("kaleidoscope,csv,jsonl")
    folder = exporter.out / "kaleidoscope"
    offsets = {
        path.name: [(row["IN FILE"], row["OFFSET"]) for row in rows(path)]
        for path in folder.iterdir()
    }
    name = "20190522_060000.WAV"
    assert offsets == {
        "kaleidoscope.csv": [(name, "0.0"), (name, "5.0"), ("b.wav", "5.0")],
        "kaleidoscope_2.csv": [(name, "0.0"), (name, "10.0")],
    }
    assert done.stderr.count("2 recordings are called") == 1
    numbers = [row["recording"] for row in rows(exporter.out / "csv" / "detections.csv")]
    assert numbers == ["1", "1", "2", "2", "3"]
    text = (exporter.out / "jsonl" / "detections.jsonl").read_text()
    assert [json.loads(line)["recording"] for line in text.splitlines()] == [1, 1, 2, 2, 3]


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def test_table_has_the_same_name_whatever_part_is_exported(exporter):
    """The second card's recording is never written over the first one's."""
    later = START + timedelta(days=1)
    exporter.take(
        recording(CARD, 0),
        recording(CARD, 5, begin=later),
        recording("/media/old/20190522_060000.WAV", 10),
    )
    exporter.run("raven", "--since", "2019-05-23")
    assert exporter.spans() == {"card/20190522_060000_2": [["5.0", "10.0"]]}
    exporter.run("raven", "--until", "2019-05-23")
    assert exporter.spans() == {
        "card/20190522_060000": [["0.0", "5.0"]],
        "card/20190522_060000_2": [["5.0", "10.0"]],
        "old/20190522_060000": [["10.0", "15.0"]],
    }


def test_second_recording_takes_no_other_recordings_name(exporter):
    """A file that is called as a second one's table would be has its table."""
    exporter.take(recording("/rec/x.wav", 0), recording("/rec/x.wav", 5))
    exporter.take(recording("/rec/x_2.wav", 10))
    exporter.run("raven")
    starts = {name: begin for name, ((begin, _),) in exporter.spans().items()}
    assert starts == {"x": "0.0", "x.wav_2": "5.0", "x_2": "10.0"}


@pytest.mark.parametrize("form", PER_RECORDING)
def test_recording_in_which_nothing_was_found_has_an_empty_table(exporter, form):
    """That it was heard is told, and the table replaces one of an export that asked for less."""
    exporter.take(
        recording("/rec/sure.wav", heard(0.0, 0.97)),
        recording("/rec/unsure.wav", heard(5.0, 0.5)),
        recording("/rec/silent.wav"),
        recording("/rec/broken.wav", state=FileState.UNHEARD),
    )
    first = exporter.run(form)
    assert f"{form}: 3 files in {exporter.out}, 1 of them without" in first.stdout
    found = {"sure": 1, "unsure": 1, "silent": 0}
    assert found == lengths(exporter.tables(PER_RECORDING[form]))
    second = exporter.run(form, "--min-confidence", "0.95")
    assert f"{form}: 3 files in {exporter.out}, 2 of them without" in second.stdout
    assert lengths(exporter.tables(PER_RECORDING[form])) == found | {"unsure": 0}
    assert second.stderr == ""


def lengths(tables):
    return {name: len(rows) for name, rows in tables.items()}


def test_recordings_of_another_time_have_no_empty_table(exporter):
    """Those that reach into the time that is asked for have one."""
    names = ["before", "reaches-in", "within", "reaches-out", "after"]
    for minute, name in enumerate(names):
        begin = START + timedelta(minutes=minute)
        exporter.take(recording(f"/rec/{name}.wav", begin=begin, seconds=60))
    exporter.run("raven", "--since", "2019-05-22T06:01:30", "--until", "2019-05-22T06:03:30")
    assert lengths(exporter.tables()) == {"reaches-in": 0, "within": 0, "reaches-out": 0}


def test_tables_that_were_not_written_are_named(exporter):
    """What an earlier export left behind does not pass for what was exported now."""
    exporter.take(recording("/rec/a.wav", 0), recording("/rec/b.wav", 5))
    exporter.run("raven")
    older = exporter.out / "day" / f"x{RAVEN}"
    older.parent.mkdir()
    older.write_text("old\n")
    (exporter.out / "notes.txt").write_text("mine\n")
    day = (START + timedelta(days=1)).date().isoformat()
    done = exporter.run("raven", "--since", day)
    assert done.stdout == f"raven: 0 files in {exporter.out}\n"
    assert f"{exporter.out} holds 3 more raven files that this export did not write" in done.stderr
    assert f"such as a{RAVEN}" in done.stderr
    assert older.read_text() == "old\n"
    assert "1 more raven files" in exporter.run("raven").stderr


def test_kaleidoscope_tables_that_were_not_written_are_named(exporter):
    """A table of second recordings that there is no more is told."""
    exporter.take(recording(CARD, 0), recording(CARD, 5))
    exporter.run("kaleidoscope")
    (exporter.out / "kaleidoscope_3.csv").write_text("old\n")
    done = exporter.run("kaleidoscope")
    assert f"{exporter.out} holds 1 more kaleidoscope files" in done.stderr
    assert "kaleidoscope_3.csv" in done.stderr


def test_recording_whose_detections_were_removed_has_no_table(exporter):
    """An empty one would say that nothing was found, and replace one that knows better."""
    exporter.take(recording("/rec/old.wav", 0), recording("/rec/silent.wav"))
    exporter.run("raven")
    with exporter.store() as store:
        # Ten days on, by both clocks.
        at, monotonic_s = NOW + timedelta(days=10), 10 * 86_400.0
        Retention(store, Limits(days=1)).prune(at=at, monotonic_s=monotonic_s, sinks=[])
    exporter.take(recording("/rec/new.wav", 5))
    done = exporter.run("raven")
    assert exporter.spans() == {"new": [["5.0", "10.0"]], "old": [["0.0", "5.0"]], "silent": []}
    assert f"raven: 2 files in {exporter.out}, 1 of them without" in done.stdout
    assert f"such as old{RAVEN}" in done.stderr


@pytest.mark.parametrize("form", ["raven", "csv"])
def test_threshold_above_all_is_told(exporter, form):
    """The highest confidence of the time that is asked for is said, and never rounded up to it."""
    later = START + timedelta(days=1)
    exporter.take(
        recording("/rec/a.wav", heard(0.0, 0.98996)),
        recording("/rec/b.wav", heard(0.0, 0.5, begin=later), begin=later),
    )
    done = exporter.run(form, "--min-confidence", "0.99")
    assert "no detection reaches 0.99; the highest is 0.9899\n" in done.stderr
    done = exporter.run(form, "--min-confidence", "0.99", "--since", "2019-05-23")
    assert "no detection in that time reaches 0.99; the highest is 0.5\n" in done.stderr
    done = exporter.run(form, "--since", "2019-05-24")
    assert "there is no detection in that time\n" in done.stderr
    assert "no detection" not in exporter.run(form).stderr


@pytest.mark.parametrize("least", ["70", "-0.1", "nan"])
def test_confidence_that_is_none_is_refused(exporter, least):
    """Percent, for one, would find nothing."""
    exporter.take(recording("/rec/a.wav", 0))
    done = exporter.run("csv", f"--min-confidence={least}", code=2)
    assert "--min-confidence" in done.stderr
    assert not exporter.out.exists()


def test_time_that_ends_before_it_begins_is_refused(exporter):
    """Exchanged bounds would find nothing."""
    exporter.take(recording("/rec/a.wav", 0))
    done = exporter.run("csv", "--since", "2020-01-01", "--until", "2019-01-01", code=2)
    assert "--until: 2019-01-01 is not after --since 2020-01-01" in done.stderr


def test_selection_ends_where_the_recording_does(exporter):
    """The last window was filled up with zeros; an editor has nothing there."""
    exporter.take(recording("/rec/XC563936.mp3", 65, 70, seconds=71.98))
    exporter.run("raven,audacity,birdnet,kaleidoscope,csv")
    out, ends = exporter.out, ["70.0", "71.98"]
    exporter.out = out / "raven"
    assert exporter.spans()["XC563936"] == [["65.0", "70.0"], ends]
    exporter.out = out / "audacity"
    assert exporter.tables(".labels.txt")["XC563936"][1][:2] == ends
    (_, last) = rows(out / "birdnet" / "XC563936.BirdNET.results.csv")
    assert [last["Start (s)"], last["End (s)"]] == ends
    (_, last) = rows(out / "kaleidoscope" / "kaleidoscope.csv")
    assert [last["OFFSET"], last["DURATION"]] == ["70.0", "1.98"]
    (_, last) = rows(out / "csv" / "detections.csv")
    assert [last["start_s"], last["end_s"]] == ["70.0", "75.0"]


def test_live_sources_have_no_sound_to_open(exporter):
    """It is told, once; tables hold an hour and end where what was received does."""
    begin = START + timedelta(minutes=59)
    exporter.take(*live(1, 73.5, 0, 70, begin=begin), recording("/rec/a.wav", 0))
    done = exporter.run("raven,audacity,kaleidoscope")
    assert done.stderr.count("the sound of live sources is not kept") == 1
    exporter.out /= "raven"
    assert {name: [row[3:5] + row[10:] for row in t] for name, t in exporter.tables().items()} == {
        "a": [["0.0", "5.0", "/rec/a.wav", "0.0"]],
        "command_20190522_060000Z": [["3540.0", "3545.0", "", "3540.0"]],
        "command_20190522_070000Z": [["10.0", "13.5", "", "10.0"]],
    }
    assert "live" not in exporter.run("csv").stderr


def test_openings_of_a_live_source_share_the_tables_of_hours(exporter):
    """A source that was opened again goes on in the hour's table; rows of CSV tell them apart."""
    again = START + timedelta(minutes=10)
    exporter.take(*live(1, 60, 5), *live(2, 60, 5, begin=again))
    exporter.run("raven")
    assert exporter.spans() == {
        "command_20190522_060000Z": [["5.0", "10.0"], ["605.0", "610.0"]],
    }
    exporter.run("csv")
    assert [row["recording"] for row in rows(exporter.out / "detections.csv")] == ["1", "2"]


def test_species_code_is_the_label_as_the_model_has_it(exporter):
    """As BirdNET-Analyzer has it of a species without an eBird code."""
    both = heard(0.0), heard(5.0, label="grekis")
    exporter.take(recording("/rec/a.wav", *both))
    exporter.run("raven")
    names = [row[7:9] for row in exporter.tables()["a"]]
    assert names == [["Eurasian Magpie", "Pica pica_Eurasian Magpie"], ["grekis", "grekis"]]


def test_names_that_are_no_text_are_spelt_as_everywhere(exporter):
    """A byte that is no UTF-8 is written as in other tables, whatever the store makes of it."""
    exporter.take(recording(os.fsdecode(b"/rec/caf\xe9.wav"), 0))
    exporter.out = exporter.out.parent / os.fsdecode(b"d\xe9cembre")
    assert r"d\xe9cembre/csv" in exporter.run("raven,csv").stdout
    (row,) = rows(exporter.out / "csv" / "detections.csv")
    assert row["stream"] == r"/rec/caf\xe9.wav"
    exporter.out /= "raven"
    ((name, (selection,)),) = exporter.tables().items()
    assert (name, selection[10]) == ("caf_xe9", r"/rec/caf\xe9.wav")


def test_what_a_daemon_adds_meanwhile_is_left_to_the_next_export(exporter):
    """Numbers that are given later are not read, and a file of theirs has no empty table."""
    exporter.take(recording("/rec/a.wav", 0))
    with StoreReader(exporter.path) as reader:
        _, last = reader.detection_numbers()
        exporter.take(recording("/rec/b.wav", 5))
        found = [one.stream for _, one in reader.numbered_detections(last_number=last)]
        newest = max(reader.heard_streams(), key=lambda one: one.number)
    assert found == ["/rec/a.wav"]
    assert newest.last_number > last

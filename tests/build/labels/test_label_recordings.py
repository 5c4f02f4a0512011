"""Recordings and what label files say of them, put together."""

import re
import shutil
import unicodedata

import numpy as np
import pytest
import soundfile

from edge.errors import InputError
from edge_build.labels.recordings import Event, find_recordings

HEADING = "filename,start,end,primary_label\n"


@pytest.fixture
def data(tmp_path):
    """Three recordings of noise below a folder."""
    for number, name in enumerate(("site1/a.wav", "site1/b.wav", "site2/c.wav")):
        path = tmp_path / "audio" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).normal(0, 0.1, 8000)
        soundfile.write(path, noise, 1000, "PCM_16")
    return tmp_path / "audio"


def found(data, text, *more, name="labels.csv", **options):
    """Write a label file beside the audio and read it: events by recording, and notes."""
    path = data.parent / name
    path.write_text(text, "utf-8")
    labelled, notes = find_recordings(data, [path, *more], **options)
    return {one.clip.name: list(one.events) for one in labelled}, notes


def test_rows_come_together_by_recording(data):
    """Of several files, each row once, in order; what repeats is counted."""
    (data / "site1" / "a.txt").write_text("0\t5\twren\n6\t7\tfrog\n")
    events, notes = found(
        data,
        f"{HEADING}a.wav,5,10,wren\na.wav,0,5,wren;wren\nc.wav,0:00:00,0:00:05,frog\n",
        data / "site1",
    )
    assert {
        "site1/a.wav": [
            Event(0, 5_000_000, "wren"),
            Event(5_000_000, 10_000_000, "wren"),
            Event(6_000_000, 7_000_000, "frog"),
        ],
        "site2/c.wav": [Event(0, 5_000_000, "frog")],
    } == events
    assert "2 rows say what another row has said, and count once" in notes
    assert any(note.startswith("no label file speaks of 1 of 3 audio files") for note in notes)


def test_missing_and_ambiguous_audio_loses_nothing_else(data):
    """Each is told with the rows it costs, then all are counted."""
    shutil.copy(data / "site1" / "b.wav", data / "site2" / "b.wav")
    events, notes = found(
        data, f"{HEADING}a.wav,0,5,wren\nx.wav,0,5,wren\nx.wav,5,10,frog;wren\nb.wav,0,5,frog\n"
    )
    assert list(events) == ["site1/a.wav"]
    assert "left out: x.wav (3 rows): no audio of this name is there" in notes
    assert "left out: b.wav (1 rows): may be site1/b.wav or site2/b.wav" in notes
    assert any(
        note.startswith("2 of 3 recordings in the label files were not found") for note in notes
    )


def test_times_that_cannot_be_make_their_stretch_unknown(data):
    """A negative one, a reversed one, and a missing label are told with their lines.

    Nothing is learnt from where they are, neither that the label is there nor that it is not.
    """
    events, notes = found(
        data,
        "-1\t2\twren\n7\t6\twren\n3\t4\t\n1\t2\tfrog\n-3\t-2\tfrog\n",
        name="a.txt",
    )
    assert [
        Event(0, 0, ""),
        Event(0, 2_000_000, ""),
        Event(1_000_000, 2_000_000, "frog"),
        Event(3_000_000, 4_000_000, ""),
        Event(6_000_000, 7_000_000, ""),
    ] == events["site1/a.wav"]
    left = "windows that they touch are left out; mend"
    assert f"2 rows begin before the recording does: {left} a.txt, line 1; a.txt, line 5" in notes
    assert f"1 rows end before they begin: {left} a.txt, line 2" in notes
    assert f"1 rows have no label: {left} a.txt, line 3" in notes


def test_labels_of_other_scripts_are_one_however_they_were_typed(data):
    """Composed and decomposed umlauts are the same label; capitals are told of."""
    decomposed = unicodedata.normalize("NFD", "Käuzchen")
    events, notes = found(
        data, f"{HEADING}a.wav,0,5,Käuzchen;{decomposed};森鸮\na.wav,5,8,käuzchen\n"
    )
    assert [event.label for event in events["site1/a.wav"]] == ["Käuzchen", "森鸮", "käuzchen"]
    assert any(note.startswith("Käuzchen and käuzchen are taken for different") for note in notes)


def test_a_label_with_a_line_break_of_its_own_is_left_out(data):
    """It could not stand in a list of labels; its stretch is unknown."""
    events, notes = found(data, "1\t2\twren\u2028x\n3\t4\tfrog\n", name="a.txt")
    assert Event(1_000_000, 2_000_000, "") == events["site1/a.wav"][0]
    assert any("have a label that cannot be printed" in note for note in notes)


def test_recordings_without_an_event_are_there_too(data):
    """A table without rows says that nothing is in its recording."""
    (data / "site2" / "c.Table.1.selections.txt").write_text(
        "Begin Time (s)\tEnd Time (s)\tSpecies\n"
    )
    events, notes = found(data, f"{HEADING}a.wav,0,5,wren\nb.wav,0,5,nocall\n", data / "site2")
    assert events["site1/b.wav"] == []
    assert events["site2/c.wav"] == []
    assert any(note.startswith("1 label files have no marks") for note in notes)


def test_twins_are_left_out(data):
    """The same sound twice counts once; with other labels, not at all."""
    shutil.copy(data / "site1" / "a.wav", data / "site1" / "a2.wav")
    shutil.copy(data / "site1" / "b.wav", data / "site1" / "b2.wav")
    events, notes = found(
        data,
        f"{HEADING}a.wav,0,5,wren\na2.wav,0,5,wren\nb.wav,0,5,wren\nb2.wav,0,5,frog\n",
    )
    assert list(events) == ["site1/a.wav"]
    assert [note for note in notes if note.startswith("left out: site1")] == [
        "left out: site1/a2.wav: is the same file as site1/a.wav",
        "left out: site1/b.wav: is the same file as site1/b2.wav, with other labels",
        "left out: site1/b2.wav: is the same file as site1/b.wav, with other labels",
    ]


def test_recordings_are_told_by_name(data):
    """The group of the pattern joins files; one without a recording is left out."""
    (data.parent / "l.csv").write_text(f"{HEADING}a.wav,0,5,wren\nb.wav,0,5,wren\nc.wav,0,5,wren\n")
    labelled, notes = find_recordings(
        data, [data.parent / "l.csv"], recording=re.compile(r"^([ab])\.")
    )
    assert [one.clip.recording for one in labelled] == ["a", "b"]
    assert "left out: site2/c.wav: its name has no recording" in notes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADING, "give no recording in .* a label"),
        (f"{HEADING}x.wav,0,5,wren\n", r"x\.wav \(1 rows\): no audio of this name is there"),
        (f"{HEADING}a.wav,0,5,background\n", "give no recording in .* a label"),
        (f"{HEADING}a.wav,0,5,site1\n", "site1: a folder called by a label holds clips of it"),
    ],
)
def test_label_files_that_lead_nowhere(text, message, data):
    """They are refused, with what was found out and what to do."""
    with pytest.raises(InputError, match=message) as caught:
        found(data, text)
    assert caught.value.remedy


def test_a_folder_without_audio_is_refused(tmp_path):
    """As is one that is not there."""
    (tmp_path / "l.csv").write_text(f"{HEADING}a.wav,0,5,wren\n")
    (tmp_path / "empty").mkdir()
    for name, message in {"empty": "holds no audio", "none": "is not a folder"}.items():
        with pytest.raises(InputError, match=message):
            find_recordings(tmp_path / name, [tmp_path / "l.csv"])

import os

import pytest
from detections import detection, live
from exports import PER_RECORDING, export

from edge.export import FORMATS
from edge.table.context import Context


def names(tmp_path, streams, *, form="birdnet"):
    """Export a detection of each stream; return the names below the folder, without suffix."""
    found = [detection(n, stream=stream) for n, stream in enumerate(streams, start=1)]
    paths = export(form, found, tmp_path / "out", Context())
    return [str(p.relative_to(tmp_path / "out")).removesuffix(PER_RECORDING[form]) for p in paths]


@pytest.mark.parametrize("form", PER_RECORDING)
def test_tables_are_named_after_their_recordings(tmp_path, form):
    """Folders are mirrored from the deepest that holds all recordings."""
    streams = ["/rec/2024/a.wav", "/rec/2024/b.wav", "/rec/2025/a.wav"]
    assert names(tmp_path, streams, form=form) == ["2024/a", "2024/b", "2025/a"]


def test_one_folder_of_recordings_gives_one_folder_of_tables(tmp_path):
    """There is nothing to mirror where all stand together."""
    assert names(tmp_path, ["/rec/2024/a.wav", "/rec/2024/b.wav"]) == ["a", "b"]


def test_no_two_recordings_share_a_table(tmp_path):
    """Suffix, case and signs that are replaced do not make two names one."""
    streams = ["/r/A.wav", "/r/a.flac", "/r/a.wav", "/r/b:c.wav", "/r/b?c.wav", "/r/b_c.wav"]
    assert names(tmp_path, streams) == ["A", "a.flac", "a.wav", "b_c", "b_c.wav", "b_c.wav~2"]


def test_no_name_leads_out_of_the_folder(tmp_path):
    """Dots for the folder above, a bare root and blanks become names like any other."""
    streams = ["/rec/../../x.wav", "../../etc/y.wav", "/", "..", ". ", "", "/rec/a/.. /z.wav"]
    assert len(streams) == len(set(names(tmp_path, streams)))
    assert [tmp_path / "out"] == list(tmp_path.iterdir())


def test_names_that_are_no_text_or_too_long_get_tables(tmp_path):
    """Any file that Linux can name can be exported, and names stay distinct."""
    long = "x" * 240
    streams = [
        os.fsdecode(b"/rec/\xff\xfe.wav"),
        f"/rec/{long}1.wav",
        f"/rec/{long}2.wav",
        "/rec/" + "é" * 120 + ".wav",
        "/rec/new\nline\ttab.wav",
    ]
    found = names(tmp_path, streams)
    assert len(streams) == len(set(found))
    assert "_xff_xfe" in found
    assert "new_line_tab" in found


def test_hours_of_live_streams_have_tables_of_their_own(tmp_path):
    """A live stream's tables are named after it and the UTC hour, beside those of files."""
    found = [live(1), live(720), detection(721), live(722, stream="mic2")]
    paths = export("raven", found, tmp_path, Context())
    assert {
        "mic_20240501_060000Z.Table.1.selections.txt",
        "mic_20240501_070000Z.Table.1.selections.txt",
        "S4A_20240501_061500.Table.1.selections.txt",
        "mic2_20240501_070000Z.Table.1.selections.txt",
    } == {path.name for path in paths}


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_heard_is_no_error(tmp_path, form):
    """Tables of everything hold their heading; there is no table of a recording that has none."""
    paths = export(form, [], tmp_path / "out", Context())
    assert (0 if form in PER_RECORDING else 1) == len(paths)

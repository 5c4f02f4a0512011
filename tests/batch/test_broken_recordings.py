"""Recordings that lack their end, or something in the middle."""

import json

import numpy as np
import pytest
import soundfile
from batch_process import RATE, table, write_noise


def run(edge_batch, tmp_path, *more):
    """Score all there is; return the exit code, the rows, the report and what was said."""
    arguments = (tmp_path, "--model", "tiny", "--out", "s.csv", "--report", "r.json", *more)
    done = edge_batch(*arguments)
    report = json.loads((tmp_path / "r.json").read_text())
    return done.returncode, table(tmp_path / "s.csv")[1], report, done.stderr


def places(report):
    """Where windows are without a score: start, end, how many, state."""
    keys = ("start_s", "end_s", "windows", "state")
    return [tuple(item[key] for key in keys) for item in report["unscored"]]


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
@pytest.mark.parametrize("windows", ["frame", "native"])
def test_what_a_header_promises_and_is_not_there_is_counted(edge_batch, tmp_path, suffix, windows):
    """The windows after a break are a stretch of their own, and the exit code is 1."""
    path = write_noise(tmp_path / f"a.{suffix}", seconds=60, seed=1)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * 0.65)])
    code, rows, report, said = run(edge_batch, tmp_path, "--windows", windows)
    assert code == 1
    assert report["ending_early"] == [str(path)]
    ((start_s, end_s, count, state),) = places(report)
    assert (end_s, state) == (60.0, "gap")
    assert start_s == 5.0 * len(rows)
    assert count == 12 - len(rows)
    assert 5 <= len(rows) <= 8
    assert report["windows"]["gap"] == count
    expected = "the recording ends early: its header promises 60.0 s"
    assert report["unscored"][0]["reason"] == expected
    assert f"gap: {count} windows: {expected}" in said
    assert len(report["notes"]) == 1


def test_ogg_without_its_end_counts_as_not_scored_to_it(edge_batch, tmp_path):
    """An Ogg header promises no length: that the end is missing is all that is known."""
    path = write_noise(tmp_path / "a.ogg", seconds=30, seed=1)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    code, rows, report, said = run(edge_batch, tmp_path)
    assert (code, places(report)) == (1, [])
    assert 2 <= len(rows) <= 5
    assert "a.ogg: truncated: the end of the Ogg stream is missing" in said


def test_header_written_ahead_promises_nothing(edge_batch, tmp_path):
    """A placeholder of hours after a crash neither makes windows nor an incomplete recording."""
    path = write_noise(tmp_path / "a.wav", seconds=10, seed=1)
    content = path.read_bytes()
    path.write_bytes(content[:40] + b"\xff\xff\xff\xff" + content[44:])
    code, rows, report, said = run(edge_batch, tmp_path)
    assert (code, list(rows), places(report)) == (0, ["a_5", "a_10"], [])
    assert "the header does not say how long the audio is; 10.0 s are there" in said


def test_hole_in_an_ogg_is_a_gap_and_later_rows_keep_their_times(edge_batch, tmp_path):
    """The rows after the hole are those of the whole recording, but for those beside it.

    The last before it is cut short, the first after it does not know what sounded before.
    """
    path = write_noise(tmp_path / "a.ogg", seconds=60, seed=1)
    _, whole, _, _ = run(edge_batch, tmp_path)
    content = path.read_bytes()
    pages = [at for at in range(len(content)) if content.startswith(b"OggS", at)]
    path.write_bytes(content[: pages[40]] + content[pages[65] :])
    code, rows, report, said = run(edge_batch, tmp_path)
    assert code == 0
    ((start_s, end_s, count, state),) = places(report)
    assert (state, end_s - start_s) == ("gap", 5.0 * count)
    assert count >= 1
    assert list(rows) == [f"a_{end}" for end in range(5, 61, 5) if not start_s < end <= end_s]
    for name, scores in rows.items():
        if name not in (f"a_{start_s:g}", f"a_{end_s + 5.0:g}"):
            np.testing.assert_allclose(scores, whole[name], atol=1e-5)
    assert "s are missing at" in said
    assert "the audio is missing in the file" in said


def test_notes_are_counted_by_recording(edge_batch, tmp_path):
    """A recording with two notes is one line."""
    path = tmp_path / "a.ogg"
    with soundfile.SoundFile(path, "w", RATE, 1) as file:
        rng = np.random.default_rng(1)
        for _ in range(30):
            file.write(rng.standard_normal(RATE) * 0.1)
    content = path.read_bytes()
    pages = [at for at in range(len(content)) if content.startswith(b"OggS", at)]
    path.write_bytes(content[: pages[20]] + content[pages[24] : pages[-2]])
    _, _, report, said = run(edge_batch, tmp_path)
    assert len(report["notes"]) == 2
    assert "scored, but: 1\n" in said

"""Outputs are files of their own: nothing else is written over, and nothing else is replaced."""

import json
import os
import socket
import stat

import pytest
from batch_process import sparse_wav, start, table, wait_for, write_noise

MODEL = ("--model", "tiny")


@pytest.mark.parametrize(
    ("outputs", "says"),
    [
        (("--out", "a.wav"), "--out: a.wav is an input"),
        (("--out", "s.csv", "--report", "a.wav"), "--report: a.wav is an input"),
        (("--out", "s.csv", "--report", "./s.csv"), "--report: s.csv is --out"),
        (
            ("--out", "s.csv", "--report", "s.csv.partial"),
            "--report: s.csv.partial is the journal of --out",
        ),
        (("--out", "t.csv"), "--out: t.csv is the --template"),
        (("--out", "s.csv", "--report", "t.csv"), "--report: t.csv is the --template"),
        (("--out", "p.yaml"), "--out: p.yaml is the --post file"),
        (("--out", "s.csv", "--report", "link"), "--report: link is the --post file"),
        (("--out", "s.csv", "--report", "folder"), "--report: folder is a directory"),
        (("--out", "s.csv", "--report", "no/r.json"), "is not a directory"),
        (("--out", "s.csv", "--report", "/proc/r.json"), "--report: /proc cannot be written to"),
        (("--out", "/proc/s.csv"), "--out: /proc cannot be written to"),
    ],
)
def test_what_cannot_be_an_output_is_refused_before_any_work(edge_batch, tmp_path, outputs, says):
    """Exit code 2 with a remedy; every file is as it was."""
    write_noise(tmp_path / "a.wav", seconds=5, seed=1)
    (tmp_path / "t.csv").write_text("row_id,owl\na_5,0\n")
    (tmp_path / "p.yaml").write_text("- threshold: {default: 0.1}\n")
    (tmp_path / "link").symlink_to("p.yaml")
    (tmp_path / "folder").mkdir()
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    more = ("--template", "t.csv", "--post", "p.yaml")
    done = edge_batch("a.wav", *MODEL, *more, *outputs)
    assert done.returncode == 2
    assert says in done.stderr
    assert "remedy:" in done.stderr
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}


@pytest.mark.parametrize("option", ["--out", "--report"])
@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_what_is_no_file_is_never_replaced(edge_batch, tmp_path, option, linked, kind):
    """A device, a pipe or a socket stays what it is, also behind a link."""
    write_noise(tmp_path / "a.wav", seconds=5, seed=1)
    place = tmp_path / "place"
    if kind == "pipe":
        os.mkfifo(place)
    else:
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(os.path.relpath(place))
    (tmp_path / "link").symlink_to("place")
    out = {"--out": "s.csv", option: "link" if linked else "place"}
    done = edge_batch("a.wav", *MODEL, *(part for pair in out.items() for part in pair))
    assert done.returncode == 2
    assert "is not a file but a device, pipe or socket" in done.stderr
    is_same = stat.S_ISFIFO if kind == "pipe" else stat.S_ISSOCK
    assert is_same(place.stat().st_mode)
    assert {path.name for path in tmp_path.iterdir()} == {"a.wav", "place", "link"}


def test_links_stay_and_what_they_lead_to_is_written(edge_batch, tmp_path):
    """The file behind a link is replaced; it need not be there yet."""
    write_noise(tmp_path / "a.wav", seconds=5, seed=1)
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "s.csv").write_text("yesterday's")
    (tmp_path / "s.csv").symlink_to("disk/s.csv")
    (tmp_path / "r.json").symlink_to("disk/r.json")
    done = edge_batch("a.wav", *MODEL, "--out", "s.csv", "--report", "r.json")
    assert done.returncode == 0
    assert (tmp_path / "s.csv").is_symlink()
    assert (tmp_path / "r.json").is_symlink()
    assert list(table(tmp_path / "disk" / "s.csv")[1]) == ["a_5"]
    assert json.loads((tmp_path / "disk" / "r.json").read_text())["rows"] == 1
    assert len(list((tmp_path / "disk").iterdir())) == 2


def test_scores_are_kept_where_the_report_can_no_longer_be_written(models_dir, tmp_path):
    """A folder that vanished meanwhile costs the report alone, and is said in a sentence."""
    sparse_wav(tmp_path / "long.wav", seconds=600, rate_hz=32_000)
    (tmp_path / "reports").mkdir()
    outputs = ("--out", "s.csv", "--report", "reports/r.json")
    process = start(models_dir, "long.wav", *MODEL, *outputs, cwd=tmp_path)
    wait_for((tmp_path / "s.csv.partial").exists)
    (tmp_path / "reports").rmdir()
    (tmp_path / "reports").write_text("no folder any more")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert "edge-batch: --report: " in errors
    assert "cannot be written" in errors
    assert len(table(tmp_path / "s.csv")[1]) == 120

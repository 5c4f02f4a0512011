"""What the person at the terminal is told."""

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from batch_process import RATE, sparse_wav, start, write_noise

import edge


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


def test_log_gets_lines_and_quiet_gets_the_summary_alone(edge_batch, recordings, tmp_path):
    """Where no one watches there is no bar."""
    loud = edge_batch(recordings, "--model", "tiny", "--out", "s.csv", "--resume")
    quiet = edge_batch(recordings, "--model", "tiny", "--out", "s.csv", "--resume", "--quiet")
    assert "\r" not in loud.stderr
    assert "resuming: 0 files were scored before, 6 to do" in loud.stderr
    assert quiet.stderr.startswith("s.csv: ")


def watch(models_dir: Path, *arguments: object, cwd: Path) -> str:
    """Run `edge-batch` at a terminal; return all that it showed."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 150, 0, 0))
    process = start(models_dir, *arguments, cwd=cwd, **{"stderr": theirs})
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:
        pass
    os.close(ours)
    assert process.wait() == 0
    return shown.decode()


@pytest.mark.parametrize("workers", [1, 2])
def test_terminal_gets_a_bar(models_dir, recordings, tmp_path, workers):
    """On a terminal a bar shows files, speed and what is left of the budget."""
    arguments = (recordings, "--model", "tiny", "--out", "s.csv", "--workers", workers)
    text = watch(models_dir, *arguments, "--budget", "90m", cwd=tmp_path)
    assert "6/6 files, 100 %" in text
    assert "audio-min/s" in text
    assert "of budget 1:30:00" in text


def test_bar_moves_within_a_long_recording(models_dir, tmp_path):
    """What was read of a single recording counts, and the end is foreseen from it."""
    sparse_wav(tmp_path / "long.wav", seconds=3600 * 3, rate_hz=RATE)
    text = watch(models_dir, "long.wav", "--model", "tiny", "--out", "s.csv", cwd=tmp_path)
    steps = {int(step) for step in re.findall(r"0/1 files, (\d+) %[^\r]*ETA", text)}
    assert len(steps - {0, 100}) >= 3
    assert "1/1 files, 100 %" in text


def test_version_is_told(models_dir, tmp_path):
    """`--version` needs nothing else."""
    process = start(models_dir, "--version", cwd=tmp_path, stdout=subprocess.PIPE)
    shown, _ = process.communicate(timeout=60)
    assert (process.returncode, shown) == (0, f"edge-batch {edge.__version__}\n")

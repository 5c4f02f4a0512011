"""What the rows hold."""

import time
from pathlib import Path

import numpy as np
from batch_process import RATE, sparse_wav, start, table, write_noise
from tiny_stsg import LABELS

from edge.contracts import Prediction, WindowKind
from edge.load import load_model
from edge.pipeline import score
from edge.sources.file import AudioFile


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


def peak_memory_kb(process: int) -> int:
    """Return the most resident memory a process had since it began its program.

    What `getrusage` says of a child also counts its parent's memory at the fork.
    """
    status = Path(f"/proc/{process}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in status if line.startswith("VmHWM:")), 0)

"""The same sound gives the same scores by every door."""

import csv
import random
import shutil
import subprocess
import sys

import numpy as np
import soundfile
from station import PATIENCE_S

ALL_SCORES = [{"threshold": {"default": 0.0}}]


def scores_of(place, out):
    """What `edge-batch` says: {(stem, end second): {label: score}}."""
    command = [sys.executable, "-m", "edge.batch", place, "--model", "stsg-esc10", "--out", out]
    subprocess.run([*command, "--quiet"], check=True)
    with out.open(newline="") as file:
        rows = [*csv.DictReader(file)]
    found = {}
    for row in rows:
        stem, _, end = row.pop("row_id").rpartition("_")
        found[stem, int(end)] = {label: float(score) for label, score in row.items()}
    return found


def worst(expected, detections, key):
    """The largest difference between two sets of scores, every one of which is there once."""
    found = {}
    for heard in detections:
        scores = found.setdefault(key(heard), {})
        assert heard.label not in scores
        scores[heard.label] = heard.confidence
    assert found.keys() == expected.keys()
    # A score of zero is no detection.
    return max(
        abs(score - found[place].get(label, 0.0))
        for place, scores in expected.items()
        for label, score in scores.items()
    )


def test_folder_equals_batch(station, data_dir, tmp_path):
    """A watched folder gives the rows of `edge-batch`, each once and to 1e-5."""
    folder = tmp_path / "recorder"
    shutil.copytree(data_dir / "recorder-day", folder)
    here = station(
        model="stsg-esc10",
        source={"directory": {"path": str(folder), "settle_seconds": 0.2}},
        post=ALL_SCORES,
    )
    here.run_once()
    expected = scores_of(folder, tmp_path / "s.csv")
    stem = {str(path): path.stem for path in folder.glob("*.wav")}
    detections = here.detections()
    assert worst(expected, detections, lambda d: (stem[d.stream], round(d.end_s))) < 1e-5
    assert {heard.time_source for heard in detections} == {"name"}


def test_pipe_equals_batch(station, data_dir, tmp_path):
    """The same sound through standard input, in random chunks, gives the same scores."""
    paths = sorted((data_dir / "recorder-day").glob("*.wav"))
    parts, rates = zip(*(soundfile.read(path, dtype="float32") for path in paths), strict=True)
    (rate_hz,) = set(rates)
    samples = np.concatenate(parts)
    soundfile.write(tmp_path / "day.wav", samples, rate_hz, subtype="FLOAT")
    expected = scores_of(tmp_path / "day.wav", tmp_path / "s.csv")
    content = samples.astype("<f4").tobytes()
    here = station(
        model="stsg-esc10",
        source={"stdin": {"sample_rate": rate_hz, "format": "f32le"}},
        post=ALL_SCORES,
    )
    process = here.start(stdin=subprocess.PIPE)
    rng = random.Random(7)
    at = 0
    while at < len(content):
        size = rng.randrange(1, 1 << rng.randrange(1, 20))
        process.stdin.write(content[at : at + size])
        process.stdin.flush()
        at += size
    process.stdin.close()
    assert process.wait(PATIENCE_S) == 0, here.log()
    assert worst(expected, here.detections(), lambda d: ("day", round(d.end_s))) < 1e-5
    (source,) = here.status()["sources"]
    assert source["received"] == source["accounted"] == len(samples)

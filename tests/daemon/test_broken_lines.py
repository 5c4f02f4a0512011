"""What runs a model fails while a source is scored: the others go on."""

import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from fragile_model import write_fragile_model
from recordings import noise

RATE_HZ = 1_000
PCM = {"sample_rate": RATE_HZ, "format": "s16le"}
LOUD_THEN_QUIET = """
import sys, time
for sound in (b"\\xff\\x7f" * 7000, b"\\0\\x10" * 18000):
    sys.stdout.buffer.write(sound)
    sys.stdout.buffer.flush()
    time.sleep(3)
time.sleep(60)
"""


def test_live_sound_that_breaks_the_model(station, models):
    """Its windows have failed, with the reason, and that is a fault; the next ones are scored."""
    write_fragile_model(models / "fragile")
    here = station(
        model="fragile",
        models_dir=str(models),
        source=[
            {"name": "loud", "command": {"argv": [sys.executable, "-c", LOUD_THEN_QUIET], **PCM}}
        ],
        post=[{"threshold": {"default": 0.0}}],
    )
    process = here.start()
    fault = here.wait_for_fault("loud: model", "the model broke", "Gather")
    assert fault["since"]
    here.wait_for(lambda status: status["sources"] and status["sources"][0]["accounted"] >= 22_000)
    here.stop(process)
    (loud,) = here.status()["sources"]
    assert loud["received"] == loud["accounted"] == 25 * RATE_HZ
    # Where the model last broke decides how long the tail is.
    failed, predicted, *tail = [one.range for one in here.ranges()]
    assert {part.state for part in tail} <= {"skipped"}
    assert (failed.state, predicted.state) == ("failed", "predicted")
    assert failed.reason == "the model broke; the log says how"
    assert 7 * RATE_HZ <= failed.end_sample <= 10 * RATE_HZ
    assert predicted.windows >= 3


SLIP = """
from edge.daemon.listening import Listening

step = Listening.step


def slip(self):
    if self.name == "loud" and self._taken_to:
        raise ZeroDivisionError("a slip of ours")
    return step(self)


Listening.step = slip
"""


def test_a_mistake_of_ours_costs_one_source(station, models, tmp_path):
    """It is a fault where and since when; the other source loses no window."""
    (tmp_path / "slip").mkdir()
    (tmp_path / "slip" / "sitecustomize.py").write_text(SLIP)
    path = os.pathsep.join([str(tmp_path / "slip"), *sys.path])
    here = station(
        model="tiny",
        models_dir=str(models),
        source=[
            {"stdin": PCM},
            {"name": "loud", "command": {"argv": [sys.executable, "-c", LOUD_THEN_QUIET], **PCM}},
        ],
        post=[{"threshold": {"default": 0.0}}],
    )
    process = here.start(stdin=subprocess.PIPE, environment={"PYTHONPATH": path})
    sound = (noise(5.0, rate_hz=RATE_HZ) * 3000).astype("<i2").tobytes()
    process.stdin.write(2 * sound)
    process.stdin.flush()
    fault = here.wait_for_fault("loud", "a mistake", "a slip of ours")
    assert fault["since"]
    process.stdin.write(2 * sound)
    process.stdin.flush()
    quiet = {"windows": []}
    while sum(count["windows"] for count in quiet["windows"]) < 3:
        status = here.status_now()
        quiet = {s["source"]: s for s in status["sources"]}.get("stdin", quiet)
        assert process.poll() is None, here.log()
    assert {count["state"] for count in quiet["windows"]} == {"predicted"}
    here.stop(process)
    loud, quiet = here.status()["sources"]
    assert loud["received"] == loud["accounted"] > 0
    assert quiet["received"] == quiet["accounted"] == 20 * RATE_HZ


@pytest.mark.parametrize(
    ("loud_s", "states"),
    [((0.0, 8.0), ["failed"]), ((6.5, 6.6), ["predicted", "failed"])],
)
def test_a_recording_that_breaks_the_model(watching, models, card, loud_s, states):
    """What it breaks at has failed, with its reason, and is not tried for ever; the rest is scored.

    Also where it breaks at the last window, which is scored when the recording has ended.
    """
    write_fragile_model(models / "fragile")
    samples = np.full(8 * RATE_HZ, 0.1)
    samples[round(loud_s[0] * RATE_HZ) : round(loud_s[1] * RATE_HZ)] = 1.0
    soundfile.write(card / "a-loud.wav", samples, RATE_HZ, subtype="FLOAT")
    soundfile.write(card / "b-quiet.wav", np.full(8 * RATE_HZ, 0.1), RATE_HZ, subtype="FLOAT")
    here = watching(model="fragile")
    process = here.start()
    here.wait_for_fault(f"directory: {card / 'a-loud.wav'}", "the model broke", "Gather")
    status = here.wait_for(
        lambda status: status["sources"] and sum(status["sources"][0]["files"].values()) == 2
    )
    assert status["sources"][0]["received"] == status["sources"][0]["accounted"] == 16 * RATE_HZ
    here.stop(process)
    found = [one.range for one in here.ranges() if one.stream.endswith("a-loud.wav")]
    assert [part.state for part in found] == states
    assert found[-1].reason == "the model broke; the log says how"
    assert found[-1].end_sample == 8 * RATE_HZ

"""What runs a model fails while a source is scored: the others go on."""

import subprocess
import sys

import numpy as np
import soundfile
from fragile_model import write_fragile_model
from recordings import noise

RATE_HZ = 1_000
PCM = {"sample_rate": RATE_HZ, "format": "s16le"}
LOUD = (
    "import sys, time; w = sys.stdout.buffer; w.write(b'\\xff\\x7f' * 8000); w.flush();"
    " time.sleep(60)"
)


def test_a_live_source_that_breaks_the_model(station, models):
    """It is a fault where and since when; the other source loses no window."""
    write_fragile_model(models / "fragile")
    here = station(
        model="fragile",
        models_dir=str(models),
        source=[
            {"stdin": PCM},
            {"name": "loud", "command": {"argv": [sys.executable, "-c", LOUD], **PCM}},
        ],
        post=[{"threshold": {"default": 0.0}}],
    )
    process = here.start(stdin=subprocess.PIPE)
    sound = (noise(5.0, rate_hz=RATE_HZ) * 3000).astype("<i2").tobytes()
    process.stdin.write(2 * sound)
    process.stdin.flush()
    fault = here.wait_for_fault("loud", "a mistake")
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
    assert {count["state"] for count in loud["windows"]} == {"gap"}
    assert quiet["received"] == quiet["accounted"] == 20 * RATE_HZ


def test_a_recording_that_breaks_the_model(watching, models, card):
    """It has failed, with its reason, and is not tried for ever; the others are scored."""
    write_fragile_model(models / "fragile")
    here = watching(model="fragile")
    process = here.start()
    soundfile.write(card / "loud.wav", np.full(8 * RATE_HZ, 1.0), RATE_HZ, subtype="FLOAT")
    here.wait_for_fault(f"directory: {card / 'loud.wav'}", "cannot be scored")
    soundfile.write(card / "quiet.wav", np.full(8 * RATE_HZ, 0.1), RATE_HZ, subtype="FLOAT")
    status = here.wait_for(
        lambda status: status["sources"] and sum(status["sources"][0]["files"].values()) == 2
    )
    assert status["sources"][0]["files"] == {"done": 1, "failed": 1}
    here.stop(process)

"""The wall clock is set while the daemon hears."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from recordings import RATE_HZ, noise
from station import wait_until

PCM = {"sample_rate": RATE_HZ, "format": "s16le"}
SECOND = (noise(1.0) * 32000).astype("<i2").tobytes()
YEAR = timedelta(days=365)


@pytest.fixture
def clock(tmp_path):
    """The environment of a process whose wall clock a file sets, and a way to set it."""
    library = [*Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")]
    if not library:
        pytest.skip("no libfaketime here: apt-get install faketime")
    file = tmp_path / "clock"
    file.write_text("+0")
    environment = {
        "LD_PRELOAD": str(library[0]),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    said = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time())"],
        env={**environment, "FAKETIME_TIMESTAMP_FILE": str(file)},
        capture_output=True,
        text=True,
        check=False,
    )
    if said.returncode:
        pytest.skip(f"libfaketime does not work here: {said.stderr}")

    def set_clock(by: timedelta) -> None:
        new = file.with_suffix(".new")
        new.write_text(f"{by.total_seconds():+.0f}")
        new.replace(file)

    return environment, set_clock


@pytest.mark.parametrize("step", [-YEAR, YEAR])
def test_the_clock_is_set_by_a_year(station, models, clock, step):
    """It is told and kept; windows from then on have the new time, those before the old one."""
    environment, set_clock = clock
    here = station(
        model="tiny",
        models_dir=str(models),
        source={"name": "mic", "stdin": PCM},
        post=[{"threshold": {"default": 0.0}}],
    )
    began = datetime.now(UTC)
    process = here.start(stdin=subprocess.PIPE, environment=environment)

    written = []

    def play(seconds):
        process.stdin.write(seconds * SECOND)
        process.stdin.flush()
        written.append(seconds)

    def told():
        # With the sound that follows it.
        play(1)
        return [f for f in here.status_now()["faults"] if f["where"] == "mic: time"]

    play(6)
    wait_until(lambda: here.status_now()["detections"] == 5, here.log)
    set_clock(step)
    (fault,) = wait_until(told, here.log)
    assert "the wall clock was set" in fault["what"]
    assert ("back by 365 days" if step < timedelta(0) else "forward by 365 days") in fault["what"]
    play(11)
    process.stdin.close()
    assert process.wait(30) == 0, here.log()
    ended = datetime.now(UTC)
    moments = {heard.start_s: heard.at for heard in here.detections()}
    assert sorted(moments) == [5.0 * number for number in range(-(-sum(written) // 5))]
    for start_s, at in moments.items():
        # The second window was begun before the clock was set.
        shift = step if start_s >= 10 else timedelta(0)
        played = timedelta(seconds=sum(written) + 5)
        assert began + shift - played < at < ended + shift + played
    (source,) = here.status()["sources"]
    assert source["received"] == source["accounted"] == sum(written) * RATE_HZ

"""Sound from a sound card: PulseAudio plays the microphone where it is installed."""

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from edge.errors import ConfigError
from edge.sources.soundcard import Soundcard, SoundcardSpec
from edge.strict_yaml import parse

RATE_HZ = 48_000

LISTEN = """
import sys, threading
import numpy as np
from edge.errors import AudioError
from edge.sources.soundcard import Soundcard, SoundcardSpec
source = Soundcard("mic", SoundcardSpec(device=sys.argv[1], sample_rate=int(sys.argv[2])))
blocks = []
for opening in range(2):
    with source:
        print("open", flush=True)
        for block in source:
            blocks.append((block.start_sample, block.samples))
            if block.end_sample > 2 * block.sample_rate_hz:
                break
threading.Timer(0.5, source.stop).start()
with source:
    list(source)
assert [block[0] for block in blocks].count(0) == 2
assert max(len(block[1]) for block in blocks) <= 0.25 * int(sys.argv[2])
np.save(sys.argv[3], np.concatenate([block[1] for block in blocks]))
assert not [t for t in threading.enumerate() if t is not threading.main_thread()
            and not isinstance(t, threading._DummyThread)]
"""


@pytest.fixture
def microphone(tmp_path):
    """The environment in which PortAudio finds a microphone that hears 1 kHz; or a skip."""
    # Not imported here: it opens PortAudio in this process.
    if importlib.util.find_spec("sounddevice") is None:
        pytest.skip("sounddevice is not installed")
    pulseaudio = shutil.which("pulseaudio")
    if pulseaudio is None:
        pytest.skip("PulseAudio is not installed")
    environment = os.environ | {
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "PULSE_SERVER": f"unix:{tmp_path}/server",
    }
    server = subprocess.Popen(
        [
            pulseaudio,
            "-n",
            "--daemonize=no",
            "--use-pid-file=no",
            "--exit-idle-time=-1",
            "--disable-shm=yes",
            "-L",
            f"module-pipe-source source_name=mic file={tmp_path}/mic rate={RATE_HZ} "
            "format=s16le channels=1",
            "-L",
            f"module-native-protocol-unix socket={tmp_path}/server auth-anonymous=1",
        ],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(100):
        if (tmp_path / "server").exists() and (tmp_path / "mic").exists():
            break
        time.sleep(0.1)
    else:
        server.kill()
        server.wait()
        pytest.skip("PulseAudio does not start here")
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(RATE_HZ) / RATE_HZ)
    playing = threading.Event()
    playing.set()

    def play() -> None:
        second = np.round(tone * 32767).astype("<i2").tobytes()
        with open(tmp_path / "mic", "wb", buffering=0) as pipe:
            while playing.is_set():
                try:
                    pipe.write(second)
                except BrokenPipeError:
                    return

    player = threading.Thread(target=play, name="player")
    player.start()
    yield environment
    playing.clear()
    server.terminate()
    server.wait()
    player.join()


def test_a_microphone_is_heard(microphone, tmp_path):
    """What plays comes through PortAudio, opened twice, stopped the third time."""
    done = subprocess.run(
        [sys.executable, "-c", LISTEN, "pulse", str(RATE_HZ), tmp_path / "heard.npy"],
        env=microphone,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if "apt install libportaudio2" in done.stderr:
        pytest.skip("PortAudio is not installed")
    if "inputs there are: none" in done.stderr:
        pytest.skip("ALSA has no plugin for PulseAudio here")
    assert done.stderr == ""
    samples = np.load(tmp_path / "heard.npy")
    assert len(samples) > 4 * RATE_HZ
    second = samples[RATE_HZ // 2 :][:RATE_HZ]
    spectrum = np.abs(np.fft.rfft(second * np.hanning(RATE_HZ)))
    assert np.argmax(spectrum) == pytest.approx(1000, abs=2)


def test_a_device_that_is_not_there_is_told_with_those_there_are(microphone, tmp_path):
    """The message lists the inputs by name."""
    done = subprocess.run(
        [sys.executable, "-c", LISTEN, "Tascam", str(RATE_HZ), tmp_path / "heard.npy"],
        env=microphone,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if "apt install libportaudio2" in done.stderr:
        pytest.skip("PortAudio is not installed")
    assert "no input's name holds 'Tascam'; inputs there are: " in done.stderr
    assert "remedy: plug it in" in done.stderr


def test_an_overflow_is_a_gap_and_never_silence():
    """Where the system lost sound the sample count jumps by the time that went by."""
    source = Soundcard("mic", SoundcardSpec(device="mic", sample_rate=8000, channels=2))
    fine, overflow = SimpleNamespace(input_overflow=False), SimpleNamespace(input_overflow=True)
    values = np.tile(np.float32([[0.25, 0.75]]), (800, 1))
    source._hear(values, 800, None, fine)
    source._hear(values, 800, None, fine)
    time.sleep(0.5)
    source._hear(values, 800, None, overflow)
    (first, _), (second, _), (third, samples) = source._heard
    assert (first, second) == (0, 800)
    assert third - 1600 >= 0.5 * 8000 - 800
    assert samples.tolist() == [0.5] * 800


def test_what_nobody_fetches_does_not_stay():
    """A reader that hangs costs no memory; what it missed is a gap."""
    source = Soundcard("mic", SoundcardSpec(device="mic", sample_rate=8000))
    fine = SimpleNamespace(input_overflow=False)
    for _ in range(1000):
        source._hear(np.zeros((800, 1), dtype=np.float32), 800, None, fine)
    assert sum(len(samples) for _, samples in source._heard) == 10 * 8000
    source._heard.clear()
    source._hear(np.zeros((800, 1), dtype=np.float32), 800, None, fine)
    assert source._heard[0][0] == 800_000


def test_without_the_extra_the_message_names_it(tmp_path):
    """Who lacks sounddevice is told what to install."""
    (tmp_path / "sounddevice.py").write_text("raise ImportError('not here')")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),
    }
    done = subprocess.run(
        [sys.executable, "-c", LISTEN, "pulse", str(RATE_HZ), tmp_path / "heard.npy"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "pip install 'edge-bioacoustics[soundcard]'" in done.stderr


def test_a_device_is_named_and_not_numbered():
    """A number changes when the machine starts again, so it is refused with the line."""
    with pytest.raises(ConfigError, match=r"a:1.*is a number, which changes"):
        parse("{device: '1', sample_rate: 48000}", SoundcardSpec, name="a")
    with pytest.raises(ValueError, match="enter the sound card"):
        next(iter(Soundcard("mic", SoundcardSpec(device="a", sample_rate=8000))))

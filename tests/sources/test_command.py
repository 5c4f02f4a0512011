"""Sound from a child process."""

import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from live_source import gone_soon, is_running, joined, nothing_left, sound, stop_later

from edge.dsp.pcm import PcmFormat
from edge.errors import AudioError, ConfigError
from edge.sources.command import Command, CommandSpec, hide_secrets
from edge.strict_yaml import parse


def command(*argv: object, pcm_format: PcmFormat = PcmFormat.F32LE) -> Command:
    argv_text = [str(argument) for argument in argv]
    return Command("cam", CommandSpec(argv=argv_text, sample_rate=8000, format=pcm_format))


def python(code: str) -> Command:
    return command(sys.executable, "-c", code)


def heard(source: Command) -> tuple[np.ndarray, AudioError]:
    """What came until it ended, and how it ended."""
    blocks = []
    with source, pytest.raises(AudioError) as caught:
        blocks.extend(source)
    return joined(blocks), caught.value


def test_what_a_child_writes_is_heard_to_its_end(tmp_path):
    """All of it, in order, then an error: a live source does not just end."""
    samples = sound(100_000)
    (tmp_path / "raw").write_bytes(samples.tobytes())
    with nothing_left():
        actual, error = heard(command("cat", tmp_path / "raw"))
    assert np.array_equal(samples, actual)
    assert f"cam: cat {tmp_path}/raw: ended with status 0" == error.what


def test_half_a_sample_at_the_end_is_left_out(tmp_path):
    """A child that dies within a sample costs that sample and nothing else."""
    samples = sound(1000)
    (tmp_path / "raw").write_bytes(samples.tobytes())
    actual, _ = heard(command("head", "-c", 3999, tmp_path / "raw"))
    assert np.array_equal(samples[:999], actual)


def test_it_can_be_opened_again(tmp_path):
    """Each opening runs the program anew and counts from 0."""
    samples = sound(1000)
    (tmp_path / "raw").write_bytes(samples.tobytes())
    source = command("cat", tmp_path / "raw")
    for _ in range(3):
        actual, _ = heard(source)
        assert np.array_equal(samples, actual)


@pytest.mark.parametrize(
    ("code", "fate"),
    [
        ("import sys; sys.exit('the camera\\x1b[31m is away')", "ended with status 1"),
        ("import os; os.kill(os.getpid(), 9)", "was ended by SIGKILL"),
        ("import os, time; os.close(1); time.sleep(600)", "closed its output but runs on"),
    ],
)
def test_how_a_child_ended_is_told(code, fate):
    """Status, signal, or neither; with what it said last, fit to be shown."""
    with nothing_left():
        _, error = heard(python(code))
    assert fate in error.what.splitlines()[0]
    assert ("said last:\nthe camera is away" in error.what) == ("camera" in code)


def test_a_flood_on_standard_error_neither_blocks_nor_stays():
    """A child that says 100 MB still delivers all its sound; 20 lines and 4 kB are kept."""
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    actual, error = heard(
        python(
            "import os\n"
            "for i in range(1600): os.write(2, b'%d all is well\\n' % i * 4000)\n"
            "os.write(1, bytes(4000))\n"
            "os.write(2, b'the end\\n')"
        )
    )
    assert len(actual) == 1000
    said = error.what.partition("said last:\n")[2].splitlines()
    assert said == ["1599 all is well"] * 19 + ["the end"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 10_000


def test_an_endless_line_on_standard_error_is_not_shown():
    """Half a line may hold half a password."""
    _, error = heard(python("import sys; sys.exit('x' * 10_000)"))
    assert "(a line of more than 4096 bytes)" in error.what


def test_stopping_ends_the_child_and_all_it_started(tmp_path):
    """A waiting iteration ends; children that ignore SIGTERM are killed, grandchildren too."""
    code = (
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        f"open({str(tmp_path / 'pids')!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "os.write(1, bytes(400))\n"
        "time.sleep(600)"
    )
    with nothing_left():
        source = python(code)
        with source:
            for block in source:
                assert len(block.samples) == 100
                pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
                assert all(is_running(pid) for pid in pids)
                stopper = stop_later(source)
        stopper.join()
    assert all(gone_soon(pid) for pid in pids)


def test_a_grandchild_that_holds_the_pipe_does_not_hide_the_death(tmp_path):
    """When the program itself has ended, so has its sound, whoever keeps its output open."""
    with nothing_left():
        actual, error = heard(command("sh", "-c", "head -c 4000 /dev/zero; sleep 600 & exit 3"))
    assert len(actual) == 1000
    assert "ended with status 3" in error.what


def test_the_child_dies_when_edge_is_killed(tmp_path):
    """Even a child that never writes does not outlive the process."""
    pid_file = tmp_path / "pid"
    program = (
        "from edge.dsp.pcm import PcmFormat\n"
        "from edge.sources.command import Command, CommandSpec\n"
        f"argv = ['sh', '-c', 'echo $$ > {pid_file}; exec sleep 600']\n"
        "spec = CommandSpec(argv=argv, sample_rate=8000, format=PcmFormat.U8)\n"
        "with Command('cam', spec) as source:\n"
        "    list(source)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    while not (pid_file.exists() and pid_file.read_text().strip()):
        assert process.poll() is None
        time.sleep(0.05)
    pid = int(pid_file.read_text())
    assert is_running(pid)
    process.kill()
    process.wait()
    assert gone_soon(pid)


def test_the_child_gets_the_usual_signals_and_no_input():
    """SIGPIPE ends it like any program, and it reads nothing from our standard input."""
    actual, error = heard(command("sh", "-c", "cat; grep SigIgn /proc/self/status >&2"))
    ignored = int(error.what.rpartition("SigIgn:")[2], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1))
    assert len(actual) == 0


@pytest.mark.parametrize("argv0", ["no-such-program", "/etc/passwd", "/"])
def test_a_program_that_is_not_there_is_named(argv0):
    """The message says which program, and what to do."""
    with pytest.raises(AudioError, match=f"no program called '{argv0}'.*\n.*install"):
        command(argv0).__enter__()


def test_a_program_that_cannot_run_here_is_told(tmp_path):
    """What is executable and yet no program ends with what the system says of it."""
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF not really")
    broken.chmod(0o755)
    _, error = heard(command(broken))
    assert "Exec format error" in error.what


def test_secrets_come_from_the_environment_and_show_nowhere(monkeypatch):
    """`${NAME}` is filled in; neither it nor a password of a URL shows, whatever the child says."""
    monkeypatch.setenv("CAM_PASSWORD", "tr0ub4dor&3")
    code = (
        "import sys\n"
        "print(*sys.argv[1:], sys.argv[1][10:40], 'wrong password: p@ss/w0rd', file=sys.stderr)"
    )
    _, error = heard(
        command(
            sys.executable,
            "-c",
            code,
            "rtsp://admin:${CAM_PASSWORD}@10.0.0.9/live",
            "http://me:p%40ss%2Fw0rd@cam/x",
            "http://cam/x?user=me&pwd=hunter22&x=1",
            "$${CAM_PASSWORD}",
        )
    )
    shown = str(error)
    for secret in ("tr0ub4dor", "p%40ss", "p@ss/w0rd", "hunter22"):
        assert secret not in shown
    assert "rtsp://***@10.0.0.9/live" in shown
    assert "rtsp://***@10.0.0.9/live http://***@cam/x" in shown.partition("said last")[2]
    assert "pwd=***&x=1 ${CAM_PASSWORD}" in shown.partition("said last")[2]


def test_a_missing_variable_is_named():
    """What is not in the environment is an error that says where to put it."""
    with pytest.raises(AudioError, match=r"\$\{EDGE_NO_SUCH\} is not.*\n.*EnvironmentFile"):
        command("cat", "${EDGE_NO_SUCH}").__enter__()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rtsp://u:p@host/x: refused", "rtsp://***@host/x: refused"),
        ("'rtsp://u:it's@host/x'", "'rtsp://***@host/x'"),
        ("rtsp://u:p@ss@w/rd@host/x", "rtsp://***@host/x"),
        ("rtsp://host/x mail a@b", "rtsp://host/x mail a@b"),
        ("http://cam/?a=1&PASSWORD=x y", "http://cam/?a=1&PASSWORD=*** y"),
    ],
)
def test_passwords_of_urls_are_hidden(text, expected):
    """Users and passwords go, the rest of the text stays."""
    assert expected == hide_secrets(text)


def test_a_program_that_hangs_is_ended():
    """One that stays but writes no more is an error that says so, and can be run anew."""
    code = "import sys, time; sys.stdout.buffer.write(bytes(4000)); sys.stdout.flush(); " + (
        "sys.stderr.write('connection lost'); sys.stderr.flush(); time.sleep(60)"
    )
    argv = [sys.executable, "-c", code]
    spec = CommandSpec(argv=argv, sample_rate=8000, format=PcmFormat.F32LE, silence_s=0.5)
    source = Command("cam", spec)
    with nothing_left():
        for _ in range(2):
            samples, error = heard(source)
            assert len(samples) == 1000
            assert "wrote nothing for 0.5 s\nit said last:\nconnection lost" in error.what


def test_what_the_yaml_may_say():
    """An empty argv and an absurd rate are refused."""
    text = "{argv: [arecord, -t, raw], sample_rate: 48000, format: s16le, channels: 2}"
    spec = parse(text, CommandSpec, name="a")
    assert (
        spec.argv,
        spec.sample_rate,
        spec.format,
        spec.channels,
    ) == (["arecord", "-t", "raw"], 48_000, "s16le", 2)
    for wrong in ("argv: []", "argv: [a], channels: 0", "argv: a", "argv: [a], sample_rate: 1"):
        with pytest.raises(ConfigError):
            parse(f"{{sample_rate: 8000, format: u8, {wrong}}}", CommandSpec, name="a")


@pytest.fixture
def ffmpeg():
    """The path of ffmpeg, or a skip."""
    path = shutil.which("ffmpeg")
    if path is None:
        pytest.skip("ffmpeg is not installed")
    return path


def test_a_camera_over_rtsp(ffmpeg):
    """ffmpeg listens as our child, another ffmpeg publishes a tone by RTSP: the tone is heard."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"rtsp://127.0.0.1:{port}/live"
    quiet = ["-hide_banner", "-loglevel", "error"]
    source = command(
        ffmpeg,
        *quiet,
        "-rtsp_flags",
        "listen",
        "-i",
        url,
        "-ac",
        1,
        "-ar",
        8000,
        "-f",
        "f32le",
        "-",
    )
    publish = [ffmpeg, *quiet, "-re", "-f", "lavfi", "-i", "sine=1000:sample_rate=8000:duration=6"]
    publish += ["-c:a", "pcm_s16be", "-f", "rtsp", "-rtsp_transport", "tcp", url]
    blocks = []
    with nothing_left(), source:
        wait_for_listener(port)
        publisher = subprocess.Popen(publish, stdin=subprocess.DEVNULL)
        with pytest.raises(AudioError, match="ended with status"):
            blocks.extend(source)
        publisher.kill()
        publisher.wait()
    samples = joined(blocks)
    assert 4 * 8000 < len(samples) <= 6 * 8000
    spectrum = np.abs(np.fft.rfft(samples[8000:24_000]))
    assert np.argmax(spectrum) * 8000 / 16_000 == 1000


def wait_for_listener(port: int) -> None:
    """Wait until a program listens; one that tried to connect would be taken for the camera."""
    for _ in range(100):
        if f":{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text():
            return
        time.sleep(0.1)

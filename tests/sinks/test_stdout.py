"""Standard output, as a terminal, a program and nobody read it."""

import contextlib
import errno
import json
import os
import pty
import subprocess
import sys
from zoneinfo import ZoneInfo

import pytest
from detections import detection, live

from edge.sinks.stdout import Form, StdoutSink, StdoutSpec
from edge.table.context import Station

STATION = Station("s", zone=ZoneInfo("America/Cuiaba"))


@pytest.fixture
def pipe():
    """The ends of a pipe; the reading one does not wait."""
    out, into = os.pipe()
    os.set_blocking(out, False)
    yield out, into
    for end in (out, into):
        with contextlib.suppress(OSError):  # the test may have closed it
            os.close(end)


def drain(out) -> bytes:
    """Read what is there now."""
    read = b""
    try:
        while some := os.read(out, 1 << 16):
            read += some
    except BlockingIOError:
        pass
    return read


def test_program_gets_json_lines(pipe):
    """What is no terminal gets an object a line, out at once."""
    out, into = pipe
    with StdoutSpec(min_confidence=0.5).build(STATION, folder=None) as sink:
        assert "" == sink.ready() == sink.position
    with StdoutSink(STATION, min_confidence=0.5, descriptor=into) as sink:
        sink.write([detection(1), detection(2, confidence=0.1), detection(3)])
        lines = [json.loads(line) for line in drain(out).splitlines()]
    assert [line["number"] for line in lines] == [1, 3]
    assert lines[0]["time_local"] == "2024-05-01T02:15:05.000000-04:00"


def test_person_gets_sentences():
    """On a terminal a line says when, how sure, what and where, and plays no tricks with it."""
    master, slave = pty.openpty()
    with StdoutSink(STATION, descriptor=slave) as sink:
        sink.write([detection(1), live(2, label="sea_waves", stream="mic\x1b[2J")])
    shown = ""
    while shown.count("\n") < 2:
        shown += os.read(master, 4096).decode()
    os.close(master)
    os.close(slave)
    assert shown.splitlines() == [
        "2024-05-01 02:15:05-0400  0.88  Eurasian Magpie (Pica pica)  "
        "/rec/S4A_20240501_061500.wav at 5 s",
        "2024-05-01 02:15:10-0400  0.88  sea_waves  mic [2J",
    ]


def test_form_can_be_chosen(pipe):
    """Text goes into a pipe where it is wished for."""
    out, into = pipe
    with StdoutSink(STATION, form=Form.TEXT, descriptor=into) as sink:
        sink.write([detection()])
    assert b"Eurasian Magpie (Pica pica)" in drain(out)


def test_reader_that_went_away_is_an_error_like_any_other(pipe):
    """A closed pipe raises what delivery waits and tries again for."""
    out, into = pipe
    os.close(out)
    with StdoutSink(STATION, descriptor=into) as sink, pytest.raises(BrokenPipeError) as caught:
        sink.write([detection()])
    assert caught.value.filename == "standard output"


def test_reader_that_does_not_read_gets_every_line_once_when_it_does(pipe):
    """What did not fit is offered again; a started line goes on where it stopped."""
    out, into = pipe
    found = [detection(n, stream=f"/{'x' * 5000}.wav") for n in range(1, 60)]
    read, errors = b"", set()
    with StdoutSink(STATION, descriptor=into, patience_s=0.01) as sink:
        for _ in range(len(found)):
            try:
                sink.write(found)
                break
            except OSError as reason:
                errors.add(reason.errno)
                read += drain(out)
    read += drain(out)
    assert [d.number for d in found] == [json.loads(line)["number"] for line in read.splitlines()]
    assert errors == {errno.EAGAIN}


def test_program_started_without_standard_output_writes_nowhere(tmp_path):
    """Whatever file was given the free number stays as it is."""
    code = (
        "from edge.sinks.stdout import StdoutSink\n"
        "from edge.table.context import Station\n"
        "from detections import detection\n"
        f"file = open({str(tmp_path / 'store')!r}, 'w')\n"
        "try:\n    StdoutSink(Station()).write([detection()])\n"
        "except OSError as reason:\n    file.write(f'{file.fileno()} {reason.strerror}')\n"
    )
    command = ["sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, code]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(command, check=True, env=environment)
    assert (tmp_path / "store").read_text() == "1 is closed"

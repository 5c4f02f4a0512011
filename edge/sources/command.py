"""Raw PCM from a program of its own: arecord, ffmpeg for a network camera, anything else."""

import contextlib
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Annotated

import structlog
from msgspec import Meta

from edge.contracts import AudioBlock
from edge.dsp.pcm import PcmFormat
from edge.errors import AudioError
from edge.pcm_reader import Channels, PcmReader, SampleRate, StopSignal
from edge.strict_yaml import Record


class CommandSpec(Record, frozen=True):
    """`command: {argv: [arecord, -t, raw, ...], sample_rate: 48000, format: s16le}`."""

    argv: Annotated[list[str], Meta(min_length=1, examples=[["arecord", "-t", "raw"]])]
    """The program and its arguments, no shell. `${NAME}` stands for the value of an environment
    variable, so that passwords need not be in the file; `$${NAME}` for `${NAME}` itself."""
    sample_rate: SampleRate
    format: PcmFormat
    channels: Channels = 1
    silence_s: Annotated[float, Meta(gt=0, le=86_400)] = 30.0
    """A program that runs but writes nothing for so long is ended and run anew: so ends many a
    camera's stream when the network was away. Seconds."""


class Command:
    """Raw PCM that a child process writes to its standard output; a `LiveSource`.

    The child has a session of its own and nothing on its standard input. It is ended with the
    source, with all that it started, and also when edge is killed. What it writes to its standard
    error is read and its end is kept, for the message when it dies. Passwords show nowhere.

    Enter, iterate and leave it in the same thread: the child dies with the thread that started it.

    Args:
        stream: Name of the stream.
        spec: What to run, and how it writes its samples.

    Raises:
        AudioError: On entering or while iterating: it cannot be run, or it ended.
    """

    ends = False
    """A program that ended can be run again."""

    def __init__(self, stream: str, spec: CommandSpec) -> None:
        self.sample_rate_hz = spec.sample_rate
        self._stream = stream
        self._argv = spec.argv
        self._silence_s = spec.silence_s
        self._secrets: dict[str, str] = {}
        self._child: _Child | None = None
        self._reader = PcmReader(
            stream,
            sample_rate_hz=spec.sample_rate,
            pcm_format=spec.format,
            channels=spec.channels,
        )

    def __enter__(self) -> "Command":
        argv, self._secrets = _filled_in(self._argv, os.environ, stream=self._stream)
        program = shutil.which(argv[0])
        if program is None:
            raise AudioError(
                f"{self._stream}: there is no program called {hide_secrets(self._argv[0])!r}",
                remedy="install it, or give its whole path as the first of argv",
            )
        try:
            self._child = _Child([program, *argv[1:]], name=self._stream)
        except OSError as reason:
            raise AudioError(
                f"{self._shown}: cannot be run: {reason.strerror}",
                remedy="check the limits on processes and memory",
            ) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._child is not None:
            self._child.close()
            self._child = None

    def __iter__(self) -> Iterator[AudioBlock]:
        if self._child is None:
            raise ValueError("enter the command with `with` before iterating it")
        yield from self._reader.blocks(
            self._child.output, process=self._child.pidfd, silence_s=self._silence_s
        )
        if self._reader.stopped:
            return
        silent = f"wrote nothing for {self._silence_s:g} s"
        what = f"{self._shown}: {silent if self._reader.fell_silent else self._child.fate()}"
        said = hide_secrets(self._child.last_said(), self._secrets)
        if said:
            what += "\nit said last:\n" + said
        raise AudioError(what, remedy="run it by hand and see what it writes")

    def stop(self) -> None:
        """Let the iteration end, for good; from any thread, any number of times."""
        self._reader.stop()

    @property
    def _shown(self) -> str:
        # Each by itself: a quote that is put around a secret must not hide it from us.
        shown = [hide_secrets(argument, self._secrets) for argument in self._argv]
        return f"{self._stream}: {' '.join(shlex.join(shown).split())}"


def hide_secrets(text: str, secrets: Mapping[str, str] | None = None) -> str:
    """Return a text without the passwords of URLs and without the secrets given.

    Args:
        text: A command line, or what a program said.
        secrets: What stands in the text for each secret.
    """
    # Longest first: one secret may hold another.
    for secret in sorted(secrets or {}, key=len, reverse=True):
        text = text.replace(secret, (secrets or {})[secret])
    text = _USER_IN_URL.sub("***@", text)
    return _KEY_IN_URL.sub(r"\1***", text)


class _Child:
    """A child process, what it writes, and how it ended."""

    def __init__(self, argv: Sequence[str], *, name: str) -> None:
        self._name = name
        self._process = subprocess.Popen(  # noqa: S603 (the station's owner says what to run)
            [sys.executable, "-I", "-S", "-c", _TIED_TO_US, str(os.getpid()), *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.output = self._process.stdout.fileno()
        try:
            self.pidfd = os.pidfd_open(self._process.pid)
            self._errors = _Errors(self._process.stderr.fileno(), name=name)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    def fate(self) -> str:
        """Say how it ended, once its sound has; waits a moment for it."""
        if not self._wait(_PATIENCE_S):
            return "closed its output but runs on"
        self._errors.wait(_PATIENCE_S)
        # Not reaped: as long as it is there, no other process has its number.
        end = os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        assert end is not None
        if end.si_code == os.CLD_EXITED:
            return f"ended with status {end.si_status}"
        try:
            return f"was ended by {signal.Signals(end.si_status).name}"
        except ValueError:
            return f"was ended by signal {end.si_status}"

    def last_said(self) -> str:
        """Return the end of what it wrote to its standard error."""
        return self._errors.last_lines()

    def close(self) -> None:
        """End it and all that it started."""
        self._signal(signal.SIGTERM)
        self._wait(_PATIENCE_S)
        self._signal(signal.SIGKILL)
        try:
            self._process.wait(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            structlog.get_logger().error(
                "a child process cannot be ended", stream=self._name, pid=self._process.pid
            )
        self._errors.close()
        os.close(self.pidfd)
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    def _wait(self, seconds: float) -> bool:
        """Wait until it has ended, without reaping it; tell whether it has."""
        poller = select.poll()
        poller.register(self.pidfd, select.POLLIN)
        return bool(poller.poll(round(1000 * seconds)))

    def _signal(self, number: signal.Signals) -> None:
        # It is gone, or it has taken another user's rights: then systemd ends it with us.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


class _Errors:
    """Reads a child's standard error on a thread and keeps its end."""

    def __init__(self, descriptor: int, *, name: str) -> None:
        self._descriptor = descriptor
        self._tail = b""
        self._cut = False
        self._stop = StopSignal()
        self._wakened_by = self._stop.open()
        self._thread = threading.Thread(target=self._drain, name=f"{name} stderr", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Wait until all is read."""
        self._thread.join(seconds)

    def last_lines(self) -> str:
        """Return the last lines, as text that can be shown."""
        text = _CONTROL.sub("", self._tail.decode(errors="replace"))
        lines = [line.strip() for line in re.split(r"[\r\n]+", text)]
        if self._cut:
            # Half a line may hold half a password, which would not be known for one.
            lines = lines[1:]
            if not any(lines):
                return f"(a line of more than {_TAIL_BYTES} bytes)"
        return "\n".join([line for line in lines if line][-_TAIL_LINES:])

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()
        self._stop.close()

    def _drain(self) -> None:
        poller = select.poll()
        for waited_for in (self._descriptor, self._wakened_by):
            poller.register(waited_for, select.POLLIN)
        while self._wakened_by not in {waited_for for waited_for, _ in poller.poll()}:
            data = os.read(self._descriptor, _READ_BYTES)
            if not data:
                return
            tail = self._tail + data
            self._cut = self._cut or len(tail) > _TAIL_BYTES
            self._tail = tail[-_TAIL_BYTES:]


def _filled_in(
    argv: Sequence[str], environment: Mapping[str, str], *, stream: str
) -> tuple[list[str], dict[str, str]]:
    """Put values in the place of `${NAME}`; return also what is secret and what to show for it."""
    secrets: dict[str, str] = {}

    def value_of(match: re.Match[str]) -> str:
        escaped, name = match.groups()
        if escaped:
            return match[0][1:]
        if name not in environment:
            raise AudioError(
                f"{stream}: argv: ${{{name}}} is not in the environment",
                remedy=f"set {name} where edge is started, in systemd with EnvironmentFile=",
            )
        secrets[environment[name]] = f"${{{name}}}"
        return environment[name]

    filled = [_VARIABLE.sub(value_of, argument) for argument in argv]
    for argument in filled:
        for found in _USER_IN_URL.finditer(argument):
            _, _, password = found[0].removesuffix("@").partition(":")
            for form in (password, urllib.parse.unquote(password)):
                secrets.setdefault(form, "***")
    # What is shorter stands for a thousand other things in a text as well.
    return filled, {secret: shown for secret, shown in secrets.items() if len(secret) >= 4}


# Python ignores SIGPIPE and hands that down; the child shall die of it like any other program.
_TIED_TO_US = """
import ctypes, os, signal, sys
for number in (signal.SIGPIPE, signal.SIGXFSZ):
    signal.signal(number, signal.SIG_DFL)
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("edge has ended")
try:
    os.execv(sys.argv[2], sys.argv[2:])
except OSError as reason:
    sys.exit(f"{sys.argv[2]}: cannot be run: {reason.strerror}")
"""
_VARIABLE = re.compile(r"\$(\$?)\{([A-Za-z_][A-Za-z0-9_]*)\}")
# To the last @ of the word: a password may hold an @ or a slash.
_USER_IN_URL = re.compile(r"(?<=://)\S*@")
_KEY_IN_URL = re.compile(r"([?&](?:pass|password|passwd|pwd|token|key|secret)=)[^&\s'\"]*", re.I)
_CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_PATIENCE_S = 1.0
_TAIL_BYTES = 4096
_TAIL_LINES = 20
_READ_BYTES = 1 << 16

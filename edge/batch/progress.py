"""What the person at the terminal sees while the work goes on."""

import sys
import time
from dataclasses import dataclass
from typing import Never, Protocol

from tqdm import tqdm


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a run is."""

    files: int
    """Recordings that are done."""
    work: float
    """Bytes of recordings that are done; of those in progress, the share that was read."""
    audio_s: float
    """Audio that this run scored, in seconds."""
    writing_s: float = 0.0
    """Time that writing the output is expected to take."""


class Progress(Protocol):
    """Shows how far a run is."""

    def show(self, standing: Standing) -> None:
        """Show it, and what is to come."""
        ...

    def say(self, text: str) -> None:
        """Print a line of its own."""
        ...

    def close(self) -> None:
        """Show no more."""
        ...


def open_progress(
    *,
    files: int,
    work: float,
    at: Standing,
    began_s: float,
    budget_s: float | None,
    quiet: bool,
) -> Progress:
    """Choose a bar for a terminal, lines for a log, or nothing.

    Args:
        files: Files in all.
        work: Their bytes.
        at: What an earlier run did.
        began_s: When the command began, on the monotonic clock.
        budget_s: What time it has.
        quiet: Whether to show nothing.
    """
    if quiet:
        return _Silence()
    pace = _Pace(files, work, at, began_s=began_s, budget_s=budget_s)
    return _Bar(pace) if sys.stderr.isatty() else _Lines(pace)


def tell(text: str) -> None:
    """Print a line while no progress is shown."""
    print(text, file=sys.stderr, flush=True)


class _Pace:
    """Turns counts into words."""

    def __init__(
        self, files: int, work: float, at: Standing, *, began_s: float, budget_s: float | None
    ) -> None:
        self.work = work
        self.at = at
        self._files = files
        self._budget_s = budget_s
        self._began_s = began_s
        self._first_s = time.monotonic()

    def words(self, now: Standing) -> str:
        now_s = time.monotonic()
        spent_s = max(now_s - self._first_s, 1e-6)
        parts = [
            f"{now.files}/{self._files} files",
            f"{100.0 * now.work / self.work:.0f} %",
            f"{now.audio_s / 60.0 / spent_s:.1f} audio-min/s",
        ]
        finish = "?"
        done = now.work - self.at.work
        if done > 0:
            left_s = spent_s * (self.work - now.work) / done + now.writing_s
            finish = clock(now_s - self._began_s + left_s)
            parts.append(f"ETA {clock(left_s)}")
        if self._budget_s is not None:
            parts.append(f"finish {finish} of budget {clock(self._budget_s)}")
        return ", ".join(parts)


class _Bar:
    def __init__(self, pace: _Pace) -> None:
        self._pace = pace
        self._bar: tqdm[Never] = tqdm(
            total=pace.work,
            initial=pace.at.work,
            file=sys.stderr,
            dynamic_ncols=True,
            bar_format="|{bar}| {elapsed}{postfix}",
        )

    def show(self, standing: Standing) -> None:
        self._bar.set_postfix_str(self._pace.words(standing), refresh=False)
        self._bar.n = min(standing.work, self._pace.work)
        self._bar.refresh()

    def say(self, text: str) -> None:
        self._bar.write(text, file=sys.stderr)

    def close(self) -> None:
        self._bar.close()


class _Lines:
    def __init__(self, pace: _Pace) -> None:
        self._pace = pace
        self._next_s = time.monotonic() + _SECONDS_A_LINE

    def show(self, standing: Standing) -> None:
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _SECONDS_A_LINE
            tell(self._pace.words(standing))

    def say(self, text: str) -> None:
        tell(text)

    def close(self) -> None:
        """Leave the lines as they are."""


class _Silence:
    def show(self, standing: Standing) -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Nothing was open."""


def clock(seconds: float) -> str:
    """Write seconds as `1:02:03` or `2:03`."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, second = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{second:02d}" if hours else f"{minutes}:{second:02d}"


_SECONDS_A_LINE = 10.0

"""What the person at the terminal sees while the work goes on."""

import sys
import time
from typing import Never, Protocol

from tqdm import tqdm


class Progress(Protocol):
    """Shows how far a run is."""

    def show(self, *, files: int, audio_s: float, finish_s: float | None) -> None:
        """Show files done, audio scored and the projected finish, in seconds from the start."""
        ...

    def say(self, text: str) -> None:
        """Print a line of its own."""
        ...

    def close(self) -> None:
        """Show no more."""
        ...


def open_progress(
    total: int, *, done: int, began_s: float, budget_s: float | None, quiet: bool
) -> Progress:
    """Choose a bar for a terminal, lines for a log, or nothing.

    Args:
        total: Files in all.
        done: Files that an earlier run did.
        began_s: When the command began, on the monotonic clock.
        budget_s: What time it has.
        quiet: Whether to show nothing.
    """
    if quiet:
        return _Silence()
    pace = _Pace(total, done, began_s, budget_s)
    return _Bar(pace) if sys.stderr.isatty() else _Lines(pace)


class _Pace:
    """Turns counts into words."""

    def __init__(self, total: int, done: int, began_s: float, budget_s: float | None) -> None:
        self.total = total
        self.done = done
        self._budget_s = budget_s
        self._began_s = began_s
        self._first_s = time.monotonic()

    def words(self, files: int, audio_s: float, finish_s: float | None) -> str:
        now_s = time.monotonic()
        spent_s = max(now_s - self._first_s, 1e-6)
        parts = [f"{audio_s / 60.0 / spent_s:.1f} audio-min/s"]
        if finish_s is None and files > self.done:
            left_s = spent_s * (self.total - files) / (files - self.done)
            parts.append(f"ETA {clock(left_s)}")
        elif finish_s is not None:
            parts.append(f"ETA {clock(finish_s - (now_s - self._began_s))}")
        if self._budget_s is not None:
            finish = "?" if finish_s is None else clock(finish_s)
            parts.append(f"finish {finish} of budget {clock(self._budget_s)}")
        return ", ".join(parts)


class _Bar:
    def __init__(self, pace: _Pace) -> None:
        self._pace = pace
        self._bar: tqdm[Never] = tqdm(
            total=pace.total,
            initial=pace.done,
            file=sys.stderr,
            dynamic_ncols=True,
            bar_format="{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} files, {elapsed}{postfix}",
        )

    def show(self, *, files: int, audio_s: float, finish_s: float | None) -> None:
        self._bar.set_postfix_str(self._pace.words(files, audio_s, finish_s), refresh=False)
        self._bar.update(files - self._bar.n)
        self._bar.refresh()

    def say(self, text: str) -> None:
        self._bar.write(text, file=sys.stderr)

    def close(self) -> None:
        self._bar.close()


class _Lines:
    def __init__(self, pace: _Pace) -> None:
        self._pace = pace
        self._next_s = time.monotonic() + _SECONDS_A_LINE

    def show(self, *, files: int, audio_s: float, finish_s: float | None) -> None:
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _SECONDS_A_LINE
            words = self._pace.words(files, audio_s, finish_s)
            self.say(f"{files}/{self._pace.total} files, {words}")

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave the lines as they are."""


class _Silence:
    def show(self, *, files: int, audio_s: float, finish_s: float | None) -> None:
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

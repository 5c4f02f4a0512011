"""What a run says at its end: everything that was not as it should be, counted."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.batch.names import count_of, some_of
from edge.batch.progress import clock
from edge.batch.record import STATE_LETTERS, FileRecord, Stretch
from edge.batch.submission import Matched
from edge.table.text import as_text
from edge.table.whole import write_lines

_STATES = {letter: state for state, letter in STATE_LETTERS.items()}


@dataclass(slots=True)
class Summary:
    """Counts of one run."""

    files: int
    """Recordings found."""
    resumed: int = 0
    """Recordings that an earlier run had scored."""
    scored: Counter[str] = field(default_factory=Counter)
    """Recordings by the `name@version` that scored them."""
    audio_s: float = 0.0
    resumed_audio_s: float = 0.0
    """Of it, what an earlier run had scored."""
    windows: Counter[str] = field(default_factory=Counter)
    """Windows by state letter."""
    unscored: list[tuple[str, Stretch]] = field(default_factory=list)
    """Path and stretch of all windows without a prediction."""
    unheard: list[tuple[str, str]] = field(default_factory=list)
    """Path and reason, for recordings that were read and none of whose windows was scored."""
    notes: list[tuple[str, str]] = field(default_factory=list)
    """Path and what was off, for recordings that were scored all the same."""
    failures: list[tuple[str, str]] = field(default_factory=list)
    """Path and reason, for recordings that were not scored."""
    ending_early: list[str] = field(default_factory=list)
    """Recordings that lack their end: they were scored as far as they go."""
    unreached: list[str] = field(default_factory=list)
    """Recordings that the budget left no time for, in whole or part."""
    renamed: list[tuple[str, str]] = field(default_factory=list)
    """Path and the stem it was given, where its own was another's too."""
    left_out: list[tuple[str, str]] = field(default_factory=list)
    """Path and reason, for what is called like a recording and is no file."""
    remarks: list[str] = field(default_factory=list)
    """What else the user should know."""
    warnings: list[str] = field(default_factory=list)
    """What makes the whole run worthless, most likely."""
    matched: Matched | None = None
    rows: int = 0
    elapsed_s: float = 0.0
    budget_s: float | None = None

    def add(self, record: FileRecord, model: str) -> None:
        """Count a recording that was read."""
        if record.counts.get("P"):
            self.scored[model] += 1
        elif not record.out_of_time:
            self.unheard.append((record.path, _reasons(record.unscored)))
        self.audio_s += record.seconds
        self.windows.update(record.counts)
        self.unscored += [(record.path, stretch) for stretch in record.unscored]
        self.notes += [(record.path, note) for note in record.notes]
        if record.out_of_time:
            self.unreached.append(record.path)
        elif record.ends_early:
            self.ending_early.append(record.path)

    def sort(self, paths: Sequence[str]) -> None:
        """Put what is said of recordings into their order, not that in which workers were done."""
        place = {path: number for number, path in enumerate(paths)}
        self.unscored.sort(key=lambda item: place[item[0]])
        for items in (self.unheard, self.notes, self.failures):
            items.sort(key=lambda item: place[item[0]])
        for names in (self.ending_early, self.unreached):
            names.sort(key=place.__getitem__)

    @property
    def complete(self) -> bool:
        """Whether every recording was scored, and to its end."""
        return not (self.failures or self.unreached or self.unheard or self.ending_early)

    def text(self, out: Path) -> str:
        """Write it for a person."""
        lines = [f"{as_text(str(out))}: {count_of(self.rows, 'row')}"]
        if self.matched is not None:
            lines += self._matched_lines(self.matched)
        lines.append(f"files: {sum(self.scored.values())} of {self.files} scored")
        if self.resumed:
            lines[-1] += f", {self.resumed} read by the run that was resumed"
        minutes = (self.audio_s - self.resumed_audio_s) / 60.0
        speed = minutes / max(self.elapsed_s, 1e-6)
        lines.append(
            f"audio: {minutes:.1f} min in {clock(self.elapsed_s)} ({speed:.1f} audio-min/s)"
        )
        if self.resumed:
            lines[-1] += f", {self.resumed_audio_s / 60.0:.1f} min by the run that was resumed"
        if self.budget_s is not None:
            lines[-1] += f", budget {clock(self.budget_s)}"
        if len(self.scored) > 1:
            parts = [f"{count} by {model}" for model, count in self.scored.items()]
            lines.append(f"models: {', '.join(parts)}")
        lines.append(f"windows: {self._windows_text()}")
        lines += self._unscored_lines()
        lines += self.remarks
        lines += _list("left out", self.left_out)
        lines += _list("given longer names, their stems not being unique", self.renamed)
        lines += _list("scored, but", _by_path(self.notes))
        lines += _list("no window could be scored", self.unheard)
        lines += _list("not scored", self.failures)
        if self.unreached:
            lines += _list(
                "the time budget did not suffice for", [(path, "") for path in self.unreached]
            )
        lines += [f"WARNING: {warning}" for warning in self.warnings]
        return "\n".join(lines)

    def to_json(self, out: Path) -> dict[str, Any]:
        """Return all of it as plain values."""
        matched = self.matched
        return {
            "out": as_text(str(out)),
            "rows": self.rows,
            "files": self.files,
            "resumed": self.resumed,
            "scored": dict(self.scored),
            "audio_s": self.audio_s,
            "resumed_audio_s": self.resumed_audio_s,
            "elapsed_s": self.elapsed_s,
            "budget_s": self.budget_s,
            "windows": {state: self.windows[letter] for letter, state in _STATES.items()},
            "unscored": [
                {
                    "path": as_text(path),
                    "start_s": stretch.start_s,
                    "end_s": stretch.end_s,
                    "windows": stretch.windows,
                    "state": _STATES[stretch.state],
                    "reason": stretch.reason,
                }
                for path, stretch in self.unscored
            ],
            "notes": _pairs(self.notes, "note"),
            "unheard": _pairs(self.unheard, "reason"),
            "failures": _pairs(self.failures, "reason"),
            "ending_early": [as_text(path) for path in self.ending_early],
            "unreached": [as_text(path) for path in self.unreached],
            "left_out": _pairs(self.left_out, "reason"),
            "renamed": _pairs(self.renamed, "stem"),
            "remarks": self.remarks,
            "warnings": self.warnings,
            "template": None
            if matched is None
            else {
                "rows": matched.rows,
                "repeated": len(matched.repeated_rows),
                "repeated_rows": list(matched.repeated_rows),
                "filled": len(matched.filled_rows),
                "filled_rows": list(matched.filled_rows),
                "unasked": matched.unasked,
                "missing_classes": list(matched.missing_classes),
            },
        }

    def write_json(self, path: Path, out: Path) -> None:
        """Write all of it as JSON; where `path` is a link, what it leads to is replaced.

        Raises:
            InputError: It cannot be written.
        """
        write_lines(path.resolve(), [json.dumps(self.to_json(out), indent=1), "\n"])

    def _windows_text(self) -> str:
        parts = []
        for letter, state in _STATES.items():
            count = self.windows[letter]
            if count or letter == "P":
                parts.append(f"{count} {state}")
        return ", ".join(parts)

    def _unscored_lines(self) -> list[str]:
        """Say of each state why its windows are in it, and which they are."""
        lines = []
        for letter in _BY_WEIGHT:
            reasons: Counter[str] = Counter()
            by_path: dict[str, list[Stretch]] = {}
            for path, stretch in self.unscored:
                if stretch.state == letter:
                    reasons[stretch.reason] += stretch.windows
                    by_path.setdefault(path, []).append(stretch)
            lines += [
                f"{_STATES[letter]}: {count_of(count, 'window')}: {reason}"
                for reason, count in reasons.most_common(_MOST_REASONS)
            ]
            if len(reasons) > _MOST_REASONS:
                others = len(reasons) - _MOST_REASONS
                lines.append(f"{_STATES[letter]}: ... and for {others} more reasons")
            items = [(path, _places(stretches)) for path, stretches in by_path.items()]
            lines += _list(f"files with {_STATES[letter]} windows", items)
        return lines

    def _matched_lines(self, matched: Matched) -> list[str]:
        lines = [f"template: {count_of(matched.rows, 'row')}"]
        if matched.unasked:
            lines[0] += f"; predicted, but not in it: {count_of(matched.unasked, 'row')}"
        for what, rows in (
            ("without a prediction, holding the means of their columns", matched.filled_rows),
            ("there more than once", matched.repeated_rows),
        ):
            if rows:
                names = some_of(rows, most=_MOST_NAMES)
                lines.append(f"template: {count_of(len(rows), 'row')} {what}: {names}")
        missing = matched.missing_classes
        if missing:
            names = some_of(missing, most=_MOST_NAMES)
            count = "1 class" if len(missing) == 1 else f"{len(missing)} classes"
            lines.append(f"template: {count} unknown to the model, holding 0: {names}")
        return lines


def _places(stretches: Sequence[Stretch]) -> str:
    """Say where one recording's windows of one state are, and why if it is for several reasons."""
    by_reason: dict[str, list[str]] = {}
    for stretch in stretches:
        place = f"{stretch.start_s:.10g}-{stretch.end_s:.10g} s"
        by_reason.setdefault(stretch.reason, []).append(place)
    parts = []
    for reason, places in list(by_reason.items())[:_MOST_REASONS]:
        more = len(places) - _MOST_PLACES
        where = ", ".join(places[:_MOST_PLACES]) + (f" and {more} more" if more > 0 else "")
        parts.append(f"{where}: {reason}")
    if len(by_reason) > _MOST_REASONS:
        parts.append(f"... and for {len(by_reason) - _MOST_REASONS} more reasons")
    return "; ".join(parts)


def _reasons(stretches: Iterable[Stretch]) -> str:
    reasons = list(dict.fromkeys(stretch.reason for stretch in stretches))
    more = len(reasons) - _MOST_REASONS
    return "; ".join(reasons[:_MOST_REASONS]) + (f"; and {more} more reasons" if more > 0 else "")


def _by_path(items: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Put what is said of one recording into one line."""
    words: dict[str, list[str]] = {}
    for path, said in items:
        words.setdefault(path, []).append(said)
    return [(path, "; ".join(said)) for path, said in words.items()]


def _pairs(items: Iterable[tuple[str, str]], what: str) -> list[dict[str, str]]:
    return [{"path": as_text(path), what: words} for path, words in items]


def _list(title: str, items: list[tuple[str, str]]) -> list[str]:
    """List the first few of what may be many; control characters are escaped."""
    if not items:
        return []
    lines = [f"{title}: {len(items)}"]
    for path, words in items[:_MOST_LISTED]:
        text = as_text(path)
        name = text if text.isprintable() else repr(text)[1:-1]
        lines.append(f"  {name}: {words}" if words else f"  {name}")
    if len(items) > _MOST_LISTED:
        lines.append(f"  ... and {len(items) - _MOST_LISTED} more")
    return lines


_MOST_LISTED = 20
_MOST_NAMES = 8
_MOST_PLACES = 5
_MOST_REASONS = 5
_BY_WEIGHT = "FGS"

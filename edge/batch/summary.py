"""What a run says at its end: everything that was not as it should be, counted."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.batch.progress import clock
from edge.batch.record import STATE_LETTERS, FileRecord
from edge.batch.submission import Matched

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
    reasons: dict[str, str] = field(default_factory=dict)
    """By state letter, why the first such window has no prediction."""
    notes: list[tuple[str, str]] = field(default_factory=list)
    """Path and what was off, for recordings that were scored all the same."""
    failures: list[tuple[str, str]] = field(default_factory=list)
    """Path and reason, for recordings that were not scored."""
    unreached: list[str] = field(default_factory=list)
    """Recordings that the budget left no time for, in whole or part."""
    renamed: list[tuple[str, str]] = field(default_factory=list)
    """Path and the stem it was given, where its own was another's too."""
    remarks: list[str] = field(default_factory=list)
    """What else the user should know."""
    matched: Matched | None = None
    rows: int = 0
    elapsed_s: float = 0.0
    budget_s: float | None = None

    def add(self, record: FileRecord, model: str) -> None:
        """Count a scored recording."""
        self.scored[model] += 1
        self.audio_s += record.seconds
        self.windows.update(record.counts)
        for letter, reason in record.reasons.items():
            self.reasons.setdefault(letter, reason)
        self.notes += [(record.path, note) for note in record.notes]
        if record.out_of_time:
            self.unreached.append(record.path)

    @property
    def complete(self) -> bool:
        """Whether every recording was scored to its end."""
        return not self.failures and not self.unreached

    def text(self, out: Path) -> str:
        """Write it for a person."""
        lines = [f"{out}: {self.rows} rows"]
        if self.matched is not None:
            lines += self._matched_lines(self.matched)
        total = sum(self.scored.values())
        speed = (self.audio_s - self.resumed_audio_s) / 60.0 / max(self.elapsed_s, 1e-6)
        again = f", {self.resumed} of them by the run that was resumed" if self.resumed else ""
        lines.append(
            f"files: {total} of {self.files} scored{again}; {self.audio_s / 60.0:.1f} min of audio "
            f"in {clock(self.elapsed_s)} ({speed:.1f} audio-min/s)"
        )
        if self.budget_s is not None:
            lines[-1] += f", budget {clock(self.budget_s)}"
        if len(self.scored) > 1:
            parts = [f"{count} by {model}" for model, count in self.scored.items()]
            lines.append(f"models: {', '.join(parts)}")
        lines.append(f"windows: {self._windows_text()}")
        lines += self.remarks
        lines += _list("given longer names, their stems not being unique", self.renamed)
        lines += _list("scored, but", self.notes)
        lines += _list("not scored", self.failures)
        if self.unreached:
            lines += _list(
                "the time budget did not suffice for", [(path, "") for path in self.unreached]
            )
        return "\n".join(lines)

    def to_json(self, out: Path) -> dict[str, Any]:
        """Return all of it as plain values."""
        matched = self.matched
        return {
            "out": str(out),
            "rows": self.rows,
            "files": self.files,
            "resumed": self.resumed,
            "scored": dict(self.scored),
            "audio_s": self.audio_s,
            "elapsed_s": self.elapsed_s,
            "budget_s": self.budget_s,
            "windows": {state: self.windows[letter] for letter, state in _STATES.items()},
            "notes": [{"path": path, "note": note} for path, note in self.notes],
            "failures": [{"path": path, "reason": reason} for path, reason in self.failures],
            "unreached": self.unreached,
            "renamed": [{"path": path, "stem": stem} for path, stem in self.renamed],
            "remarks": self.remarks,
            "template": None
            if matched is None
            else {
                "rows": matched.rows,
                "repeated": matched.repeated,
                "filled": matched.filled,
                "unasked": matched.unasked,
                "missing_classes": list(matched.missing_classes),
            },
        }

    def write_json(self, path: Path, out: Path) -> None:
        """Write all of it as JSON."""
        path.write_text(json.dumps(self.to_json(out), indent=1) + "\n", encoding="utf-8")

    def _windows_text(self) -> str:
        parts = []
        for letter, state in _STATES.items():
            count = self.windows[letter]
            if count or letter == "P":
                why = f" ({self.reasons[letter]})" if letter in self.reasons else ""
                parts.append(f"{count} {state}{why}")
        return ", ".join(parts)

    def _matched_lines(self, matched: Matched) -> list[str]:
        lines = [f"template: {matched.rows} rows"]
        if matched.filled:
            lines[0] += f", {matched.filled} without a prediction hold their columns' means"
        if matched.unasked:
            lines[0] += f", {matched.unasked} predicted rows are not in it"
        if matched.repeated:
            lines.append(f"template: {matched.repeated} rows are there more than once")
        missing = matched.missing_classes
        if missing:
            names = ", ".join(missing[:_MOST_NAMES]) + (
                ", ..." if len(missing) > _MOST_NAMES else ""
            )
            lines.append(f"template: {len(missing)} classes unknown to the model hold 0: {names}")
        return lines


def _list(title: str, items: list[tuple[str, str]]) -> list[str]:
    """List the first few of what may be many; control characters are escaped."""
    if not items:
        return []
    lines = [f"{title}: {len(items)}"]
    for path, words in items[:_MOST_LISTED]:
        name = path if path.isprintable() else repr(path)[1:-1]
        lines.append(f"  {name}: {words}" if words else f"  {name}")
    if len(items) > _MOST_LISTED:
        lines.append(f"  ... and {len(items) - _MOST_LISTED} more")
    return lines


_MOST_LISTED = 20
_MOST_NAMES = 8

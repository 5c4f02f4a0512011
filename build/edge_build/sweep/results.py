"""What a sweep leaves: its table, the best recipe, and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from edge.table.text import Cell, csv_line
from edge.table.whole import write_lines
from edge_build.card_commands import last_name
from edge_build.sweep.pictures import draw_sweep
from edge_build.sweep.search import Outcome, best_of
from edge_build.sweep.spec import Setting, Sweep

COLUMNS = (
    "explained variance",
    "macro F1",
    "micro F1",
    "accuracy",
    "macro ROC-AUC",
    "model MB",
    "notes",
)
CSV_NAME, BEST_NAME, PICTURE_NAME = "sweep.csv", "best.yaml", "sweep.png"


@dataclass(frozen=True, slots=True)
class Findings:
    """A sweep and the outcome of each of its settings."""

    sweep: Sweep
    outcomes: tuple[Outcome, ...]
    task: str
    """What was learnt and tested on, in a few words."""

    @property
    def best(self) -> Setting:
        """The setting of the highest macro F1, the first of equal ones.

        Raises:
            InputError: None could be learnt.
        """
        return self.sweep.settings[best_of(self.outcomes)]

    @property
    def csv(self) -> str:
        """The table, a row each setting in order of their values; no times, which differ."""
        lines = [csv_line([*self.sweep.keys, *COLUMNS])]
        lines += [csv_line(row) for row in self._rows()]
        return "".join(lines)

    @property
    def markdown(self) -> str:
        """The table as Markdown."""
        rows: list[Sequence[Cell]] = [[*self.sweep.keys, *COLUMNS]]
        rows += [["---"] * len(rows[0]), *self._rows()]
        return "".join("| " + " | ".join(map(str, row)) + " |\n" for row in rows)

    def write(self, out: Path) -> None:
        """Write table, recipe and picture into a folder.

        Raises:
            EdgeError: One cannot be written, or no setting could be learnt.
            OSError: The picture cannot be written.
        """
        write_lines(out / CSV_NAME, [self.csv])
        write_lines(out / BEST_NAME, [self._best_recipe()])
        draw_sweep(self.sweep, self.outcomes, out / PICTURE_NAME)

    def _rows(self) -> list[list[Cell]]:
        return [
            [*map(_cell, setting.values), *_cells(outcome)]
            for setting, outcome in zip(self.sweep.settings, self.outcomes, strict=True)
        ]

    def _best_recipe(self) -> str:
        outcome = self.outcomes[best_of(self.outcomes)]
        assert outcome.scores is not None
        values = ", ".join(
            f"{key}: {_plain(value)}"
            for key, value in zip(self.sweep.keys, self.best.values, strict=True)
        )
        scored = sum(outcome.scores is not None for outcome in self.outcomes)
        note = [
            f"{last_name(self.sweep.recipe_path)} with {values}.",
            f"The highest macro F1, {outcome.scores.macro_f1:.4f}, of {scored} settings on "
            f"{self.task}:",
            "chosen with the tested clips in view, so some of its lead is luck.",
        ]
        return "".join(f"# {line}\n" for line in note) + self.best.text


def _cell(value: object) -> Cell:
    # Numbers as such: as text, a negative one would be guarded like a spreadsheet's formula.
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if number else _plain(value)  # type: ignore[return-value]


def _cells(outcome: Outcome) -> list[str]:
    scores = outcome.scores
    share = outcome.explained_variance
    figures = ["", "", "", "", ""]
    if scores is not None:
        found = (scores.macro_f1, scores.micro_f1, scores.accuracy, scores.roc_auc)
        figures = [*(f"{figure:.4f}" for figure in found), f"{outcome.megabytes:.3f}"]
    return ["" if share is None else f"{share:.4f}", *figures, "; ".join(outcome.notes)]


def _plain(value: object) -> str:
    """Write a value as a recipe would have it, on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**9)
    return str(text).removesuffix("\n").removesuffix("\n...")

"""A comparison from its arguments to its table, in Markdown and CSV."""

import csv
import io
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from edge.errors import InputError
from edge_build.cache import Cache
from edge_build.card import add_scores
from edge_build.card_commands import PATHS_REMARK, evaluate_command, last_name
from edge_build.charts import (
    class_report,
    confusion_of,
    draw_classes,
    draw_comparison,
    draw_confusion,
)
from edge_build.embeddings import check_model
from edge_build.evaluate import Result, Trial, evaluate_recipe
from edge_build.folder import CARD_NAME
from edge_build.folds import HOLD_OUT, NEVER_TESTED
from edge_build.frozen.evaluate import (
    PAPERS_HEAD,
    Embedded,
    embed_trial,
    evaluate_frozen,
)
from edge_build.recipe import Recipe, is_recipe, read_recipe, refuse_student
from edge_build.task import find_trial

COLUMNS = (
    "system",
    "macro F1",
    "micro F1",
    "accuracy",
    "macro ROC-AUC",
    "s per audio-minute",
    "model MB",
)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A comparison, as it is shown."""

    markdown: str
    csv: str
    title: str
    """Its heading in a model card."""
    card: str
    """What a model card says of it."""
    results: tuple[Result, ...]

    def write_report(self, folder: Path) -> None:
        """Write tables and pictures into a folder, which is made.

        Raises:
            OSError: It cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "table.md").write_text(self.markdown, "utf-8")
        (folder / "table.csv").write_text(self.csv, "utf-8")
        draw_comparison(self.results, folder / "table.png")
        for result in self.results:
            name = re.sub(r"[^A-Za-z0-9._-]+", "-", result.system)
            draw_confusion(result, folder / f"{name}.confusion.png")
            draw_classes(result, folder / f"{name}.classes.png")
            (folder / f"{name}.classes.csv").write_text(class_table(result), "utf-8")

    def add_to(self, folder: Path) -> None:
        """Write it into a model folder's card.

        Raises:
            OSError: It cannot be written.
        """
        add_scores(folder / CARD_NAME, self.title, self.card)


def run_evaluation(
    systems: Sequence[str],
    *,
    data: Path,
    unlabelled: Sequence[Path],
    folds: str,
    fold_pattern: str,
    recording: str | None,
    models_dir: Path | None,
    model_files: Sequence[Path] = (),
    card: Path | None,
    cache: Cache,
) -> Evaluation:
    """Compare recipes and models.

    Args:
        systems: Paths of recipes (`.yaml`), names or folders of models.
        data: Folder of labelled folders.
        unlabelled: Audio for what recipes learn without labels.
        folds: A rule of `folds_of`.
        fold_pattern: Finds the fold in a file's name.
        recording: Finds the recording there; by default as the first recipe says.
        models_dir: Folder of model folders that is looked through before the shipped ones.
        model_files: Folders with files of `external` models.
        card: Model folder whose card will get the table.
        cache: Where results are kept.

    Raises:
        EdgeError: Bad arguments, a recording on both sides of a fold, a model that cannot run.
    """
    from edge.load import find_model  # noqa: PLC0415 (the backends are slow to load)

    places = [
        Path(name) if is_recipe(name) else find_model(name, models_dir=models_dir)
        for name in systems
    ]
    known = [read_recipe(path) if is_recipe(path.name) else None for path in places]
    bases: list[Path | None] = []
    for path, recipe in zip(places, known, strict=True):
        if recipe is None:
            bases.append(path)
            continue
        refuse_student(path, recipe, command="evaluate")
        named = recipe.base
        bases.append(None if named is None else find_model(named, models_dir=models_dir))
    if card is not None and not (card / CARD_NAME).is_file():
        raise InputError(f"{card}: holds no {CARD_NAME}", remedy="name a folder that train made")
    for base in dict.fromkeys(bases):
        if base is not None:
            check_model(base, model_files=model_files)
    recipes = [recipe for recipe in known if recipe is not None]
    trial, notes = find_trial(
        recipes,
        data=data,
        unlabelled=unlabelled,
        folds=folds,
        fold_pattern=fold_pattern,
        recording=recording,
        cache=cache,
    )
    seed = recipes[0].seed if recipes else 1
    results: list[Result] = []
    embedded: dict[Path, Embedded] = {}
    for place, recipe, base in zip(places, known, bases, strict=True):
        if base is None:
            results += evaluate_recipe(place, trial, cache)
            continue
        if base not in embedded:
            embedded[base] = embed_trial(base, trial, model_files=model_files)
        results.append(_on_base(embedded[base], trial, recipe, seed=seed))
    for note in notes:
        tqdm.write(f"edge-build: note: {note}", file=sys.stderr)
    command = evaluate_command(
        places,
        models=[base for base in bases if base is not None],
        data=data,
        unlabelled=unlabelled,
        folds=folds,
        fold_pattern=fold_pattern,
        recording=recording,
        models_dir=models_dir,
        model_files=model_files,
        card=card,
    )
    tested = sum(fold != NEVER_TESTED for fold in trial.folds)
    count = len(set(trial.folds) - {NEVER_TESTED})
    return Evaluation(
        markdown_table(results),
        csv_table(results),
        f"{last_name(data)}, {folds if folds == HOLD_OUT else f'{count} folds'}",
        f"{tested} clips. Codebook, vectors and head were learnt again without each "
        "fold that they were tested on; the figures are of all clips together, one answer "
        f"each.\n\n{markdown_table(results, timed=False)}\n"
        + "".join(f"- {note}\n" for note in notes)
        + f"\n{command}\n\n{PATHS_REMARK}",
        tuple(results),
    )


def _on_base(embedded: Embedded, trial: Trial, recipe: Recipe | None, *, seed: int) -> Result:
    """Train the recipe's head on a model's embeddings; the paper's, with `seed`, without one."""
    if recipe is None:
        name = f"{embedded.name} + head"
        return evaluate_frozen(embedded, trial, system=name, spec=PAPERS_HEAD, seed=seed)
    return evaluate_frozen(embedded, trial, system=recipe.name, spec=recipe.head, seed=recipe.seed)


def markdown_table(results: Sequence[Result], *, timed: bool = True) -> str:
    """Write results as a Markdown table.

    Args:
        results: One a row.
        timed: Whether to show the time, which is another on every machine.
    """
    shown = [i for i, name in enumerate(COLUMNS) if timed or name != "s per audio-minute"]
    rows = [COLUMNS, ["---", *["---:"] * (len(COLUMNS) - 1)], *(map(_cells, results))]
    return "".join("| " + " | ".join(row[i] for i in shown) + " |\n" for row in rows)


def csv_table(results: Sequence[Result]) -> str:
    """Write results as CSV with a header row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(_cells, results))
    return text.getvalue()


def class_table(result: Result) -> str:
    """Write precision, recall, F1 and number of each class as CSV with a header row."""
    confusion = confusion_of(result)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["label", "precision", "recall", "F1", "clips"])
    rows = zip(result.labels, class_report(confusion), confusion.sum(axis=1), strict=True)
    for label, figures, number in rows:
        writer.writerow([label, *(f"{figure:.3f}" for figure in figures), number])
    return text.getvalue()


def _cells(result: Result) -> list[str]:
    scores = result.scores
    figures = (scores.macro_f1, scores.micro_f1, scores.accuracy, scores.roc_auc)
    return [
        result.system,
        *(f"{figure:.3f}" for figure in figures),
        f"{result.seconds_per_minute:.3f}",
        f"{result.megabytes:.3f}",
    ]

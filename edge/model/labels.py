"""A model's labels, read from the file that came with it."""

import csv
from collections import Counter
from pathlib import Path

from edge.model.manifest import LabelFormat


def read_labels(path: Path, *, form: LabelFormat, column: str | None = None) -> tuple[str, ...]:
    """Read labels in the order of the model's scores.

    Args:
        path: The file, UTF-8 text.
        form: How it is written.
        column: The column of a `csv` file that holds the labels.

    Raises:
        ValueError: What is wrong with the file.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as reason:
        raise ValueError(f"{path.name} is not UTF-8 text: {reason}") from None
    if form is LabelFormat.CSV:
        labels = _read_column(text, path.name, column)
    else:
        labels = [line.strip() for line in text.splitlines() if line.strip()]
    if form is LabelFormat.SCIENTIFIC_COMMON:
        for label in labels:
            if "_" not in label:
                raise ValueError(f"{path.name}: {label!r} is not `scientific name_common name`")
    if not labels:
        raise ValueError(f"{path.name} holds no labels")
    repeated = [label for label, count in Counter(labels).items() if count > 1]
    if repeated:
        raise ValueError(f"{path.name} gives {len(repeated)} labels twice, such as {repeated[0]!r}")
    return tuple(labels)


def _read_column(text: str, name: str, column: str | None) -> list[str]:
    table = csv.DictReader(text.splitlines(keepends=True), strict=True)
    try:
        headings = list(table.fieldnames or [])
        if column not in headings:
            raise ValueError(
                f"{name} has no column {column!r}, only {', '.join(headings) or 'none'}"
            )
        labels = [row[column] for row in table]
    except csv.Error as reason:
        raise ValueError(f"{name}, line {table.line_num} is not CSV: {reason}") from None
    if not all(labels):
        raise ValueError(f"{name} has rows without a {column}")
    return labels

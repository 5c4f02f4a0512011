"""What the training of a student made, as its card tells it."""

from dataclasses import dataclass
from pathlib import Path

from edge.model.manifest import Manifest
from edge_build.learn import Tokens
from edge_build.recipe import Recipe
from edge_build.recipe_parts import StudentRecipe
from edge_build.student.agreement import Agreement
from edge_build.student.fit import Student
from edge_build.student.split import Split


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """A student, and how it came about."""

    folder: Path
    recipe: Recipe
    spec: StudentRecipe
    teacher: Manifest
    teacher_labels: int
    tokens: Tokens
    student: Student
    split: Split
    windows: tuple[int, int, int]
    """Learnt from, for when to stop, and held out."""
    agreement: Agreement
    """With the teacher, on the held-out recordings."""
    constant: Agreement
    """That of the teacher's mean over the windows that were learnt from, whatever is heard."""
    notes: tuple[str, ...]
    """What was left out or made smaller, a line each."""

"""What a training made, as its card tells it."""

from dataclasses import dataclass
from pathlib import Path

from edge.model.manifest import Manifest
from edge_build.custom.examples import Examples
from edge_build.custom.fit import Fitted
from edge_build.custom.judge import Judgement
from edge_build.custom.marked import Tally
from edge_build.dataset import Clip


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A custom model, and how it came about."""

    folder: Path
    asked: str
    """The base as the command names it."""
    base: Manifest
    clips: tuple[Clip, ...]
    examples: Examples
    fitted: Fitted
    judgement: Judgement
    precision: float
    notes: tuple[str, ...]
    """What was left out, and where there is too little, a line each."""
    tensors: tuple[str, ...] = ()
    """Of the base, where the command names them."""
    tally: Tally | None = None
    """What label files came to, where labels have times."""

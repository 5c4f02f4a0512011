"""From a list in YAML to the post-processors it names.

- smooth: {kernel: [0.1, 0.8, 0.1]}
- threshold: {default: 0.5, labels: {Pica pica: 0.3}}
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from edge import strict_yaml
from edge.contracts import PostProcessor
from edge.errors import ConfigError
from edge.post.smooth import Smooth
from edge.post.threshold import Threshold
from edge.strict_yaml import Choice, Record, RefusedError

Probability = Annotated[float, Meta(ge=0, le=1)]


class SmoothSpec(Record, frozen=True):
    """Weighted mean over neighbouring windows."""

    kernel: Annotated[
        list[Annotated[float, Meta(ge=0, le=1000)]],
        Meta(min_length=1, max_length=121, examples=[[0.1, 0.8, 0.1]]),
    ]
    """Weights, an odd number of them; brought to a sum of 1."""

    def __post_init__(self) -> None:
        """Let the processor itself say whether the kernel is one, while the line is known."""
        try:
            Smooth(self.kernel)
        except ValueError as reason:
            remedy = "give an odd number of weights, the middle one for the window itself"
            raise RefusedError(str(reason), remedy=f"{remedy}: [0.1, 0.8, 0.1]") from None


class ThresholdSpec(Record, frozen=True):
    """Scores below a threshold become 0."""

    default: Annotated[Probability, Meta(examples=[0.5])]
    labels: Mapping[str, Probability] = {}
    """Thresholds of single labels, in place of the default."""


class PostSpec(Choice, frozen=True):
    """One post-processor: exactly one of the keys."""

    WHAT = "post-processor"
    KINDS = ("smooth", "threshold")

    smooth: SmoothSpec | None = None
    threshold: ThresholdSpec | None = None

    @staticmethod
    def threshold_of(level: float, labels: Mapping[str, float] | None = None) -> "PostSpec":
        """One threshold for every label but those that have their own."""
        return PostSpec(threshold=ThresholdSpec(default=level, labels=labels or {}))


def read_post(path: Path) -> list[PostSpec]:
    """Read a list of post-processors from a YAML file.

    Raises:
        ConfigError: Naming the file, line and key.
    """
    try:
        return strict_yaml.read(path, list[PostSpec])
    except ConfigError as error:
        place = error.what.removeprefix(f"{path}:")
        if not place[:1].isdigit():  # the file, not what it says
            raise
        raise ConfigError(error.what, remedy=_GRAMMAR) from None


def build_post(specs: Sequence[PostSpec], labels: Sequence[str]) -> list[PostProcessor]:
    """Make the post-processors for a model's labels, in order."""
    post: list[PostProcessor] = []
    for spec in specs:
        if spec.smooth is not None:
            post.append(Smooth(spec.smooth.kernel))
        elif spec.threshold is not None:
            post.append(
                Threshold(labels, default=spec.threshold.default, by_label=spec.threshold.labels)
            )
    return post


def unknown_labels(specs: Sequence[PostSpec], labels: Sequence[str]) -> list[str]:
    """List the labels with a threshold that a model does not have."""
    known = set(labels)
    named = [name for spec in specs if spec.threshold for name in spec.threshold.labels]
    return [name for name in named if name not in known]


_GRAMMAR = (
    "write a list, each item with one key: `- smooth: {kernel: [0.1, 0.8, 0.1]}` (an odd number of "
    "weights) or `- threshold: {default: 0.5, labels: {Pica pica: 0.3}}` (from 0 to 1; labels may "
    "be left out)"
)

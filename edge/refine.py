"""From a list in YAML to the post-processors it names.

- smooth: {kernel: [0.1, 0.8, 0.1]}
- threshold: {default: 0.5, labels: {Pica pica: 0.3}}
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from edge import strict_yaml
from edge.contracts import PostProcessor
from edge.errors import ConfigError
from edge.post.smooth import Smooth
from edge.post.threshold import Threshold

Probability = Annotated[float, Meta(ge=0, le=1)]


class SmoothSpec(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Weighted mean over neighbouring windows."""

    kernel: Annotated[list[Annotated[float, Meta(ge=0)]], Meta(min_length=1)]


class ThresholdSpec(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Scores below a threshold become 0."""

    default: Probability
    labels: Mapping[str, Probability] = {}


class PostSpec(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One post-processor: exactly one of the keys."""

    smooth: SmoothSpec | None = None
    threshold: ThresholdSpec | None = None


def read_post(path: Path) -> list[PostSpec]:
    """Read a list of post-processors from a YAML file.

    Raises:
        ConfigError: Naming the file, line and key.
    """
    specs = strict_yaml.read(path, list[PostSpec])
    for number, spec in enumerate(specs):
        if (spec.smooth is None) == (spec.threshold is None):
            raise ConfigError(
                f"{path}: [{number}]: holds {'no' if spec.smooth is None else 'more than one'} "
                "post-processor",
                remedy="write one a list item: smooth or threshold",
            )
    return specs


def build_post(specs: Sequence[PostSpec], labels: Sequence[str]) -> list[PostProcessor]:
    """Make the post-processors for a model's labels, in order.

    Raises:
        ConfigError: A kernel without a middle.
    """
    post: list[PostProcessor] = []
    for spec in specs:
        try:
            if spec.smooth is not None:
                post.append(Smooth(spec.smooth.kernel))
            elif spec.threshold is not None:
                post.append(
                    Threshold(
                        labels, default=spec.threshold.default, by_label=spec.threshold.labels
                    )
                )
        except ValueError as reason:
            raise ConfigError(
                f"post: {reason}", remedy="mend the list of post-processors"
            ) from None
    return post


def unknown_labels(specs: Sequence[PostSpec], labels: Sequence[str]) -> list[str]:
    """List the labels with a threshold that a model does not have."""
    known = set(labels)
    named = [name for spec in specs if spec.threshold for name in spec.threshold.labels]
    return [name for name in named if name not in known]

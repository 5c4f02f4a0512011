"""A model of fixed clips, whatever runtime its graph runs in."""

from collections.abc import Sequence
from itertools import combinations
from typing import Protocol

import numpy as np

from edge.contracts import FloatArray, ModelInfo, WindowKind
from edge.model.folder import ModelFolder
from edge.model.front_end import FrontEnd
from edge.model.head import OnnxHead, read_head
from edge.windows.activation import activate
from edge.windows.clips import Aggregate, ClipGrid, ClipScores, ClipStream

_INT16 = np.float32(32768.0)


class ClipGraph(Protocol):
    """A model file that its runtime has opened.

    One clip at a time: `run` is not re-entrant, so the streams of a model take turns in one
    thread.
    """

    @property
    def scores_size(self) -> int | None:
        """Width of the raw scores; None where the manifest names none."""
        ...

    @property
    def embedding_sizes(self) -> tuple[int, ...]:
        """Widths of the tensors that make the embedding; empty where the manifest names none."""
        ...

    def run(
        self, clip: FloatArray, *, scores: bool, embedding: bool
    ) -> tuple[FloatArray | None, FloatArray | None]:
        """Run one clip.

        Args:
            clip: What `ClipInput` makes of one.
            scores: Whether the raw scores are wanted.
            embedding: Whether the embedding is wanted.

        Returns:
            Raw scores [shape=(scores_size,)] and embedding [shape=(sum of sizes,)], the
            caller's to keep; None for what was not wanted.
        """
        ...

    def close(self) -> None:
        """Free the graph."""
        ...


class ClipInput:
    """What a clip becomes on its way into a graph: scaled, and by the front end if there is one.

    Its buffers are used again by the next clip, so it belongs to one thread.

    Args:
        folder: The verified folder.
    """

    def __init__(self, folder: ModelFolder) -> None:
        given = folder.manifest.input
        self.samples = given.clip_samples
        self.shape: tuple[int, ...] = (self.samples,)
        self._scale = _INT16 if given.scale == "int16" else None
        self._front_end = None
        if given.front_end is not None:
            self._front_end = FrontEnd(
                given.front_end, sample_rate_hz=given.sample_rate, samples=self.samples
            )
            self.shape = self._front_end.shape

    def __call__(self, clip: FloatArray) -> FloatArray:
        """Return what the graph takes [shape=self.shape] of samples within ±1 [shape=(samples,)].

        It holds as many values as the graph's input, whose axes of 1 are left out.
        """
        if self._scale is not None:
            clip = clip * self._scale
        return clip if self._front_end is None else self._front_end(clip)


def check_inputs(folder: ModelFolder, names: Sequence[str]) -> None:
    """Make sure that a graph has one input, and that it is the one the manifest names.

    Raises:
        ModelError: It is not.
    """
    model = folder.file("model").name
    if len(names) != 1:
        raise folder.error(
            "files.model",
            f"{model} wants {len(names)} inputs, and edge has sound alone",
            remedy="use a model that takes samples and nothing else",
        )
    wanted = folder.manifest.input.tensor
    if wanted not in (None, names[0]):
        raise folder.error(
            "input.tensor",
            f"{wanted!r} is not an input of {model}",
            remedy=f"write {names[0]}, or leave the key out",
        )


def fit_input(folder: ModelFolder, name: str, axes: Sequence[int | None]) -> tuple[int, ...]:
    """Return the shape of a graph's input, filled where the graph leaves it open.

    Args:
        folder: The verified folder.
        name: The input's.
        axes: Its axes, as the graph has them; None for one that is open.

    Raises:
        ModelError: It does not take what `ClipInput` makes.
    """
    given = folder.manifest.input
    if given.front_end is None:
        *others, last = axes or (0,)
        if not axes or any(axis not in (1, None) for axis in others):
            raise folder.error(
                "files.model",
                f"input {name!r} is {_shape(axes)}, no waveform [n] or [1, n]",
                remedy="use a model that takes samples, or describe what it takes under "
                "input.front_end",
            )
        if last not in (given.clip_samples, None):
            raise folder.error(
                "input.clip_seconds",
                f"makes clips of {given.clip_samples} samples, but the model takes {last}",
                remedy=f"write {last / given.sample_rate:g}, if the model was made for "
                f"{given.sample_rate} Hz",
            )
        return (*(1 for _ in others), given.clip_samples)
    made = ClipInput(folder).shape
    # The last axes first: open ones before them count clips.
    for places in reversed([*combinations(range(len(axes)), len(made))]):
        filled = [1] * len(axes)
        for place, size in zip(places, made, strict=True):
            filled[place] = size
        if all(axis in (size, None) for axis, size in zip(axes, filled, strict=True)):
            return tuple(filled)
    raise folder.error(
        "input.front_end",
        f"makes {_shape(made)} of a clip, but input {name!r} takes {_shape(axes)}",
        remedy="describe the spectrogram that the model was trained with: its bands, its frames "
        "and their layout",
    )


def _shape(axes: Sequence[int | None]) -> str:
    return f"[{', '.join('any' if axis is None else str(axis) for axis in axes)}]"


class ClipModel:
    """A loaded model of fixed clips; a `Model`.

    All its streams run the one graph, so they belong to one thread.

    Args:
        folder: The verified folder.
        graph: Its model file, opened.

    Raises:
        ModelError: Labels, head and graph do not fit one another, or the clips leave holes.
    """

    def __init__(self, folder: ModelFolder, graph: ClipGraph) -> None:
        self._folder = folder
        self._graph = graph
        self._input = ClipInput(folder)
        self._grid = _grid(folder)
        self._head = _head(folder, graph)
        manifest = folder.manifest
        self.info = ModelInfo(
            name=manifest.name,
            version=manifest.version,
            labels=folder.labels,
            sample_rate_hz=manifest.input.sample_rate,
            clip_seconds=manifest.input.clip_seconds,
            step_seconds=manifest.input.step_seconds,
            embedding_size=sum(graph.embedding_sizes) or None,
        )
        self.embedding_sizes = graph.embedding_sizes

    def open(
        self, *, windows: WindowKind = WindowKind.FRAME, keep_embeddings: bool = False
    ) -> ClipStream:
        """Begin a stream.

        Raises:
            ModelError: Embeddings are wanted of a model whose manifest names none.
        """
        if keep_embeddings and not self.embedding_sizes:
            raise self._folder.error(
                "output.embedding", "is not named", remedy="name the tensor that holds it"
            )
        with_embedding = keep_embeddings or self._head is not None

        def score(clip: FloatArray) -> ClipScores:
            return self._score(clip, with_embedding=with_embedding)

        return ClipStream(
            model=self.info.id,
            grid=self._grid,
            score=score,
            aggregate=self._folder.manifest.aggregate,
            head=self._head,
            windows=windows,
            keep_embeddings=keep_embeddings,
        )

    def close(self) -> None:
        """Free the graph."""
        self._graph.close()

    def _score(self, clip: FloatArray, *, with_embedding: bool) -> ClipScores:
        raw, embedding = self._graph.run(
            self._input(clip), scores=self._head is None, embedding=with_embedding
        )
        if raw is None:
            return ClipScores(None, embedding)
        try:
            return ClipScores(activate(raw, self._folder.manifest.output.activation), embedding)
        except ValueError as reason:
            raise self._folder.error(
                "output.activation", str(reason), remedy="name sigmoid or softmax"
            ) from None


def _grid(folder: ModelFolder) -> ClipGrid:
    given = folder.manifest.input
    try:
        return ClipGrid(
            clip=given.clip_samples,
            step=round(given.step_seconds * given.sample_rate),
            sample_rate_hz=given.sample_rate,
        )
    except ValueError as reason:
        raise folder.error(
            "input.step_seconds", str(reason), remedy="choose a step of at most the clip and 5 s"
        ) from None


def _head(folder: ModelFolder, graph: ClipGraph) -> OnnxHead | None:
    """Check widths; return the head where the model's scores come from one."""
    labels = len(folder.labels)
    if folder.manifest.aggregate is not Aggregate.MEAN_EMBEDDING:
        if graph.scores_size is None:
            raise folder.error(
                "output.scores", "is missing", remedy="name the output that holds the scores"
            )
        if graph.scores_size != labels:
            raise folder.error(
                "files.labels",
                f"has {labels} labels, but output.scores is {graph.scores_size} wide",
                remedy="use the labels that belong to the model",
            )
        return None
    if not graph.embedding_sizes:
        raise folder.error(
            "output.embedding",
            "is missing, but aggregate is mean_embedding",
            remedy="name the tensor that holds the embedding",
        )
    head = read_head(folder)
    for key, said, found in (
        ("output.embedding", sum(graph.embedding_sizes), head.input_size),
        ("files.labels", labels, head.output_size),
    ):
        if said != found:
            raise folder.error(
                key,
                f"is {said} wide, but the head has {found}",
                remedy="use files of one training run",
            )
    return head

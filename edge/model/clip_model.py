"""A model of fixed clips, whatever runtime its graph runs in."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from edge.contracts import FloatArray, ModelInfo, WindowKind
from edge.model.folder import ModelFolder
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
    def embedding_size(self) -> int | None:
        """Width of the embedding; None where the manifest names none."""
        ...

    def run(
        self, clip: FloatArray, *, scores: bool, embedding: bool
    ) -> tuple[FloatArray | None, FloatArray | None]:
        """Run one clip.

        Args:
            clip: [shape=(clip_samples,)], scaled as the model wants it.
            scores: Whether the raw scores are wanted.
            embedding: Whether the embedding is wanted.

        Returns:
            Raw scores [shape=(scores_size,)] and embedding [shape=(embedding_size,)], the
            caller's to keep; None for what was not wanted.
        """
        ...

    def close(self) -> None:
        """Free the graph."""
        ...


def clip_samples(folder: ModelFolder) -> int:
    """Length of a clip, in samples at the model's rate."""
    given = folder.manifest.input
    return round(given.clip_seconds * given.sample_rate)


def scale_clip(folder: ModelFolder, clip: FloatArray) -> FloatArray:
    """Return samples within ±1 as the model wants them scaled."""
    return clip * _INT16 if folder.manifest.input.scale == "int16" else clip


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


def check_width(folder: ModelFolder, width: int) -> None:
    """Make sure that a graph's input takes a clip.

    Raises:
        ModelError: It takes another number of samples.
    """
    clip, rate_hz = clip_samples(folder), folder.manifest.input.sample_rate
    if width != clip:
        raise folder.error(
            "input.clip_seconds",
            f"makes clips of {clip} samples, but the model takes {width}",
            remedy=f"write {width / rate_hz:g}, if the model was made for {rate_hz} Hz",
        )


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
            embedding_size=graph.embedding_size,
        )

    def open(
        self, *, windows: WindowKind = WindowKind.FRAME, keep_embeddings: bool = False
    ) -> ClipStream:
        """Begin a stream.

        Raises:
            ModelError: Embeddings are wanted of a model whose manifest names none.
        """
        if keep_embeddings and self._graph.embedding_size is None:
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
        clip = scale_clip(self._folder, clip)
        raw, embedding = self._graph.run(clip, scores=self._head is None, embedding=with_embedding)
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
            clip=clip_samples(folder),
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
    if graph.embedding_size is None:
        raise folder.error(
            "output.embedding",
            "is missing, but aggregate is mean_embedding",
            remedy="name the tensor that holds the embedding",
        )
    head = read_head(folder)
    for key, said, found in (
        ("output.embedding", graph.embedding_size, head.input_size),
        ("files.labels", labels, head.output_size),
    ):
        if said != found:
            raise folder.error(
                key,
                f"is {said} wide, but the head has {found}",
                remedy="use files of one training run",
            )
    return head

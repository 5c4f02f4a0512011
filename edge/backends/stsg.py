"""Runs Spectrogram Token Skip-Gram models."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from edge.contracts import (
    FRAME_SECONDS,
    MIN_TAIL_SECONDS,
    AudioBlock,
    FloatArray,
    ModelInfo,
    Outcome,
    Prediction,
    Unscored,
    Window,
    WindowKind,
    WindowState,
)
from edge.dsp.ring import FrameRing
from edge.model.codebook_file import read_codebook
from edge.model.folder import ModelFolder
from edge.model.head import OnnxHead, read_head
from edge.model.manifest import HeadTakes, StsgSpec
from edge.model.row_table import RowTable
from edge.stsg.codebook import Codebook
from edge.stsg.features import FeatureExtractor
from edge.stsg.pooling import Part, Rows
from edge.stsg.product import ProductCodebook
from edge.stsg.spec import FeatureSpec
from edge.stsg.tokenizer import Search, Tokenizer, framer_of
from edge.stsg.vectors import WindowVector
from edge.windows.tail import count_frames, skipped_tail_reason


def load(folder: ModelFolder) -> "StsgModel":
    """Load `head`, and `codebook` and `vectors` where they are used, of a verified folder.

    Raises:
        ModelError: The stages do not fit one another or the manifest.
    """
    spec = folder.manifest.stsg
    assert spec is not None, "the manifest has seen to it"
    try:
        extractor = FeatureExtractor(
            FeatureSpec(
                sample_rate_hz=folder.manifest.input.sample_rate,
                **{name: getattr(spec.features, name) for name in spec.features.__struct_fields__},
            )
        )
    except ValueError as reason:
        raise folder.error("stsg.features", str(reason), remedy="mend the features") from None
    samples_of_window = round(FRAME_SECONDS * folder.manifest.input.sample_rate)
    if samples_of_window % spec.features.hop:
        raise folder.error(
            "stsg.features.hop", "does not divide a 5 s window", remedy="choose one that does"
        )
    codebook, approximate = _read_codebook(folder) if spec.dims else (None, None)
    table = _open_vectors(folder) if spec.vector_size else None
    head = read_head(folder)
    stages: list[tuple[str, int, str, int]] = [
        ("files.labels", len(folder.labels), "the head", head.output_size)
    ]
    if codebook is not None:
        stages += [
            ("stsg.features.mel_bands", spec.features.mel_bands, "the codebook", codebook.features),
            ("stsg.dims", spec.dims, "the codebook", codebook.dims),
            ("stsg.tokens", spec.tokens, "the codebook", codebook.tokens),
            ("stsg.books", spec.books, "the codebook", codebook.books),
        ]
    if table is not None:
        stages += [
            ("stsg.tokens", spec.tokens, "the vectors", table.shape[0]),
            ("stsg.vector_size", spec.vector_size, "the vectors", table.shape[1]),
        ]
    window: WindowVector | None = None
    if spec.head_takes is HeadTakes.TOKENS:
        frames = samples_of_window // spec.features.hop
        stages.append(("stsg.features.hop", frames, "the head", head.input_size))
        stages.append(("stsg.books", spec.books, "a head that takes tokens", 1))
        needed = {Rows.TOKENS}
    else:
        window = _window(folder, spec, table)
        widths = {
            Rows.VECTORS: spec.vector_size * spec.books,
            Rows.POINTS: spec.dims,
            Rows.FEATURES: spec.features.mel_bands,
        }
        stages.append(("stsg.pool", window.size(widths), "the head", head.input_size))
        needed = set(window.needs)
    for key, rows, said in (
        ("stsg.dims", Rows.POINTS, spec.dims),
        ("stsg.tokens", Rows.TOKENS, spec.dims and spec.tokens),
    ):
        if rows in needed and not said:
            raise folder.error(key, "is missing", remedy=f"the head needs {rows.value}: state it")
    for key, stated, stage, found in stages:
        if stated != found:
            raise folder.error(
                key, f"is {stated}, but {stage} has {found}", remedy="use files of one training run"
            )
    tokenizer = Tokenizer(extractor, codebook, approximate=approximate)
    return StsgModel(
        folder, tokenizer=tokenizer, needed=needed, window=window, table=table, head=head
    )


def _window(folder: ModelFolder, spec: StsgSpec, table: RowTable | None) -> WindowVector:
    try:
        return WindowVector([Part(part.of, part.by) for part in spec.pool], table)
    except ValueError as reason:
        raise folder.error(
            "stsg.pool", str(reason), remedy="state stsg.vector_size, or pool something else"
        ) from None


class StsgModel:
    """A loaded STSG model; a `Model`.

    Args:
        folder: What it was loaded from.
        tokenizer: Turns frames into rows.
        needed: Which rows of frames its windows are made of.
        window: Makes the head's vector of them; None for a head that takes tokens.
        table: The file of the vectors, where there is one.
        head: Makes scores.
    """

    def __init__(
        self,
        folder: ModelFolder,
        *,
        tokenizer: Tokenizer,
        needed: Collection[Rows],
        window: WindowVector | None,
        table: RowTable | None,
        head: OnnxHead,
    ) -> None:
        self.tokenizer = tokenizer
        self.needed = frozenset(needed)
        self.window = window
        self._table = table
        self.head = head
        self.info = ModelInfo(
            name=folder.manifest.name,
            version=folder.manifest.version,
            labels=folder.labels,
            sample_rate_hz=folder.manifest.input.sample_rate,
            clip_seconds=FRAME_SECONDS,
            step_seconds=FRAME_SECONDS,
            embedding_size=head.embedding_size if window is None else head.input_size,
        )

    def open(
        self, *, windows: WindowKind = WindowKind.FRAME, keep_embeddings: bool = False
    ) -> "StsgStream":
        """Begin a stream; the model's own clips are the 5-second frames."""
        return StsgStream(self, keep_embeddings=keep_embeddings)

    def close(self) -> None:
        """Let go of the vectors' file; the rest goes with the model."""
        if self._table is not None:
            self._table.close()


class StsgStream:
    """One stream of an STSG model; a `Backend`.

    Args:
        model: The loaded model.
        keep_embeddings: Whether predictions carry the vector that the head takes, or the one that
            a head of tokens makes.
    """

    def __init__(self, model: StsgModel, *, keep_embeddings: bool = False) -> None:
        self._model = model
        self._keep_embeddings = keep_embeddings
        self._rate_hz = model.info.sample_rate_hz
        spec = model.tokenizer.extractor.spec
        self._per_window = round(FRAME_SECONDS * self._rate_hz) // spec.hop
        self._framer = framer_of(model.tokenizer.extractor)
        self._rings: dict[Rows, FrameRing[Any]] = {}
        for kind in model.needed:
            self._rings[kind] = FrameRing(
                np.int32 if kind is Rows.TOKENS else np.float32,
                capacity=2 * self._per_window,
                row_shape=model.tokenizer.shape_of(kind),
            )
        self._stream = ""
        self.reset()

    def push(self, block: AudioBlock) -> Sequence[Outcome]:
        """Take samples; return the windows that became complete."""
        self._stream = block.stream
        self._samples += len(block.samples)
        return self._gather(block.samples)

    def finish(self) -> Sequence[Outcome]:
        """Pad and score the tail, or say why it is skipped."""
        count = count_frames(self._samples, sample_rate_hz=self._rate_hz)
        outcomes: list[Outcome] = []
        if count.padding:
            outcomes += self._gather(np.zeros(count.padding, dtype=np.float32))
        if count.skipped:
            reason = skipped_tail_reason(
                count.skipped, sample_rate_hz=self._rate_hz, least_s=MIN_TAIL_SECONDS
            )
            outcomes.append(Unscored(self._window(count.frames), WindowState.SKIPPED, reason))
        return outcomes

    def reset(self) -> None:
        """Forget the segment."""
        self._framer.reset()
        for ring in self._rings.values():
            ring.reset()
        self._samples = 0
        self._frames = 0
        self._windows = 0

    def close(self) -> None:
        """Let go of the buffers."""
        self.reset()

    def _gather(self, samples: FloatArray) -> list[Outcome]:
        frames = self._framer.push(samples)
        outcomes: list[Outcome] = []
        if not len(frames):
            return outcomes
        found = self._model.tokenizer.rows(frames, self._model.needed)
        for first in range(0, len(frames), self._per_window):
            part = slice(first, min(first + self._per_window, len(frames)))
            for kind, ring in self._rings.items():
                ring.push(found[kind][part])
            self._frames += part.stop - part.start
            if self._frames >= (self._windows + 1) * self._per_window:
                outcomes.append(self._predict())
        return outcomes

    def _predict(self) -> Prediction:
        window = self._window(self._windows)
        first = self._windows * self._per_window
        rows = {kind: ring.take(first, self._per_window) for kind, ring in self._rings.items()}
        self._windows += 1
        model = self._model
        made = rows[Rows.TOKENS] if model.window is None else model.window(rows)
        kept: FloatArray | None = None
        if self._keep_embeddings and model.info.embedding_size is not None:
            kept = made if model.window is not None else model.head.embed(made)
        return Prediction(window, model.info.id, model.head(made), kept)

    def _window(self, number: int) -> Window:
        return Window(self._stream, number * FRAME_SECONDS, (number + 1) * FRAME_SECONDS)


def _read_codebook(folder: ModelFolder) -> tuple[Codebook | ProductCodebook, Search | None]:
    """Take the codebook, and its file's own search where the manifest chose that."""
    path = folder.file("codebook")
    try:
        found = read_codebook(path)
    except ValueError as reason:
        raise folder.error(
            "files.codebook",
            f"{path.name} cannot be used: {reason}",
            remedy="build the model again",
        ) from None
    exact = folder.manifest.stsg is not None and folder.manifest.stsg.search == "exact"
    if not exact and found.search is None:
        raise folder.error(
            "stsg.search",
            f"is approximate, but {path.name} holds several codebooks, which have no other "
            "search than the exact one",
            remedy="write `search: exact`",
        )
    if exact and found.search is not None and not found.is_flat:
        raise folder.error(
            "stsg.search",
            f"is exact, but {path.name} holds an approximate {found.index}",
            remedy="store a flat index, or write `search: approximate`",
        )
    return found.codebook, None if exact else found.search


def _open_vectors(folder: ModelFolder) -> RowTable:
    path = folder.file("vectors")
    try:
        return RowTable(path)
    except (ValueError, OSError) as reason:
        raise folder.error(
            "files.vectors",
            f"{path.name} is no float32 table of tokens x size: {reason}",
            remedy="build the model again",
        ) from None

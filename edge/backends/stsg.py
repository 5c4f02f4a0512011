"""Runs Spectrogram Token Skip-Gram models."""

from collections.abc import Sequence

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
from edge.model.folder import ModelFolder
from edge.model.head import OnnxHead, read_head
from edge.model.row_table import RowTable
from edge.stsg.codebook import Codebook, TokenArray
from edge.stsg.features import FeatureExtractor
from edge.stsg.spec import FeatureSpec
from edge.stsg.tokenizer import Search, Tokenizer
from edge.stsg.vectors import TokenVectors
from edge.windows.tail import count_frames, skipped_tail_reason


def load(folder: ModelFolder) -> "StsgModel":
    """Load `codebook`, `vectors` and `head` of a verified folder.

    Raises:
        ModelError: The stages do not fit one another or the manifest.
    """
    spec = folder.manifest.stsg
    if spec is None:
        raise folder.error("stsg", "is missing", remedy="describe the tokens under stsg")
    try:
        extractor = FeatureExtractor(
            FeatureSpec(
                sample_rate_hz=folder.manifest.input.sample_rate,
                **{name: getattr(spec.features, name) for name in spec.features.__struct_fields__},
            )
        )
    except ValueError as reason:
        raise folder.error("stsg.features", str(reason), remedy="mend the features") from None
    codebook, approximate = _read_codebook(folder)
    table = _open_vectors(folder)
    vectors = TokenVectors(table)
    head = read_head(folder)
    stages = [
        ("stsg.features.mel_bands", spec.features.mel_bands, "the codebook", codebook.features),
        ("stsg.dims", spec.dims, "the codebook", codebook.dims),
        ("stsg.tokens", spec.tokens, "the codebook", codebook.tokens),
        ("stsg.tokens", spec.tokens, "the vectors", vectors.tokens),
        ("stsg.vector_size", spec.vector_size, "the vectors", vectors.size),
        ("stsg.vector_size", spec.vector_size, "the head", head.input_size),
        ("files.labels", len(folder.labels), "the head", head.output_size),
    ]
    for key, said, stage, found in stages:
        if said != found:
            raise folder.error(
                key, f"is {said}, but {stage} has {found}", remedy="use files of one training run"
            )
    samples_of_window = round(FRAME_SECONDS * folder.manifest.input.sample_rate)
    if samples_of_window % spec.features.hop:
        raise folder.error(
            "stsg.features.hop", "does not divide a 5 s window", remedy="choose one that does"
        )
    tokenizer = Tokenizer(extractor, codebook, approximate=approximate)
    return StsgModel(folder, tokenizer, table, head)


class StsgModel:
    """A loaded STSG model; a `Model`."""

    def __init__(
        self, folder: ModelFolder, tokenizer: Tokenizer, table: RowTable, head: OnnxHead
    ) -> None:
        self.tokenizer = tokenizer
        self._table = table
        self.vectors = TokenVectors(table)
        self.head = head
        self.info = ModelInfo(
            name=folder.manifest.name,
            version=folder.manifest.version,
            labels=folder.labels,
            sample_rate_hz=folder.manifest.input.sample_rate,
            clip_seconds=FRAME_SECONDS,
            step_seconds=FRAME_SECONDS,
            embedding_size=self.vectors.size,
        )

    def open(
        self, *, windows: WindowKind = WindowKind.FRAME, keep_embeddings: bool = False
    ) -> "StsgStream":
        """Begin a stream; the model's own clips are the 5-second frames."""
        return StsgStream(self, keep_embeddings=keep_embeddings)

    def close(self) -> None:
        """Let go of the vectors' file; the rest goes with the model."""
        self._table.close()


class StsgStream:
    """One stream of an STSG model; a `Backend`.

    Args:
        model: The loaded model.
        keep_embeddings: Whether predictions carry the window's mean vector.
    """

    def __init__(self, model: StsgModel, *, keep_embeddings: bool = False) -> None:
        self._model = model
        self._keep_embeddings = keep_embeddings
        self._rate_hz = model.info.sample_rate_hz
        self._per_window = (
            round(FRAME_SECONDS * self._rate_hz) // model.tokenizer.extractor.spec.hop
        )
        self._tokens = model.tokenizer.open()
        self._ring = FrameRing(np.int32, capacity=2 * self._per_window)
        self._stream = ""
        self.reset()

    def push(self, block: AudioBlock) -> Sequence[Outcome]:
        """Tokenize what came; return the windows that became complete."""
        self._stream = block.stream
        self._samples += len(block.samples)
        return self._gather(self._tokens.push(block.samples))

    def finish(self) -> Sequence[Outcome]:
        """Pad and score the tail, or say why it is skipped."""
        count = count_frames(self._samples, sample_rate_hz=self._rate_hz)
        outcomes: list[Outcome] = []
        if count.padding:
            outcomes += self._gather(self._tokens.push(np.zeros(count.padding, dtype=np.float32)))
        if count.skipped:
            reason = skipped_tail_reason(
                count.skipped, sample_rate_hz=self._rate_hz, least_s=MIN_TAIL_SECONDS
            )
            outcomes.append(Unscored(self._window(count.frames), WindowState.SKIPPED, reason))
        return outcomes

    def reset(self) -> None:
        """Forget the segment."""
        self._tokens.reset()
        self._ring.reset()
        self._samples = 0
        self._windows = 0

    def close(self) -> None:
        """Let go of the buffers."""
        self.reset()

    def _gather(self, tokens: TokenArray) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for first in range(0, len(tokens), self._per_window):
            self._ring.push(tokens[first : first + self._per_window])
            if self._ring.count >= (self._windows + 1) * self._per_window:
                outcomes.append(self._predict())
        return outcomes

    def _predict(self) -> Prediction:
        window = self._window(self._windows)
        tokens = self._ring.take(self._windows * self._per_window, self._per_window)
        self._windows += 1
        embedding = self._model.vectors.pool(tokens)
        return Prediction(
            window,
            self._model.info.id,
            self._model.head(embedding),
            embedding if self._keep_embeddings else None,
        )

    def _window(self, number: int) -> Window:
        return Window(self._stream, number * FRAME_SECONDS, (number + 1) * FRAME_SECONDS)


def _read_codebook(folder: ModelFolder) -> tuple[Codebook, Search | None]:
    """Take PCA and centroids out of the one Faiss file."""
    import faiss  # noqa: PLC0415 (heavy: loaded by who runs STSG)

    path = folder.file("codebook")
    form = "an IndexPreTransform of one PCAMatrix and an L2 index"
    try:
        index = faiss.read_index(str(path))
        chain = faiss.downcast_index(index)
        if not isinstance(chain, faiss.IndexPreTransform) or chain.chain.size() != 1:
            raise TypeError(f"{type(chain).__name__} is not {form}")
        pca = faiss.downcast_VectorTransform(chain.chain.at(0))
        inner = faiss.downcast_index(chain.index)
        if not isinstance(pca, faiss.LinearTransform) or inner.metric_type != faiss.METRIC_L2:
            raise TypeError(f"it is not {form}")
    except (RuntimeError, TypeError) as reason:
        # What Faiss says is of its own source files.
        why = reason if isinstance(reason, TypeError) else "it is broken, or no index of Faiss"
        raise folder.error(
            "files.codebook", f"{path.name} cannot be used: {why}", remedy="build the model again"
        ) from None
    projection = faiss.vector_to_array(pca.A).reshape(-1, pca.d_in)[: pca.d_out]
    bias = faiss.vector_to_array(pca.b) if pca.have_bias else np.zeros(pca.d_out, np.float32)
    exact = folder.manifest.stsg is not None and folder.manifest.stsg.search == "exact"
    if exact and not isinstance(inner, faiss.IndexFlat):
        raise folder.error(
            "stsg.search",
            f"is exact, but {path.name} holds an approximate {type(inner).__name__}",
            remedy="store a flat index, or write `search: approximate`",
        )
    centroids = inner.reconstruct_n(0, inner.ntotal)
    codebook = Codebook(projection, bias, centroids)
    if exact:
        return codebook, None

    def search(points: FloatArray) -> TokenArray:
        return np.asarray(inner.search(np.ascontiguousarray(points), 1)[1][:, 0], dtype=np.int32)

    # The inner index must not outlive the chain that owns it.
    search.owner = index  # type: ignore[attr-defined]
    return codebook, search


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

"""Samples in, tokens out, as they arrive; and what else there is of each frame."""

from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray

from edge.contracts import FloatArray
from edge.dsp.framing import Framer
from edge.stsg.codebook import Codebook, TokenArray
from edge.stsg.features import FeatureExtractor
from edge.stsg.pooling import Rows
from edge.stsg.product import ProductCodebook

Search = Callable[[FloatArray], TokenArray]
"""An approximate search: projected rows [shape=(n, dims)] to tokens [shape=(n,)]."""

RowArray = NDArray[np.int32] | NDArray[np.float32]
"""Tokens [shape=(n,)], those of several codebooks [shape=(n, books)], or rows [shape=(n, size)]."""


class Tokenizer:
    """Turns frames into features, points and tokens; immutable, shared by any number of streams.

    Args:
        extractor: Turns frames into features.
        codebook: Turns features into points and tokens; None where neither is wanted.
        approximate: Replaces the codebook's exact search where the manifest chose so.

    Raises:
        ValueError: The codebook takes rows of another width than the extractor's.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        codebook: Codebook | ProductCodebook | None,
        *,
        approximate: Search | None = None,
    ) -> None:
        if codebook is not None and codebook.features != extractor.spec.mel_bands:
            raise ValueError(
                f"the codebook takes {codebook.features} features, "
                f"the frames have {extractor.spec.mel_bands} mel bands"
            )
        self.extractor = extractor
        self._codebook = codebook
        self._approximate = approximate

    @property
    def codebook(self) -> Codebook | ProductCodebook:
        """Turns features into points and tokens.

        Raises:
            ValueError: There is none.
        """
        if self._codebook is None:
            raise ValueError("there are neither points nor tokens without a codebook")
        return self._codebook

    def tokens(self, frames: FloatArray) -> TokenArray:
        """Name the tokens of frames [shape=(n, frame_size)].

        Returns:
            int32 [shape=(n,)]; of several codebooks [shape=(n, books)].
        """
        if not len(frames):
            return np.empty((0, *self.shape_of(Rows.TOKENS)), dtype=np.int32)
        return self._tokens(frames, *self.extractor.quick(frames))

    def rows(self, frames: FloatArray, kinds: Collection[Rows]) -> dict[Rows, RowArray]:
        """Return several kinds of rows of frames [shape=(n, frame_size)], n at least 1.

        Tokens are exact; features and points are as float32 has them, which in the last bits
        depends on how many frames are worked on at once.
        """
        features, error = self.extractor.quick(frames)
        found: dict[Rows, RowArray] = {}
        if Rows.TOKENS in kinds:
            found[Rows.TOKENS] = self._tokens(frames, features, error)
        if Rows.POINTS in kinds:
            found[Rows.POINTS] = self.codebook.project(features)
        if Rows.FEATURES in kinds:
            found[Rows.FEATURES] = features
        return found

    def shape_of(self, kind: Rows) -> tuple[int, ...]:
        """Return the shape of one row."""
        match kind:
            case Rows.POINTS:
                return (self.codebook.dims,)
            case Rows.FEATURES:
                return (self.extractor.spec.mel_bands,)
            case _:
                return (self.codebook.books,) if self.codebook.books > 1 else ()

    def open(self) -> "TokenStream":
        """Begin a stream of tokens."""
        return TokenStream(self)

    def _tokens(self, frames: FloatArray, features: FloatArray, error: FloatArray) -> TokenArray:
        if self._approximate is not None:
            return self._approximate(self.codebook.project(features))
        return self.codebook.nearest(
            features, error, lambda rows: self.extractor.exact(frames[rows])
        )


class TokenStream:
    """One stream's tokens: the same for any chunking."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._framer = framer_of(tokenizer.extractor)

    def push(self, samples: FloatArray) -> TokenArray:
        """Take samples [shape=(n,)]; return the tokens that became complete, as `tokens` does."""
        return self._tokenizer.tokens(self._framer.push(samples))

    def reset(self) -> None:
        """Forget the stream."""
        self._framer.reset()


def framer_of(extractor: FeatureExtractor) -> Framer:
    """Make a framer for an extractor's frames."""
    return Framer(frame_size=extractor.spec.frame_size, hop=extractor.spec.hop)

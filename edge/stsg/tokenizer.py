"""Samples in, tokens out, as they arrive."""

from collections.abc import Callable

import numpy as np

from edge.contracts import FloatArray
from edge.dsp.framing import Framer
from edge.stsg.codebook import Codebook, TokenArray
from edge.stsg.features import FeatureExtractor

Search = Callable[[FloatArray], TokenArray]
"""An approximate search: projected rows [shape=(n, dims)] to tokens [shape=(n,)]."""


class Tokenizer:
    """Names the token of each frame; immutable, shared by any number of streams.

    Args:
        extractor: Turns frames into features.
        codebook: Turns features into tokens.
        approximate: Replaces the codebook's exact search where the manifest chose so.

    Raises:
        ValueError: The codebook takes rows of another width than the extractor's.
    """

    def __init__(
        self, extractor: FeatureExtractor, codebook: Codebook, *, approximate: Search | None = None
    ) -> None:
        if codebook.features != extractor.spec.mel_bands:
            raise ValueError(
                f"the codebook takes {codebook.features} features, "
                f"the frames have {extractor.spec.mel_bands} mel bands"
            )
        self.extractor = extractor
        self.codebook = codebook
        self._approximate = approximate

    def tokens(self, frames: FloatArray) -> TokenArray:
        """Name the tokens, int32 [shape=(n,)], of frames [shape=(n, frame_size)]."""
        if not len(frames):
            return np.empty(0, dtype=np.int32)
        features, error = self.extractor.quick(frames)
        if self._approximate is not None:
            return self._approximate(self.codebook.project(features))
        return self.codebook.nearest(
            features, error, lambda rows: self.extractor.exact(frames[rows])
        )

    def open(self) -> "TokenStream":
        """Begin a stream."""
        return TokenStream(self)


class TokenStream:
    """One stream's tokens: the same for any chunking."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        spec = tokenizer.extractor.spec
        self._tokenizer = tokenizer
        self._framer = Framer(frame_size=spec.frame_size, hop=spec.hop)

    def push(self, samples: FloatArray) -> TokenArray:
        """Take samples [shape=(n,)]; return the tokens that became complete, int32 [shape=(m,)]."""
        return self._tokenizer.tokens(self._framer.push(samples))

    def reset(self) -> None:
        """Forget the stream."""
        self._framer.reset()

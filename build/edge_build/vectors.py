"""Skip-gram vectors of tokens, by gensim, in token order."""

import os
from collections.abc import Sequence
from typing import NoReturn

import numpy as np
from tqdm import tqdm

from edge.contracts import FloatArray
from edge.stsg.codebook import TokenArray
from edge_build.recipe import Recipe


def fit_vectors(sentences: Sequence[TokenArray], recipe: Recipe, *, tokens: int) -> FloatArray:
    """Learn a vector for each token from the tokens that sound near it.

    Args:
        sentences: The tokens of each clip, int32 [shape=(n,)].
        recipe: Says size, window, negatives, exponent, thinning and epochs.
        tokens: Number of rows.

    Returns:
        float32 [shape=(tokens, vector_size)]; row t is token t's. Tokens that never occur, and a
        codebook may have some, get zeros.
    """
    from gensim.models.callbacks import CallbackAny2Vec  # noqa: PLC0415 (heavy, build only)
    from gensim.models.word2vec import Word2Vec  # noqa: PLC0415

    class Bar(CallbackAny2Vec):  # type: ignore[misc]
        """Counts epochs on a progress bar."""

        def __init__(self, bar: "tqdm[NoReturn]") -> None:
            self._bar = bar

        def on_epoch_end(self, model: object) -> None:
            self._bar.update()

    spec = recipe.word2vec
    with tqdm(total=spec.epochs, desc="token vectors", unit="epoch") as bar:
        model = Word2Vec(
            sentences=words_of(sentences),
            vector_size=spec.vector_size,
            window=spec.window,
            negative=spec.negative,
            ns_exponent=spec.ns_exponent,
            sample=spec.sample,
            epochs=spec.epochs,
            seed=recipe.seed,
            sg=1,
            min_count=1,
            workers=1 if recipe.deterministic else os.cpu_count() or 1,
            callbacks=[Bar(bar)],
        )
    return in_token_order(model.wv.key_to_index, model.wv.vectors, tokens=tokens)


def words_of(sentences: Sequence[TokenArray]) -> list[list[str]]:
    """Write tokens as words, in sentences that gensim does not cut off (at 10 000 words)."""
    return [
        [str(token) for token in sentence[first : first + _LONGEST_SENTENCE]]
        for sentence in sentences
        for first in range(0, len(sentence), _LONGEST_SENTENCE)
    ]


def in_token_order(index_of: dict[str, int], vectors: FloatArray, *, tokens: int) -> FloatArray:
    """Bring gensim's rows, which are in order of frequency, into the order of the tokens.

    Args:
        index_of: gensim's `key_to_index`; the words are tokens written as text.
        vectors: gensim's rows [shape=(words, size)].
        tokens: Number of rows wanted; those that gensim has not seen are zeros.
    """
    table = np.zeros((tokens, vectors.shape[1]), dtype=np.float32)
    for word, row in index_of.items():
        table[int(word)] = vectors[row]
    return table


_LONGEST_SENTENCE = 4_800

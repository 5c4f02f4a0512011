"""Skip-gram vectors of tokens, by gensim, in token order."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from tqdm import tqdm

from edge.contracts import FloatArray
from edge.stsg.codebook import TokenArray
from edge_build.cache import Steps
from edge_build.recipe import Recipe


def fit_vectors(
    sentences: Sequence[TokenArray], recipe: Recipe, *, tokens: int, steps: Steps
) -> FloatArray:
    """Learn a vector for each token from the tokens that sound near it.

    A fit that is cut off goes on from the last epoch that was kept, to the same bits where one
    worker does it.

    Args:
        sentences: The tokens of each clip, int32 [shape=(n,)].
        recipe: Says size, window, negatives, exponent, thinning and epochs.
        tokens: Number of rows.
        steps: Keep how far the fit has got.

    Returns:
        float32 [shape=(tokens, vector_size)]; row t is token t's. Tokens that never occur, and a
        codebook may have some, get zeros.
    """
    from gensim.models.callbacks import CallbackAny2Vec  # noqa: PLC0415 (heavy, build only)
    from gensim.models.word2vec import Word2Vec  # noqa: PLC0415

    spec = recipe.word2vec
    words = Words(sentences)

    class Resumable(Word2Vec):  # type: ignore[misc]
        """Counts epochs from the first run's first, so that the learning rate falls as in one."""

        finished = 0

        def _get_next_alpha(self, epoch_progress: float, cur_epoch: int) -> float:
            progress = (self.finished + cur_epoch + epoch_progress) / spec.epochs
            return float(max(self.min_alpha, self.alpha - (self.alpha - self.min_alpha) * progress))

    class Keeper(CallbackAny2Vec):  # type: ignore[misc]
        """Keeps the model after an epoch, as often as takes a twentieth of the time at most."""

        def __init__(self, bar: "tqdm[NoReturn]", finished: int) -> None:
            self._bar = bar
            self._finished = finished
            self._next_s = 0.0

        def on_epoch_end(self, model: Any) -> None:
            self._bar.update()
            self._finished += 1
            begun_s = time.monotonic()
            if begun_s < self._next_s or self._finished == spec.epochs:
                return
            steps.put(_EPOCH, lambda part: _write_epoch(part, self._finished, model))
            self._next_s = time.monotonic() + 20.0 * (time.monotonic() - begun_s)

    model = Resumable(
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
    )
    model.build_vocab(words)
    kept = steps.folder / _EPOCH
    if kept.is_file():
        with np.load(kept, allow_pickle=False) as epoch:
            model.finished = _restore(model, epoch)
    with tqdm(total=spec.epochs, initial=model.finished, desc="token vectors", unit="epoch") as bar:
        model.train(
            words,
            total_examples=model.corpus_count,
            total_words=model.corpus_total_words,
            epochs=spec.epochs - model.finished,
            callbacks=[Keeper(bar, model.finished)],
        )
    return in_token_order(model.wv.key_to_index, model.wv.vectors, tokens=tokens)


class Words:
    """Tokens as words, in sentences that gensim does not cut off (at 10 000 words).

    Written anew each time they are gone through: millions of words would fill the memory.

    Args:
        sentences: The tokens of each clip, int32 [shape=(n,)].
    """

    def __init__(self, sentences: Sequence[TokenArray]) -> None:
        self._sentences = sentences

    def __iter__(self) -> Iterator[list[str]]:
        for sentence in self._sentences:
            for first in range(0, len(sentence), _LONGEST_SENTENCE):
                yield [*map(str, sentence[first : first + _LONGEST_SENTENCE].tolist())]


def _write_epoch(path: Path, finished: int, model: Any) -> None:
    """Write what an epoch changes of a gensim model: its vectors, both ways, and its generator."""
    _, keys, place, has_gauss, gauss = model.random.get_state()
    with path.open("wb") as file:
        np.savez(
            file,
            finished=finished,
            vectors=model.wv.vectors,
            negative_vectors=model.syn1neg,
            generator_keys=keys,
            generator_place=(place, has_gauss),
            generator_gauss=gauss,
        )


def _restore(model: Any, epoch: Mapping[str, np.ndarray[Any, Any]]) -> int:
    """Bring a model whose vocabulary is built to where an epoch ended; return its number."""
    model.wv.vectors[:] = epoch["vectors"]
    model.syn1neg[:] = epoch["negative_vectors"]
    place, has_gauss = map(int, epoch["generator_place"])
    gauss = float(epoch["generator_gauss"])
    model.random.set_state(("MT19937", epoch["generator_keys"], place, has_gauss, gauss))
    return int(epoch["finished"])


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
_EPOCH = "epoch.npz"

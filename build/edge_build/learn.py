"""The chain from clips to a model, each link kept in the cache by what it was made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from edge.contracts import FloatArray
from edge.stsg.codebook import Codebook, TokenArray
from edge.stsg.features import FeatureExtractor
from edge.stsg.pooling import Part, Rows, Statistic
from edge.stsg.tokenizer import Tokenizer
from edge.stsg.vectors import WindowVector
from edge_build.cache import Cache, key_of
from edge_build.codebook import fit_codebook, read_codebook, tokens_for
from edge_build.dataset import Clip, choose_clips
from edge_build.frames import FrameStore, TokenStore, hash_arrays
from edge_build.head import Head, IntArray, fit_head
from edge_build.pinned import library_versions, pinning
from edge_build.recipe import Recipe
from edge_build.vectors import fit_vectors


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """One row for each 5 s window of labelled clips."""

    embeddings: FloatArray
    """[shape=(n, size)]"""
    labels: IntArray
    """Class numbers [shape=(n,)]."""
    recordings: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """What came out of the chain, and what went in."""

    labels: tuple[str, ...]
    codebook_path: Path
    codebook: Codebook
    vectors: FloatArray
    """[shape=(tokens, vector_size)]"""
    unseen: int
    """Tokens that never occurred and have zeros for a vector."""
    head: Head
    examples: Examples
    clips: tuple[Clip, ...]
    unlabelled: tuple[Clip, ...]
    frames: int
    notes: tuple[str, ...]
    """What was left out or made smaller, a line each."""


class Chain:
    """Frames, codebook, tokens, vectors, head: one recipe over any choice of clips.

    Args:
        recipe: Says how.
        cache: Keeps each link's result.
    """

    def __init__(self, recipe: Recipe, cache: Cache) -> None:
        self.recipe = recipe
        self._cache = cache
        self._versions = library_versions()
        self.frame_store = FrameStore(recipe, cache)

    def prepare(
        self, clips: Sequence[Clip], unlabelled: Sequence[Clip], left_out: Sequence[str] = ()
    ) -> tuple[list[Clip], list[Clip], list[str]]:
        """Compute frames; return the usable clips of both kinds, and notes on the others.

        Args:
            clips: Those with labels.
            unlabelled: Those without.
            left_out: Why files were left out before this, a line each.

        Raises:
            InputError: Fewer than two classes are left.
        """
        good, bad = self.frame_store.add([*clips, *unlabelled])
        return choose_clips(good, [*left_out, *bad])

    def learn(
        self, clips: Sequence[Clip], unlabelled: Sequence[Clip], notes: Sequence[str] = ()
    ) -> Learnt:
        """Fit every link on clips that `prepare` found usable."""
        every = [*clips, *unlabelled]
        counts = [len(self.frame_store.frames(clip)) for clip in every]
        tokens, shortage = tokens_for(sum(counts), self.recipe)
        path, key = self._codebook(every, counts, tokens)
        tokenizer = Tokenizer(FeatureExtractor(self.recipe.feature_spec()), read_codebook(path))
        token_store = TokenStore(tokenizer, key, self.recipe, self._cache)
        sentences = token_store.tokens(every)
        vectors = self._vectors(sentences, tokens)
        labels = tuple(sorted({clip.label for clip in clips if clip.label is not None}))
        examples = self.examples(clips, sentences[: len(clips)], vectors, labels)
        return Learnt(
            labels,
            path,
            tokenizer.codebook,
            vectors,
            tokens - len(np.unique(np.concatenate(sentences))),
            self.head(examples),
            examples,
            tuple(clips),
            tuple(unlabelled),
            sum(counts),
            (*notes, *([shortage] if shortage else [])),
        )

    def examples(
        self,
        clips: Sequence[Clip],
        tokens: Sequence[TokenArray],
        vectors: FloatArray,
        labels: Sequence[str],
    ) -> Examples:
        """Pool the tokens of each window of each clip, as the runtime does."""
        pooled = WindowVector([Part(Rows.VECTORS, (Statistic.MEAN,))], vectors)
        per_window = self.recipe.frames_per_window
        rows = [
            (pooled({Rows.TOKENS: window}), labels.index(clip.label or ""), clip.recording)
            for clip, of_clip in zip(clips, tokens, strict=True)
            for window in of_clip.reshape(-1, per_window)
        ]
        embeddings, numbers, recordings = zip(*rows, strict=True)
        return Examples(np.stack(embeddings), np.array(numbers, dtype=np.intp), recordings)

    def head(self, examples: Examples) -> Head:
        """Train the recipe's head on examples."""
        spec = self.recipe.head
        key = self._key(
            "head",
            hash_arrays([examples.embeddings, examples.labels]),
            examples.recordings,
            msgspec.to_builtins(spec),
        )

        def make(part: Path) -> None:
            head = fit_head(
                examples.embeddings,
                examples.labels,
                examples.recordings,
                spec,
                seed=self.recipe.seed,
            )
            with part.open("wb") as file:
                np.savez(
                    file,
                    mean=head.mean,
                    scale=head.scale,
                    weights_1=head.weights[0],
                    weights_2=head.weights[1],
                    bias_1=head.biases[0],
                    bias_2=head.biases[1],
                    epochs=head.epochs,
                    validation_loss=head.validation_loss,
                )

        with np.load(self._cache.get("head", key, ".npz", make), allow_pickle=False) as kept:
            return Head(
                kept["mean"],
                kept["scale"],
                (kept["weights_1"], kept["weights_2"]),
                (kept["bias_1"], kept["bias_2"]),
                int(kept["epochs"]),
                float(kept["validation_loss"]),
            )

    def _codebook(
        self, clips: Sequence[Clip], counts: Sequence[int], tokens: int
    ) -> tuple[Path, str]:
        key = self._key(
            "codebook",
            [clip.sha256 for clip in clips],
            self.recipe.sample_rate,
            msgspec.to_builtins(self.recipe.features),
            msgspec.to_builtins(self.recipe.tokens),
            tokens,
        )

        def make(part: Path) -> None:
            fit_codebook(
                lambda i: self.frame_store.frames(clips[i]),
                counts,
                self.recipe,
                tokens=tokens,
                path=part,
            )

        return self._cache.get("codebook", key, ".faiss", make), key

    def _vectors(self, sentences: Sequence[TokenArray], tokens: int) -> FloatArray:
        key = self._key(
            "vectors", hash_arrays(sentences), tokens, msgspec.to_builtins(self.recipe.word2vec)
        )

        def make(part: Path) -> None:
            with part.open("wb") as file:
                np.save(file, fit_vectors(sentences, self.recipe, tokens=tokens))

        table: FloatArray = np.load(
            self._cache.get("vectors", key, ".npy", make), allow_pickle=False
        )
        return table

    def _key(self, *parts: object) -> str:
        return key_of(
            *parts, self.recipe.seed, self.recipe.deterministic, pinning(), self._versions
        )

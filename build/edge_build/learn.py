"""The chain from clips to a model, each link kept in the cache by what it was made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from edge.contracts import FloatArray
from edge.model.codebook_file import read_codebook
from edge.stsg.codebook import Codebook, TokenArray
from edge.stsg.features import FeatureExtractor
from edge.stsg.pooling import Rows
from edge.stsg.product import ProductCodebook
from edge.stsg.tokenizer import RowArray, Tokenizer
from edge.stsg.vectors import WindowVector
from edge_build.cache import Cache, Steps, key_of
from edge_build.codebook import fit_codebook, tokens_for
from edge_build.dataset import Clip, choose_clips
from edge_build.frames import FrameStore, TokenStore, hash_arrays
from edge_build.head import Head, IntArray, fit_heads
from edge_build.pinned import library_versions, pinning
from edge_build.recipe import Recipe
from edge_build.recipe_parts import TablePart
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
class Tokens:
    """What makes points and tokens of frames, and what was made."""

    path: Path
    """The Faiss file."""
    codebook: Codebook | ProductCodebook
    sentences: tuple[TokenArray, ...]
    """Of each clip; empty for a codebook without centroids."""
    shortage: str
    """Why there are fewer centroids than the recipe wants; empty where there are as many."""

    @property
    def unseen(self) -> int:
        """Tokens that never occurred and have zeros for a vector."""
        seen = np.unique(np.concatenate(self.sentences)) if self.sentences else ()
        return self.codebook.tokens - len(seen)


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """What came out of the chain, and what went in."""

    labels: tuple[str, ...]
    tokens: Tokens | None
    vectors: FloatArray | None
    """[shape=(tokens, vector_size)]"""
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
        counts = [len(self.frame_store.opened(clip)) for clip in every]
        tokens = self._tokens(every, counts)
        vectors = None
        if tokens is not None and Rows.VECTORS in self.recipe.needs:
            vectors = self._table(tokens)
        labels = tuple(sorted({clip.label for clip in clips if clip.label is not None}))
        examples = self.examples(clips, tokens, vectors, labels)
        shortage = tokens.shortage if tokens else ""
        return Learnt(
            labels,
            tokens,
            vectors,
            self.head(self._with_moved(examples, clips, tokens, vectors, labels)),
            examples,
            tuple(clips),
            tuple(unlabelled),
            sum(counts),
            (*notes, *([shortage] if shortage else [])),
        )

    def fit_tokens(self, clips: Sequence[Clip]) -> tuple[Tokens, FloatArray]:
        """Fit codebook and table of vectors, which need no labels, on clips that have frames.

        Returns:
            The tokens, and the table [shape=(tokens, vector_size)].
        """
        tokens = self._tokens(clips, [len(self.frame_store.opened(clip)) for clip in clips])
        assert tokens is not None
        return tokens, self._table(tokens)

    def tokens_of(self, tokens: Tokens, clips: Sequence[Clip]) -> list[TokenArray]:
        """Return the tokens of clips that may be others than those that made the codebook."""
        return self._token_store(tokens.codebook, tokens.path.stem).tokens(clips)

    def examples(
        self,
        clips: Sequence[Clip],
        tokens: Tokens | None,
        vectors: FloatArray | None,
        labels: Sequence[str],
        *,
        moved: int = 0,
    ) -> Examples:
        """Make the vector of each window of each clip, as the runtime does.

        Args:
            clips: They begin the sentences of the tokens.
            tokens: Where the recipe has them.
            vectors: The table, where there is one.
            labels: The classes.
            moved: How many mel bands higher the clips are to sound.
        """
        window = WindowVector(self.recipe.parts, vectors)
        per_window = self.recipe.frames_per_window
        rows = []
        for number, clip in enumerate(clips):
            if moved:
                of_clip = self._moved_rows(clip, tokens, window.needs, moved)
            else:
                of_clip = self._rows(clip, number, tokens, window.needs)
            for first in range(0, len(next(iter(of_clip.values()))), per_window):
                part = {kind: found[first : first + per_window] for kind, found in of_clip.items()}
                rows.append((window(part), labels.index(clip.label or ""), clip.recording))
        embeddings, numbers, recordings = zip(*rows, strict=True)
        return Examples(np.stack(embeddings), np.array(numbers, dtype=np.intp), recordings)

    def _rows(
        self, clip: Clip, number: int, tokens: Tokens | None, kinds: frozenset[Rows]
    ) -> dict[Rows, RowArray]:
        found: dict[Rows, RowArray] = {}
        if Rows.TOKENS in kinds:
            assert tokens is not None
            found[Rows.TOKENS] = tokens.sentences[number]
        if Rows.POINTS in kinds:
            assert tokens is not None
            found[Rows.POINTS] = tokens.codebook.project(self.frame_store.frames(clip))
        if Rows.FEATURES in kinds:
            found[Rows.FEATURES] = self.frame_store.frames(clip)
        return found

    def _moved_rows(
        self, clip: Clip, tokens: Tokens | None, kinds: frozenset[Rows], bands: int
    ) -> dict[Rows, RowArray]:
        """Make the rows of a clip whose mel bands are moved up; the outermost one is repeated."""
        frames = self.frame_store.frames(clip)
        source = np.arange(frames.shape[1]) - bands
        frames = np.ascontiguousarray(frames[:, np.clip(source, 0, frames.shape[1] - 1)])
        found: dict[Rows, RowArray] = {Rows.FEATURES: frames}
        if tokens is not None:
            found[Rows.POINTS] = tokens.codebook.project(frames)
        if Rows.TOKENS in kinds:
            assert tokens is not None
            found[Rows.TOKENS] = tokens.codebook.nearest(
                frames, np.zeros(len(frames), np.float32), lambda i: frames[i].astype(np.float64)
            )
        return {kind: found[kind] for kind in kinds}

    def _with_moved(
        self,
        examples: Examples,
        clips: Sequence[Clip],
        tokens: Tokens | None,
        vectors: FloatArray | None,
        labels: Sequence[str],
    ) -> Examples:
        """Add the windows of the clips with their bands moved, as far as the recipe says."""
        most = self.recipe.head.band_shift
        every = [examples] + [
            self.examples(clips, tokens, vectors, labels, moved=bands)
            for bands in range(-most, most + 1)
            if bands
        ]
        return Examples(
            np.concatenate([one.embeddings for one in every]),
            np.concatenate([one.labels for one in every]),
            examples.recordings * len(every),
        )

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
            head = fit_heads(
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

    def _tokens(self, clips: Sequence[Clip], counts: Sequence[int]) -> Tokens | None:
        if self.recipe.tokens is None:
            return None
        count, shortage = tokens_for(sum(counts), self.recipe)
        key = self._key(
            "codebook",
            [clip.sha256 for clip in clips],
            self.recipe.sample_rate,
            msgspec.to_builtins(self.recipe.features),
            msgspec.to_builtins(self.recipe.tokens),
            count,
        )

        def make(part: Path, steps: Steps) -> None:
            fit_codebook(
                lambda i: self.frame_store.opened(clips[i]),
                counts,
                self.recipe,
                tokens=count,
                path=part,
                steps=steps,
            )

        path = self._cache.get_by_steps("codebook", key, ".faiss", make)
        codebook = read_codebook(path).codebook
        sentences: Sequence[TokenArray] = ()
        if Rows.TOKENS in self.recipe.needs:
            sentences = self._token_store(codebook, key).tokens(clips)
        return Tokens(path, codebook, tuple(sentences), shortage)

    def _token_store(self, codebook: Codebook | ProductCodebook, key: str) -> TokenStore:
        tokenizer = Tokenizer(FeatureExtractor(self.recipe.feature_spec()), codebook)
        return TokenStore(tokenizer, key, self.recipe, self._cache)

    def _table(self, tokens: Tokens) -> FloatArray:
        """Put the parts of the table of vectors side by side."""
        parts = []
        for part in self.recipe.table:
            match part:
                case TablePart.WORD2VEC:
                    # The tokens of a frame, one a codebook, follow one another.
                    sentences = [tokens_of_clip.ravel() for tokens_of_clip in tokens.sentences]
                    parts.append(self._vectors(sentences, tokens.codebook.tokens))
                case TablePart.CENTROID:
                    parts.append(tokens.codebook.centroids)
        return np.concatenate(parts, axis=1)

    def _vectors(self, sentences: Sequence[TokenArray], tokens: int) -> FloatArray:
        key = self._key(
            "vectors", hash_arrays(sentences), tokens, msgspec.to_builtins(self.recipe.word2vec)
        )

        def make(part: Path, steps: Steps) -> None:
            with part.open("wb") as file:
                np.save(file, fit_vectors(sentences, self.recipe, tokens=tokens, steps=steps))

        table: FloatArray = np.load(
            self._cache.get_by_steps("vectors", key, ".npy", make), allow_pickle=False
        )
        return table

    def _key(self, *parts: object) -> str:
        return key_of(
            *parts, self.recipe.seed, self.recipe.deterministic, pinning(), self._versions
        )

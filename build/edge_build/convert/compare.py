"""A conversion beside its source, window by window."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.contracts import FloatArray, Model, Outcome, Prediction
from edge.errors import AudioError, InputError
from edge.pipeline import StreamScorer
from edge.sources.file import AudioFile
from edge_build.convert.kinds import Tolerance
from edge_build.dataset import Clip
from edge_build.scores import Scores, score_table


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What a source and its conversion said of the same windows."""

    source: FloatArray
    """[shape=(n, n_labels)]."""
    converted: FloatArray
    """[shape=(n, n_labels)]."""
    clips: NDArray[np.intp]
    """Number of each window's clip [shape=(n,)]."""
    truth: NDArray[np.intp]
    """Label number of each clip [shape=(n_clips,)]; -1 where it is not known."""
    cosines: FloatArray
    """Of the embeddings of each window [shape=(n,)]; empty where there are none."""
    source_s: float
    """CPU time of all windows, without decoding, in seconds."""
    converted_s: float
    notes: tuple[str, ...]

    @property
    def largest(self) -> float:
        """Largest difference of a score; NaN where one is no number."""
        return float(np.abs(self.source - self.converted).max())

    @property
    def mean(self) -> float:
        """Mean difference of the scores."""
        return float(np.abs(self.source - self.converted).mean())

    @property
    def ranks(self) -> float:
        """Spearman's rank correlation of the labels, mean over windows; NaN for one label.

        Windows in which the source scores all labels alike have no ranks and do not count.
        """
        return rank_agreement(self.source, self.converted)

    @property
    def same_top(self) -> float:
        """Share of windows in which the same label is on top."""
        return float(np.mean(self.source.argmax(axis=1) == self.converted.argmax(axis=1)))

    @property
    def labelled(self) -> int:
        """How many clips have a known label."""
        return int((self.truth >= 0).sum())

    def scores(self, said: FloatArray) -> Scores | None:
        """Score the mean of each clip's windows; None unless clips of two labels are known.

        Args:
            said: `source` or `converted`.
        """
        known = np.flatnonzero(self.truth >= 0)
        if len(set(self.truth[known].tolist())) < 2:
            return None
        rows = np.stack([said[self.clips == clip].mean(axis=0) for clip in known])
        return score_table(self.truth[known], rows)


def hear(
    source: Model, converted: Model, clips: Sequence[Clip], *, with_embeddings: bool = False
) -> Heard:
    """Let both models hear the same audio, block by block and turn by turn.

    Args:
        source: The model that was converted.
        converted: What came of it.
        clips: What they hear.
        with_embeddings: Whether their embeddings are compared, too.

    Raises:
        InputError: No window of any clip was scored by both.
    """
    labels = source.info.labels
    rows: tuple[list[FloatArray], list[FloatArray]] = ([], [])
    numbers: list[int] = []
    truth: list[int] = []
    cosines: list[float] = []
    spent = [0.0, 0.0]
    notes = []
    for turn, clip in enumerate(tqdm(clips, desc="comparing", unit="file")):
        scorers = [
            StreamScorer(model, keep_embeddings=with_embeddings) for model in (source, converted)
        ]
        order = (0, 1) if turn % 2 else (1, 0)
        said: tuple[list[Outcome], list[Outcome]] = ([], [])
        try:
            with AudioFile(clip.path) as file:
                for block in file:
                    for which in order:
                        begun = time.process_time()
                        said[which].extend(scorers[which].push(block))
                        spent[which] += time.process_time() - begun
        except AudioError as error:
            notes.append(f"left out: {clip.name}: {error.what}")
            continue
        for which in order:
            begun = time.process_time()
            said[which].extend(scorers[which].finish())
            spent[which] += time.process_time() - begun
        found = 0
        for one, other in zip(*said, strict=True):
            if isinstance(one, Prediction) and isinstance(other, Prediction):
                rows[0].append(one.scores)
                rows[1].append(other.scores)
                numbers.append(len(truth))
                found += 1
                if one.embedding is not None and other.embedding is not None:
                    cosines.append(_cosine(one.embedding, other.embedding))
        if found:
            truth.append(-1 if clip.label is None else labels.index(clip.label))
        else:
            notes.append(f"left out: {clip.name}: no window of it can be scored")
    if not numbers:
        raise InputError(
            "--data: holds no window that the model can score"
            + "".join(f"\n  {note}" for note in notes[:_MOST_NOTES]),
            remedy="name a folder of recordings of 5 s or more",
        )
    if len(numbers) < FEW_WINDOWS:
        notes.append(f"{len(numbers)} windows are few to judge by: give more audio by --data")
    return Heard(
        np.stack(rows[0]),
        np.stack(rows[1]),
        np.array(numbers, dtype=np.intp),
        np.array(truth, dtype=np.intp),
        np.array(cosines, dtype=np.float32),
        spent[0],
        spent[1],
        tuple(notes),
    )


def broken_tolerances(heard: Heard, tolerance: Tolerance) -> list[str]:
    """Say which figures stray beyond their tolerance, a line each.

    A figure that is no number strays.
    """
    broken = []
    if not heard.largest <= tolerance.difference:
        broken.append(
            f"the largest score difference is {heard.largest:.4f}, above the tolerance of "
            f"{tolerance.difference:g} (--tolerance)"
        )
    least = [("windows with the same top label", heard.same_top, tolerance.agreement, "agreement")]
    if len(heard.cosines):
        cosine = float(heard.cosines.min())
        least.append(("least cosine of the embeddings", cosine, tolerance.agreement, "agreement"))
    if not np.isnan(ranks := heard.ranks):
        least.append(("rank agreement", ranks, tolerance.ranks, "ranks"))
    broken += [
        f"{name}: {figure:.4f}, below {wanted:g} (--{option})"
        for name, figure, wanted, option in least
        if not figure >= wanted
    ]
    before, after = heard.scores(heard.source), heard.scores(heard.converted)
    if before is not None and after is not None:
        for name, was, now in (
            ("accuracy", before.accuracy, after.accuracy),
            ("macro F1", before.macro_f1, after.macro_f1),
        ):
            # Shares of counted clips: what is beyond the ninth digit is rounding.
            if not round(was - now, 9) <= tolerance.loss:
                broken.append(
                    f"{name} falls from {was:.3f} to {now:.3f}, by more than {tolerance.loss:g} "
                    "(--loss)"
                )
    return broken


def rank_agreement(first: FloatArray, second: FloatArray) -> float:
    """Spearman's rank correlation of two score tables, mean over their rows.

    Args:
        first: [shape=(n, n_labels)]. Rows in which all is equal do not count.
        second: [shape=(n, n_labels)]. Rows in which all is equal have a correlation of 0.

    Returns:
        NaN where no row counts.
    """
    from scipy.stats import rankdata  # noqa: PLC0415 (slow to load)

    ranks = [rankdata(table, axis=1) for table in (first, second)]
    one, other = (table - table.mean(axis=1, keepdims=True) for table in ranks)
    counted = (one != 0.0).any(axis=1)
    if not counted.any():
        return float("nan")
    one, other = one[counted], other[counted]
    norms = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    with np.errstate(invalid="ignore"):
        found = np.where(norms > 0.0, (one * other).sum(axis=1) / norms, 0.0)
    return float(found.mean())


def _cosine(one: FloatArray, other: FloatArray) -> float:
    product = np.linalg.norm(one) * np.linalg.norm(other)
    if product == 0.0:
        return float(np.array_equal(one, other))
    return float(one @ other / product)


FEW_WINDOWS = 20
_MOST_NOTES = 10

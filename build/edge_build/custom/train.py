"""`edge-build train --base`: from a folder of clips to a model of one's own, in one command."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.contracts import Model
from edge.errors import InputError
from edge.load import prove_model
from edge.model.clip_model import ClipModel
from edge.model.folder import read_folder
from edge.windows.tensor_pool import TensorPool
from edge_build.cache import Cache
from edge_build.custom.attention import pieces_of
from edge_build.custom.base import TOKENS, choose_base, found_base
from edge_build.custom.card import write_card
from edge_build.custom.examples import Cut, EmbeddingStore, Examples, examples_of
from edge_build.custom.fit import SHAPES, Shape, fit
from edge_build.custom.folder import write_custom
from edge_build.custom.judge import judge
from edge_build.custom.made import Made
from edge_build.custom.marked import Tally, deal_recordings, marked_examples, two_classes
from edge_build.custom.shortage import warnings_of
from edge_build.custom.tensors import with_tensors
from edge_build.dataset import Clip, choose_clips, find_labelled
from edge_build.embeddings import load_embedder
from edge_build.folder import check_place
from edge_build.folds import folds_of
from edge_build.headed import check_base
from edge_build.labels.recordings import Labelled, find_recordings
from edge_build.recipe import one_group

SEED = 1
MOST_FOLDS = 5


def train_custom(
    base: str | None,
    *,
    data: Path,
    out: Path,
    precision: float,
    attention: bool = False,
    tensors: Sequence[str] = (),
    pool: TensorPool | None = None,
    recording: str | None = None,
    labels: Sequence[Path] = (),
    label_column: str | None = None,
    models_dir: Path | None = None,
    model_files: Sequence[Path] = (),
    cache: Cache,
) -> Made:
    """Make a model folder: a head on a base's embeddings of the clips.

    Args:
        base: Name or folder of the model whose embeddings are learnt from; `stsg` for tokens that
            are learnt from the clips; None for BirdNET where it is complete here, otherwise these.
        data: Folder of `label/*.ogg|wav|flac|mp3`; `background/` holds none of the labels. With
            `labels`, a folder that recordings are anywhere below.
        out: The model folder to write.
        precision: Wanted of each label's detections.
        attention: Whether the head is one transformer block.
        tensors: Of the base, in the place of its embedding, one behind the other; a block takes
            each for a token, and pieces of the base's embedding where none are named.
        pool: How those of more than one row become one; by default as the base's format has it.
        recording: Its group in a file's name names the recording; by default each file is one.
        labels: Label files with times, and folders of them.
        label_column: Holds the labels of Raven's tables; None to choose.
        models_dir: A folder of model folders that is looked through before the shipped ones.
        model_files: Folders to look for `external` files in.
        cache: Where embeddings are kept.

    Raises:
        EdgeError: No such base, no usable audio, or a place that cannot be written.
    """
    check_place(out)
    said: list[str] = []
    if base is None:
        base, why = choose_base(models_dir=models_dir, model_files=model_files)
        said.append(why)
    pattern = one_group(recording, where="--recording") if recording else None
    marked: list[Labelled] = []
    if labels:
        marked, told = find_recordings(data, labels, column=label_column, recording=pattern)
        found = [one.clip for one in marked]
    else:
        found, left_out = find_labelled(data, recording=pattern)
        found, twice = without_twins(found)
        told = [*left_out, *twice]
    taught = two_classes(found) if labels and base == TOKENS else found
    with found_base(base, taught, models_dir=models_dir, cache=cache) as (folder, smaller):
        read = read_folder(folder, external=model_files)
        check_base(read.manifest, where="--base")
        if tensors:
            read = with_tensors(read, tensors, pool)
        model = prove_model(read) if tensors else load_embedder(folder, model_files)
        shapes = (_attention_shape(model, tensors),) if attention else SHAPES
        store = EmbeddingStore(
            model, read.manifest, cache, cut=Cut.EVERY if labels else Cut.LOUDEST
        )
        clips, bad = store.add(found)
        model.close()
        tally: Tally | None = None
        if labels:
            if not clips:
                raise InputError(
                    "none of the labelled recordings can be used"
                    + "".join(f"\n  {line}" for line in bad[:_MOST_SHOWN]),
                    remedy="mend them, or label others",
                )
            good = set(clips)
            usable = [one for one in marked if one.clip in good]
            examples, tally, more = marked_examples(usable, store)
            notes = [*told, *(f"left out: {line}" for line in bad), *more]
            fold_of = deal_recordings(examples, most=MOST_FOLDS, seed=SEED)
        else:
            clips, _, notes = choose_clips(clips, [*told, *bad])
            examples = examples_of(clips, store)
            fold_of = deal_folds(clips, examples)
        fitted = fit(examples, fold_of, seed=SEED, shapes=shapes)
        judgement = judge(examples, fitted, precision=precision)
        levels = [one.level for one in judgement.thresholds]
        made_folder = write_custom(
            out,
            read,
            head=fitted.head,
            calibration=judgement.calibration,
            labels=examples.labels,
            thresholds=dict(zip(examples.labels, levels, strict=True)),
            threshold=precision,
            model_files=model_files,
        )
    made = Made(
        made_folder,
        base,
        read.manifest,
        tuple(clips),
        examples,
        fitted,
        judgement,
        precision,
        (*said, *notes, *smaller, *warnings_of(examples, judgement, fitted)),
        tuple(tensors),
        tally,
    )
    write_card(made, data=data, recording=recording, labels=labels, label_column=label_column)
    return made


def _attention_shape(model: Model, tensors: Sequence[str]) -> Shape:
    """Make a token of each tensor, or of each piece of the embedding where none are named."""
    if tensors:
        assert isinstance(model, ClipModel)
        return Shape(tokens=model.embedding_sizes)
    assert model.info.embedding_size is not None
    return Shape(tokens=pieces_of(model.info.embedding_size))


def without_twins(clips: Sequence[Clip]) -> tuple[list[Clip], list[str]]:
    """Leave out files that are the same: under one label all but the first, under several all.

    Returns:
        The other clips, and why each of these is not among them.
    """
    same: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        same[clip.sha256].append(clip)
    kept, notes = [], []
    for clip in clips:
        first, *others = same[clip.sha256]
        labels = {other.label for other in others} | {first.label}
        if len(labels) > 1:
            twin = first if clip is not first else others[0]
            notes.append(f"{clip.name}: is the same file as {twin.name}, under another label")
        elif clip is not first:
            notes.append(f"{clip.name}: is the same file as {first.name}")
        else:
            kept.append(clip)
    return kept, notes


def deal_folds(clips: Sequence[Clip], examples: Examples) -> NDArray[np.intp]:
    """Deal recordings into folds; those of a label that has no other are always learnt from.

    Args:
        clips: That the windows are of.
        examples: The windows.

    Returns:
        The fold of each window, -1 for none [shape=(n,)].
    """
    counts = [examples.recordings_of(label) for label in range(len(examples.labels))]
    lonely = {label for label, count in zip(examples.labels, counts, strict=True) if count < 2}
    kept = {clip.recording for clip in clips if clip.label in lonely}
    dealt = [clip for clip in clips if clip.recording not in kept]
    recordings = {clip.recording for clip in dealt}
    found = np.full(len(examples.clips), -1, dtype=np.intp)
    k = min(MOST_FOLDS, max(counts), len(recordings))
    if k < 2:
        return found
    folds = folds_of(dealt, str(k), one_group("(.)", where="folds"), seed=SEED)
    fold_of = dict(zip((clip.recording for clip in dealt), folds, strict=True))
    for row, recording in enumerate(examples.recordings):
        if recording in fold_of:
            found[row] = int(fold_of[recording]) - 1
    return found


_MOST_SHOWN = 10

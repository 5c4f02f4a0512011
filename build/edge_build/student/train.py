"""`edge-build train` with a recipe of a student: from audio and a teacher to a model folder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge.load import find_model, prove_model
from edge.model.folder import read_folder
from edge.stsg.codebook import TokenArray
from edge_build.cache import Cache
from edge_build.card_commands import student_command
from edge_build.dataset import Clip, find_unlabelled
from edge_build.folder import check_place
from edge_build.learn import Chain
from edge_build.recipe import one_group, read_recipe
from edge_build.student.agreement import agreement_of
from edge_build.student.card import write_card
from edge_build.student.fit import Lessons, fit_student
from edge_build.student.folder import write_student
from edge_build.student.split import name_recordings, split_recordings, without_copies
from edge_build.student.taught import Taught
from edge_build.student.teacher import Curriculum, TeacherStore, choose_labels


def train_student(
    recipe_path: Path,
    *,
    unlabelled: Sequence[Path],
    out: Path,
    models_dir: Path | None = None,
    model_files: Sequence[Path] = (),
    cache: Cache,
) -> Taught:
    """Make a model folder: a net on tokens that was taught by another model.

    Args:
        recipe_path: A recipe with `student`.
        unlabelled: Folders and files of audio.
        out: The model folder to write.
        models_dir: A folder of model folders that is looked through before the shipped ones.
        model_files: Folders to look for `external` files in.
        cache: Where results are kept; a second run takes up from them.

    Raises:
        EdgeError: A bad recipe, no such teacher, too little usable audio, or a place that cannot
            be written.
    """
    recipe = read_recipe(recipe_path)
    spec = recipe.student
    assert spec is not None
    check_place(out)
    read = read_folder(find_model(spec.teacher, models_dir=models_dir), external=model_files)
    pattern = one_group(recipe.recording, where="recording") if recipe.recording else None
    found, left_out = without_copies(name_recordings(find_unlabelled(unlabelled), pattern))
    chain = Chain(recipe, cache)
    framed, bad = chain.frame_store.add(found)
    teacher = prove_model(read)
    store = TeacherStore(teacher, read.manifest, cache)
    heard, unheard = store.add(framed)
    teacher.close()
    split = split_recordings(heard, spec, seed=recipe.seed)
    tokens, table = chain.fit_tokens([*split.teaching, *split.judging])
    taught = [store.scores(clip) for clip in split.teaching]
    curriculum = choose_labels(teacher.info.labels, taught, most=spec.most_labels)
    parts = [
        _lessons(clips, chain.tokens_of(tokens, clips), store, curriculum, recipe.frames_per_window)
        for clips in (split.teaching, split.judging, split.held_out)
    ]
    teaching, judging, unknown = parts
    student = fit_student(teaching, judging, table, curriculum, spec, seed=recipe.seed)
    labels = len(curriculum.labels)
    wanted = unknown.targets[:, :labels]
    usual = np.broadcast_to(teaching.targets[:, :labels].mean(axis=0), wanted.shape)
    notes = [f"left out: {line}" for line in (*left_out, *bad, *unheard)]
    made = Taught(
        folder=write_student(
            out, recipe, recipe_path, student=student, tokens=tokens, teacher=read.manifest
        ),
        recipe=recipe,
        spec=spec,
        teacher=read.manifest,
        teacher_labels=len(teacher.info.labels),
        tokens=tokens,
        student=student,
        split=split,
        windows=(len(teaching.tokens), len(judging.tokens), len(unknown.tokens)),
        agreement=agreement_of(
            student.probabilities(unknown.tokens), wanted, exclusive=curriculum.exclusive
        ),
        constant=agreement_of(usual, wanted, exclusive=curriculum.exclusive),
        notes=(*notes, *([tokens.shortage] if tokens.shortage else [])),
    )
    write_card(
        made,
        student_command(
            unlabelled=unlabelled, models_dir=models_dir, model_files=model_files, out=made.folder
        ),
    )
    return made


def _lessons(
    clips: Sequence[Clip],
    sentences: Sequence[TokenArray],
    store: TeacherStore,
    curriculum: Curriculum,
    per_window: int,
) -> Lessons:
    """Put each window's tokens beside what the teacher says of it."""
    tokens, targets = [], []
    for clip, sentence in zip(clips, sentences, strict=True):
        windows = sentence.reshape(-1, per_window)
        scores = store.scores(clip)
        # Two sample rates may round a tail of just a second to either side.
        both = min(len(windows), len(scores))
        tokens.append(windows[:both].astype(np.int64))
        targets.append(curriculum.targets(scores[:both]))
    return Lessons(np.concatenate(tokens), np.concatenate(targets))

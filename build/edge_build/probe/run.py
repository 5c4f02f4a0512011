"""`edge-build probe`: every tensor of a model, by what its nearest neighbours say."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
from tqdm import tqdm

from edge.contracts import FloatArray
from edge.errors import AudioError, InputError
from edge.model.clip_model import ClipInput
from edge.model.folder import ModelFolder, read_folder
from edge.model.manifest import MANIFEST_NAME, OutputSpec, read_manifest
from edge.windows.tensor_pool import pool_tensor
from edge_build.dataset import Clip, find_labelled
from edge_build.frames import stream_samples
from edge_build.probe.neighbours import neighbour_hits, standard_error
from edge_build.probe.tensors import Tensors, View, views_of
from edge_build.recipe import one_group

LEAST_CLIPS = 6
"""One, and its five neighbours."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A tensor and how well it tells the classes apart."""

    view: View
    accuracy: float
    error: float
    """Standard error of the accuracy."""


@dataclass(frozen=True, slots=True)
class Probe:
    """All tensors of a model, compared."""

    model: str
    """`name@version`."""
    output: OutputSpec
    """What the model's manifest says now."""
    layers: tuple[Layer, ...]
    """In the graph's order."""
    clips: int
    classes: int
    chance: float
    """Share of the largest class."""
    notes: tuple[str, ...]

    def ranked(self) -> list[Layer]:
        """Return the best first.

        Of equals the smaller one, then one that needs no pooling, then the earlier one.
        """

        def order(layer: Layer) -> tuple[float, int, bool]:
            return -layer.accuracy, layer.view.width, layer.view.pool is not None

        return sorted(self.layers, key=order)


def run_probe(
    model: str,
    *,
    data: Path,
    clips_per_label: int,
    seed: int,
    recording: str | None,
    models_dir: Path | None,
    model_files: Sequence[Path] = (),
) -> Probe:
    """Probe a model.

    Args:
        model: Its name or folder.
        data: Folder of labelled folders.
        clips_per_label: How many clips of each class are heard.
        seed: Chooses them.
        recording: Finds the recording in a file's name; by default each file is one.
        models_dir: Folder of model folders that is looked through before the shipped ones.
        model_files: Folders with files of `external` models.

    Raises:
        EdgeError: A model that cannot be probed or run here, or too little audio.
    """
    from edge.load import find_model, prove_model  # noqa: PLC0415 (the backends are slow to load)

    if clips_per_label < 2:
        raise InputError(
            f"--clips-per-label: {clips_per_label} of a class have no neighbours of their own",
            remedy="give 2 or more",
        )
    if seed < 0:
        raise InputError(f"--seed: {seed} is below 0", remedy="give 0 or more")
    place = find_model(model, models_dir=models_dir)
    if (backend := read_manifest(place).backend) not in ("tflite", "onnx"):
        raise InputError(
            f"{place / MANIFEST_NAME}: backend: {backend} has no layers to choose from",
            remedy="compare its recipe with others by `edge-build evaluate`",
        )
    clips, left_out = find_labelled(
        data, recording=one_group(recording, where="--recording") if recording else None
    )
    notes = [f"left out: {line}" for line in left_out]
    clips = _enough(clips, notes)
    folder = read_folder(place, external=model_files)
    loaded = prove_model(folder)
    loaded.close()
    heard, vectors, views = _hear(folder, _in_turn(clips, seed), clips_per_label, notes)
    kept = {clip.name for clip in _enough(heard, notes)}
    rows = [i for i, clip in enumerate(heard) if clip.name in kept]
    heard = [heard[i] for i in rows]
    labels = sorted({clip.label or "" for clip in heard})
    origins = sorted({clip.recording for clip in heard})
    truth = np.array([labels.index(clip.label or "") for clip in heard], dtype=np.intp)
    recordings = np.array([origins.index(clip.recording) for clip in heard], dtype=np.intp)
    best: dict[int, Layer] = {}
    broken = 0
    for view, found in zip(views, vectors, strict=True):
        chosen = [found[i] for i in rows]
        if len({len(row) for row in chosen}) > 1 or not np.isfinite(np.concatenate(chosen)).all():
            broken += 1
            continue
        hits = neighbour_hits(np.stack(chosen), truth, recordings)
        layer = Layer(view, float(hits.mean()), standard_error(hits, recordings))
        before = best.setdefault(view.number, layer)
        if layer.accuracy > before.accuracy:
            best[view.number] = layer
    if not best:
        raise folder.error(
            "files.model",
            f"none of its {len(views)} tensors is finite for every clip",
            remedy="probe with other clips",
        )
    if broken:
        notes.append(f"left out: {broken} tensors that are not finite, or not of one size")
    return Probe(
        loaded.info.id,
        folder.manifest.output,
        tuple(best.values()),
        len(heard),
        len(labels),
        max(Counter(truth.tolist()).values()) / len(heard),
        tuple(notes),
    )


def open_tensors(folder: ModelFolder) -> Tensors:
    """Open a verified folder's model so that all its tensors can be read.

    Raises:
        ModelError: Its runtime does not show them.
    """
    if folder.manifest.backend == "tflite":
        from edge_build.probe.tflite import TfliteTensors  # noqa: PLC0415 (heavy)

        return TfliteTensors(folder)
    from edge_build.probe.onnx import OnnxTensors  # noqa: PLC0415 (heavy)

    return OnnxTensors(folder)


def _enough(clips: Sequence[Clip], notes: list[str]) -> list[Clip]:
    """Leave out classes of one recording, which have no neighbour of their own class.

    Raises:
        InputError: Too little is left.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        found[clip.label or ""].add(clip.recording)
    lonely = sorted(label for label, recordings in found.items() if len(recordings) < 2)
    notes += [f"class {label} is left out: it is one recording" for label in lonely]
    left = [clip for clip in clips if clip.label not in lonely]
    classes = len(found) - len(lonely)
    if classes < 2 or len(left) < LEAST_CLIPS:
        raise InputError(
            f"the probe has {classes} classes of two or more recordings, with {len(left)} clips in "
            "all" + "".join(f"\n  {note}" for note in notes[:_MOST_NOTES]),
            remedy=f"give two classes and {LEAST_CLIPS} clips at least, each class of several "
            "recordings",
        )
    return left


def _in_turn(clips: Sequence[Clip], seed: int) -> dict[str, list[Clip]]:
    """Order each class's clips by chance: one of each recording, then the second of each, ..."""
    held: dict[str, dict[str, list[Clip]]] = defaultdict(lambda: defaultdict(list))
    for clip in clips:
        held[clip.label or ""][clip.recording].append(clip)
    order = {}
    for number, label in enumerate(sorted(held)):
        rng = np.random.Generator(np.random.PCG64([seed, number]))
        recordings = [
            [found[i] for i in rng.permutation(len(found))] for found in held[label].values()
        ]
        shuffled = [recordings[i] for i in rng.permutation(len(recordings))]
        order[label] = [clip for clip in chain(*zip_longest(*shuffled)) if clip is not None]
    return order


def _hear(
    folder: ModelFolder, order: dict[str, list[Clip]], clips_per_label: int, notes: list[str]
) -> tuple[list[Clip], list[list[FloatArray]], list[View]]:
    """Run each class's first clips; keep nothing of them but each view's vector."""
    tensors, prepare = open_tensors(folder), ClipInput(folder)
    views = views_of(tensors.found)
    wide = len(tensors.found) - len({view.number for view in views})
    if wide:
        notes.append(f"left out: {wide} tensors too wide for an embedding, such as the waveform")
    vectors: list[list[FloatArray]] = [[] for _ in views]
    heard = []
    total = sum(min(clips_per_label, len(clips)) for clips in order.values())
    with tqdm(total=total, desc=f"tensors of {folder.manifest.name}", unit="clip") as bar:
        for clip, samples in _readable(folder, order, clips_per_label, notes):
            values = tensors.run(prepare(samples))
            for view, rows in zip(views, vectors, strict=True):
                row = pool_tensor(values[view.number], view.pool)
                # A copy: what the row is cut from must not stay.
                rows.append(row.copy())
            heard.append(clip)
            bar.update()
    return heard, vectors, views


def _readable(
    folder: ModelFolder, order: dict[str, list[Clip]], clips_per_label: int, notes: list[str]
) -> Iterator[tuple[Clip, FloatArray]]:
    """Yield each class's first clips that can be read, and their samples."""
    for clips in order.values():
        taken = 0
        for clip in clips:
            if taken == clips_per_label:
                break
            try:
                samples = _first_clip(folder, clip.path)
            except AudioError as error:
                reason = error.what.removeprefix(f"{clip.path}: ")
                notes.append(f"left out: {clip.name}: {reason}")
                continue
            taken += 1
            yield clip, samples


def _first_clip(folder: ModelFolder, path: Path) -> FloatArray:
    """Return the first of the model's clips in a file [shape=(clip samples,)].

    Raises:
        AudioError: It cannot be read that far.
    """
    wanted = folder.manifest.input.clip_samples
    held: list[FloatArray] = []
    for samples in stream_samples(path, sample_rate_hz=folder.manifest.input.sample_rate):
        held.append(samples)
        if sum(map(len, held)) >= wanted:
            break
    clip = np.concatenate(held)[:wanted]
    return np.pad(clip, (0, wanted - len(clip)))


_MOST_NOTES = 10

"""Training on, and scoring with, the project's own synthesiser."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from tqdm import tqdm

from edge.contracts import AudioBlock, Prediction
from edge.errors import InputError
from edge.pipeline import score
from edge_build.cache import Cache, key_of
from edge_build.pinned import library_versions
from edge_build.recipe import Recipe
from edge_build.scores import macro_roc_auc
from edge_build.synth import CLASSES, LABELS, render_recording, truth, write_training_set


def render_clips(recipe: Recipe, cache: Cache) -> Path:
    """Render the recipe's clips into the cache; return the folder of labelled folders.

    Raises:
        InputError: The recipe has no `synth`.
    """
    spec = recipe.synth
    if spec is None:
        raise InputError(
            f"the recipe of {recipe.name} has no `synth`, so --synth has nothing to render",
            remedy="add synth: {clips_per_label: 60, seed: 1}, or name audio with --data",
        )
    versions = {name: library_versions()[name] for name in ("numpy", "scipy")}
    key = key_of("synth", CLASSES, spec.clips_per_label, spec.seed, _source_hashes(), versions)
    folder = cache.folder / "synth" / key
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.parent))
    try:
        with tqdm(desc="rendering", unit="clip", total=spec.clips_per_label * len(CLASSES)) as bar:

            def advance(done: int, total: int) -> None:
                bar.update(done - bar.n)

            write_training_set(part, spec.clips_per_label, spec.seed, advance)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def score_renderings(folder: Path, recipe: Recipe, *, count: int = 20) -> str:
    """Score a model on recordings it has not seen, rendered with the truth of what sounds when.

    Args:
        folder: The model folder.
        recipe: Its `synth.seed` is kept away from.
        count: One-minute recordings.

    Returns:
        A sentence of Markdown with the macro ROC-AUC.
    """
    from edge.load import load_model  # noqa: PLC0415 (the backends are heavy)

    assert recipe.synth is not None
    model = load_model(folder)
    columns = [model.info.labels.index(label) for label in LABELS]
    first = (recipe.synth.seed + 1) * _SEEDS_A_SET + 1
    said, true = [], []
    for seed in tqdm(range(first, first + count), desc="fresh recordings", unit="file"):
        recording = render_recording(seed)
        block = AudioBlock(f"{seed}", 0, recording.sample_rate_hz, recording.samples)
        windows = [x.scores for x in score([block], model) if isinstance(x, Prediction)]
        said.append(np.stack(windows)[:, columns])
        true.append(truth(recording))
    model.close()
    area = macro_roc_auc(np.concatenate(true), np.concatenate(said))
    return (
        f"Macro ROC-AUC {area:.3f} over {len(LABELS)} voices in {12 * count} windows of {count} "
        f"one-minute recordings (`edge_build.synth.render_recording`, seeds {first} to "
        f"{first + count - 1}) in which three to five kinds call, often at once, over wind, rain, "
        "hum, a stream or a quiet night; the training clips hold one kind each."
    )


def _source_hashes() -> list[str]:
    """Hash the synthesiser's own source: other code renders other clips."""
    import edge_build.synth  # noqa: PLC0415 (its folder is wanted, not its names)
    from edge.model.folder import sha256_of  # noqa: PLC0415

    folder = Path(edge_build.synth.__file__).parent
    return [sha256_of(path) for path in sorted(folder.glob("*.py"))]


_SEEDS_A_SET = 1_000_000

"""Which model a head is put on: one that is there, or tokens learnt from the clips themselves."""

import importlib.resources
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from edge.errors import EdgeError
from edge.load import check_runtime, find_model
from edge.model.folder import read_folder
from edge.model.manifest import LicenceSpec
from edge_build.cache import Cache
from edge_build.dataset import Clip
from edge_build.folder import write_folder
from edge_build.learn import Chain
from edge_build.recipe import read_recipe

TOKENS = "stsg"
"""Names, as a base, an STSG model that is learnt from the clips."""
PREFERRED = "birdnet-v2.4"
OWN_LICENCE = "that of your recordings"


def choose_base(
    *, models_dir: Path | None = None, model_files: Sequence[Path] = ()
) -> tuple[str, str]:
    """Choose a base where none is named: BirdNET where it is complete here, otherwise tokens.

    Returns:
        Its name, and a note that says why.
    """
    try:
        folder = find_model(PREFERRED, models_dir=models_dir)
        check_runtime(folder, read_folder(folder, external=model_files).manifest)
    except EdgeError as error:
        why = f"{PREFERRED} is not complete here ({error.remedy})"
        return TOKENS, f"no --base: {TOKENS}, learnt from these clips alone, for {why}"
    return PREFERRED, f"no --base: {PREFERRED} is taken"


@contextmanager
def found_base(
    name: str, clips: Sequence[Clip], *, models_dir: Path | None, cache: Cache
) -> Iterator[tuple[Path, list[str]]]:
    """Find a base's folder, or learn one from clips, which lasts as long as the context.

    Args:
        name: Of a model, or TOKENS.
        clips: What tokens are learnt from, without labels.
        models_dir: A folder of model folders that is looked through before the shipped ones.
        cache: Keeps what tokens are made of.

    Yields:
        The folder, and notes on what was made smaller, a line each.

    Raises:
        EdgeError: No such model, or clips that no tokens can be learnt from.
    """
    if name != TOKENS:
        yield find_model(name, models_dir=models_dir), []
        return
    path = Path(str(importlib.resources.files("edge_models"))) / "recipes" / "stsg-esc10.yaml"
    recipe = msgspec.structs.replace(
        read_recipe(path),
        name=TOKENS,
        licence=LicenceSpec(name=OWN_LICENCE, commercial_use=True),
        source="your recordings",
        recording=None,
    )
    chain = Chain(recipe, cache)
    # Bad clips are told of when their windows are looked for.
    labelled, _, _ = chain.prepare(clips, [])
    learnt = chain.learn(labelled, [])
    with TemporaryDirectory() as place:
        yield write_folder(Path(place) / TOKENS, recipe, path, learnt), list(learnt.notes)

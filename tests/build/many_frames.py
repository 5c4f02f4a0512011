"""Fits a codebook to invented frames on disk, and says what memory that took.

    python many_frames.py FOLDER FRAMES BANDS DIMS TOKENS ROUNDS

Frames are sums of a spectrum out of many and two rows of noise, written as the cache holds them.
"""

import json
import sys
import threading
import time
from pathlib import Path

import msgspec
import numpy as np

from edge_build.cache import Steps
from edge_build.codebook import fit_codebook
from edge_build.frames import Frames
from edge_build.recipe import Recipe, read_recipe
from edge_build.recipe_parts import TokenRecipe

FRAMES_A_CLIP = 10_000
RECIPE = Path(__file__).resolve().parents[2] / "models" / "recipes" / "stsg-v2.2.yaml"


def write_frames(folder: Path, *, frames: int, bands: int) -> list[int]:
    """Write clips `0.npy`, `1.npy`, ... unless they are there; return how many frames each has."""
    folder.mkdir(exist_ok=True)
    generator = np.random.Generator(np.random.PCG64(11))
    spectra = generator.normal(0.0, 900.0, (2_000, bands)).astype("<i2")
    noise = generator.normal(0.0, 250.0, (8_000, bands)).astype("<i2")
    counts = [min(FRAMES_A_CLIP, frames - first) for first in range(0, frames, FRAMES_A_CLIP)]
    for number, count in enumerate(counts):
        path = folder / f"{number}.npy"
        kinds = generator.integers(0, len(spectra), count)
        rows = generator.integers(0, len(noise), (2, count))
        if not path.exists():
            np.save(path, spectra[kinds] + noise[rows[0]] + noise[rows[1]])
    return counts


def recipe_of(
    *, bands: int, frames: int, dims: int, tokens: int, rounds: int, whitening: float = 0.0
) -> Recipe:
    """Return a recipe that fits PCA and K-means to every frame."""
    recipe = read_recipe(RECIPE)
    return msgspec.structs.replace(
        recipe,
        features=msgspec.structs.replace(recipe.features, mel_bands=bands),
        tokens=TokenRecipe(
            dims=dims,
            whitening=whitening,
            count=tokens,
            iterations=rounds,
            pca_frames=frames,
            kmeans_frames=frames,
        ),
    )


def status(name: str) -> int:
    """Return a figure of this process, in bytes, from /proc."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


class AnonymousPeak(threading.Thread):
    """Looks, over and over, how much of the memory is no mapped file."""

    def __init__(self) -> None:
        super().__init__(name="peak", daemon=True)
        self.peak = 0

    def run(self) -> None:
        """Look until the process ends."""
        while True:
            self.peak = max(self.peak, status("RssAnon"))
            time.sleep(0.02)


def main(folder: Path, frames: int, bands: int, dims: int, tokens: int, rounds: int) -> None:
    """Write the frames, fit, and print a line of JSON."""
    recipe = recipe_of(bands=bands, frames=frames, dims=dims, tokens=tokens, rounds=rounds)
    folder.mkdir(exist_ok=True)
    counts = write_frames(folder / "frames", frames=frames, bands=bands)
    before = {"rss": status("VmRSS"), "anonymous": status("RssAnon")}
    watch = AnonymousPeak()
    watch.start()
    begun = time.monotonic()
    fit_codebook(
        lambda number: Frames(folder / "frames" / f"{number}.npy"),
        counts,
        recipe,
        tokens=tokens,
        path=folder / "codebook.faiss",
        steps=Steps(folder / "steps"),
    )
    figures = {
        "before": before,
        "peak_rss": status("VmHWM"),
        "peak_anonymous": watch.peak,
        "seconds": round(time.monotonic() - begun, 1),
    }
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))

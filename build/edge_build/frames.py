"""From audio files to what the fits see: mel frames on disk, and tokens, both the runtime's own."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.contracts import FloatArray
from edge.dsp.framing import Framer
from edge.dsp.resample import StreamResampler
from edge.dsp.validity import MOST_MAGNITUDE, find_unusable
from edge.errors import AudioError
from edge.sources.file import AudioFile
from edge.stsg.codebook import TokenArray
from edge.stsg.features import FeatureExtractor
from edge.stsg.spec import FeatureSpec, Normalisation
from edge.stsg.tokenizer import Tokenizer
from edge.windows.tail import count_frames
from edge_build.cache import Cache, key_of
from edge_build.dataset import Clip
from edge_build.pinned import library_versions
from edge_build.recipe import Recipe


def stream_samples(path: Path, *, sample_rate_hz: int) -> Iterator[FloatArray]:
    """Yield a file's samples, mono at `sample_rate_hz`, up to the end of its last 5 s window.

    The windows are those the runtime scores: a last one with at least a second of audio is
    completed with zeros, a shorter one left out.

    Raises:
        AudioError: Not audio, samples that `find_unusable` finds, a hole in the middle, or under a
            second of it.
    """
    resampler: StreamResampler | None = None
    held: list[FloatArray] = []
    samples = end = 0
    with AudioFile(path) as file:
        for block in file:
            if resampler is None:
                resampler = StreamResampler(from_hz=block.sample_rate_hz, to_hz=sample_rate_hz)
            if block.start_sample != end:
                raise AudioError(
                    f"{path}: some of it is missing at {end / block.sample_rate_hz:.1f} s"
                )
            end = block.end_sample
            if find_unusable(block.samples) is not None:
                raise AudioError(
                    f"{path}: holds samples that are NaN, infinite or beyond ±{MOST_MAGNITUDE:g}"
                )
            part = resampler.push(block.samples)
            samples += len(part)
            held.append(part)
            # The last window stays here until it is known what becomes of it.
            while held and sum(map(len, held[1:])) >= 5 * sample_rate_hz:
                yield held.pop(0)
    if resampler is not None:
        held.append(resampler.finish())
        samples += len(held[-1])
    count = count_frames(samples, sample_rate_hz=sample_rate_hz)
    if not count.frames:
        raise AudioError(f"{path}: {samples / sample_rate_hz:.2f} s are too short for a window")
    rest = np.concatenate(held)
    yield np.pad(rest[: len(rest) - count.skipped], (0, count.padding))


def try_each(
    clips: Sequence[Clip], use: Callable[[Clip], None], *, task: str
) -> tuple[list[Clip], list[str]]:
    """Use each clip; one whose audio is bad costs only itself.

    Args:
        clips: What to use.
        use: Raises AudioError where a clip cannot be used.
        task: What the progress bar says.

    Returns:
        good: The clips that were used.
        bad: Why each of the others was not, a line each.
    """
    good, bad = [], []
    for clip in tqdm(clips, desc=task, unit="file"):
        try:
            use(clip)
            good.append(clip)
        except AudioError as error:
            # The lines go into model cards, which say nothing of the machine they were made on.
            bad.append(f"{clip.name}: {error.what.removeprefix(f'{clip.path}: ')}")
    return good, bad


class Frames:
    """A clip's frames on disk: any of them are read when they are asked for.

    Args:
        path: The `.npy`, of float32 or of int16 steps of the grid.
    """

    def __init__(self, path: Path) -> None:
        self._stored: NDArray[np.generic] = np.load(path, mmap_mode="r", allow_pickle=False)

    def __len__(self) -> int:
        return len(self._stored)

    def __getitem__(self, rows: slice | NDArray[np.intp]) -> FloatArray:
        """Return some rows, float32 [shape=(n, mel_bands)]."""
        part = self._stored[rows]
        if part.dtype == np.float32:
            return np.asarray(part, dtype=np.float32)
        return np.asarray(np.multiply(part, 1.0 / _GRID, dtype=np.float32))


class FrameStore:
    """The mel frames of any number of clips: one `.npy` a clip in the cache, memory-mapped.

    Features are computed in float64 and rounded to a grid, so that the last bits of one machine's
    arithmetic do not reach the fits. Where the grid's steps fit in 16 bits they are what is
    stored: half the disk, and the same numbers. Standardised frames always do; frames in dB, which
    span more than 64 dB as a rule, are stored as float32.

    Args:
        recipe: Says what the frames are.
        cache: Keeps them.
    """

    def __init__(self, recipe: Recipe, cache: Cache) -> None:
        self._extractor = FeatureExtractor(recipe.feature_spec())
        self._parameters = [
            recipe.sample_rate,
            msgspec.to_builtins(recipe.features),
            _GRID,
            MOST_MAGNITUDE,
            library_versions()["soxr"],
        ]
        self._cache = cache
        self._paths: dict[str, Path] = {}

    def add(self, clips: Sequence[Clip]) -> tuple[list[Clip], list[str]]:
        """Compute the frames of clips that have none yet.

        Returns:
            good: The clips that have frames now.
            bad: Why each of the others was left out, a line each.
        """

        def compute(clip: Clip) -> None:
            key = key_of("frames", clip.sha256, self._parameters)
            self._paths[clip.sha256] = self._cache.get(
                "frames", key, ".npy", partial(self._write, clip)
            )

        return try_each(clips, compute, task="mel frames")

    def opened(self, clip: Clip) -> Frames:
        """Return a clip's frames without reading them."""
        return Frames(self._paths[clip.sha256])

    def frames(self, clip: Clip) -> FloatArray:
        """Return all of a clip's frames, float32 [shape=(n, mel_bands)]."""
        return self.opened(clip)[:]

    def blocks(self, clip: Clip) -> Iterator[FloatArray]:
        """Yield a clip's frames, float32 [shape=(n, mel_bands)], at most ROWS_AT_ONCE a block."""
        frames = self.opened(clip)
        for first in range(0, len(frames), ROWS_AT_ONCE):
            yield frames[first : first + ROWS_AT_ONCE]

    def _write(self, clip: Clip, path: Path) -> None:
        spec = self._extractor.spec
        framer = Framer(frame_size=spec.frame_size, hop=spec.hop)
        dtype = _STEPS if _fits_steps(spec) else "<f4"
        with path.open("wb") as file:
            rows = 0
            # NumPy pads the header so that the row count may grow without moving the data.
            _write_header(file, dtype, 0, spec.mel_bands)
            for samples in stream_samples(clip.path, sample_rate_hz=spec.sample_rate_hz):
                frames = framer.push(samples)
                steps = np.round(self._extractor.exact(frames) * _GRID)
                stored = steps if dtype == _STEPS else steps / _GRID
                file.write(stored.astype(dtype).tobytes())
                rows += len(frames)
            file.seek(0)
            _write_header(file, dtype, rows, spec.mel_bands)


class TokenStore:
    """The tokens of clips by one codebook: decoded, framed and searched as at run time.

    Args:
        tokenizer: The runtime's.
        codebook_key: Stands for the tokenizer in the cache.
        recipe: Says how many tokens a window has.
        cache: Keeps them.
    """

    def __init__(
        self, tokenizer: Tokenizer, codebook_key: str, recipe: Recipe, cache: Cache
    ) -> None:
        self._tokenizer = tokenizer
        self._key = codebook_key
        self._rate_hz = recipe.sample_rate
        self._cache = cache

    def tokens(self, clips: Iterable[Clip]) -> list[TokenArray]:
        """Return each clip's tokens, int32 [shape=(n,)]."""
        found = []
        for clip in tqdm(list(clips), desc="tokens", unit="file"):
            key = key_of("tokens", clip.sha256, self._key, library_versions()["soxr"])
            path = self._cache.get("tokens", key, ".npy", partial(self._write, clip))
            found.append(np.load(path, allow_pickle=False))
        return found

    def _write(self, clip: Clip, path: Path) -> None:
        stream = self._tokenizer.open()
        blocks = stream_samples(clip.path, sample_rate_hz=self._rate_hz)
        tokens = np.concatenate([stream.push(samples) for samples in blocks])
        with path.open("wb") as file:
            np.save(file, tokens)


def hash_arrays(arrays: Iterable[NDArray[np.generic]]) -> str:
    """Hash the bytes of arrays, and where one ends and the next begins."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _fits_steps(spec: FeatureSpec) -> bool:
    """Say whether every frame's values are steps of the grid that 16 bits hold.

    Of m numbers with mean 0 and deviation 1 none is beyond sqrt(m - 1).
    """
    largest = np.sqrt(spec.mel_bands - 1) * _GRID
    return spec.normalisation is Normalisation.STANDARD and bool(largest < np.iinfo(_STEPS).max)


def _write_header(file: object, dtype: str, rows: int, columns: int) -> None:
    np.lib.format.write_array_header_1_0(
        file,  # type: ignore[arg-type]
        {"descr": dtype, "fortran_order": False, "shape": (rows, columns)},
    )


ROWS_AT_ONCE = 1 << 16
"""Frames of a long recording that are read at once: two hours, 200 MB of 768 bands."""

_GRID = 1024.0
_STEPS = "<i2"

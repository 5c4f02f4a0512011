"""The recipe: one strict YAML file that says everything about how a model is made."""

import re
from pathlib import Path
from typing import Annotated

import msgspec
import yaml
from msgspec import Meta

from edge import strict_yaml
from edge.contracts import FRAME_SECONDS
from edge.errors import ConfigError
from edge.model.manifest import FeaturesSpec, LicenceSpec, Name, PoolSpec, Positive
from edge.strict_yaml import Record, RefusedError
from edge.stsg.pooling import Part, Rows, Statistic
from edge.stsg.spec import FeatureSpec
from edge_build.recipe_parts import (
    HeadRecipe,
    Seed,
    StudentRecipe,
    SynthRecipe,
    TablePart,
    TokenRecipe,
    Word2vecRecipe,
)


class Recipe(Record, frozen=True):
    """The whole of a recipe."""

    name: Name
    """Of the recipe, in tables; a model is called after the folder it is written to."""
    version: str
    licence: LicenceSpec
    source: str
    """Where the audio is from, for whoever reads the model card."""
    sample_rate: Positive = 32_000
    """Hz."""
    features: FeaturesSpec = FeaturesSpec()
    tokens: TokenRecipe | None = TokenRecipe()
    """null for a model without points and tokens."""
    word2vec: Word2vecRecipe = Word2vecRecipe()
    table: Annotated[tuple[TablePart, ...], Meta(min_length=1)] = (TablePart.WORD2VEC,)
    window: Annotated[tuple[PoolSpec, ...], Meta(min_length=1)] = (
        PoolSpec(of=Rows.VECTORS, by=(Statistic.MEAN,)),
    )
    """How a window's frames become the vector that the head takes."""
    head: HeadRecipe = HeadRecipe()
    base: str | None = None
    """Name or folder of a model whose embedding of each 5 s window the head takes, in the place of
    frames, tokens and vectors."""
    student: StudentRecipe | None = None
    """In the place of window and head: what a teacher makes of the audio is learnt."""
    seed: Seed = 1
    recording: str | None = None
    """Regular expression with one group, searched for in a file's name: clips with the same group
    are of one recording and stay together. By default each file is a recording of its own."""
    deterministic: bool = True
    """One thread and pinned arithmetic: the same bits again. Faster without."""
    synth: SynthRecipe | None = None

    def feature_spec(self) -> FeatureSpec:
        """Return the signal arithmetic, as the runtime knows it.

        Raises:
            ValueError: Values that do not fit one another.
        """
        return FeatureSpec(sample_rate_hz=self.sample_rate, **msgspec.structs.asdict(self.features))

    @property
    def parts(self) -> list[Part]:
        """The parts of a window's vector, as the runtime knows them."""
        return [Part(part.of, part.by) for part in self.window]

    @property
    def needs(self) -> frozenset[Rows]:
        """What of frames a window's vector is made of; vectors, too, where they are."""
        kinds = {part.of for part in self.window}
        return frozenset(kinds | ({Rows.TOKENS} if Rows.VECTORS in kinds else set()))

    @property
    def frames_per_window(self) -> int:
        """Frames, and so tokens, of one 5-second window."""
        return round(FRAME_SECONDS * self.sample_rate) // self.features.hop


def is_recipe(name: str) -> bool:
    """Say whether a name on the command line is a recipe's, and not a model's."""
    return name.endswith((".yaml", ".yml"))


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        ConfigError: Naming the file, line, key and what would be right.
    """
    recipe = strict_yaml.read(path, Recipe)
    _check_base(path, recipe)
    try:
        recipe.feature_spec()
    except ValueError as reason:
        raise ConfigError(f"{path}: features: {reason}", remedy="mend the features") from None
    if round(FRAME_SECONDS * recipe.sample_rate) % recipe.features.hop:
        raise ConfigError(
            f"{path}: features.hop: {recipe.features.hop} samples do not divide a 5 s window",
            remedy=f"choose a divisor of {round(FRAME_SECONDS * recipe.sample_rate)}",
        )
    _check_window(path, recipe)
    _check_student(path, recipe)
    _check_books(path, recipe)
    if recipe.tokens is not None and recipe.tokens.dims > recipe.features.mel_bands:
        raise ConfigError(
            f"{path}: tokens.dims: {recipe.tokens.dims} dimensions cannot be taken from "
            f"{recipe.features.mel_bands} mel bands",
            remedy="choose dims of at most features.mel_bands",
        )
    if recipe.recording is not None:
        one_group(recipe.recording, where=f"{path}: recording")
    return recipe


def _check_books(path: Path, recipe: Recipe) -> None:
    """See that several codebooks can share the dimensions."""
    spec = recipe.tokens
    if spec is None or spec.books == 1:
        return
    if spec.dims % spec.books:
        raise ConfigError(
            f"{path}: tokens.books: {spec.books} codebooks cannot share {spec.dims} dimensions",
            remedy="choose dims that are a multiple of books",
        )
    if spec.count & (spec.count - 1) or spec.count < 2:
        raise ConfigError(
            f"{path}: tokens.count: {spec.count} is no power of two, as several codebooks need it",
            remedy="choose one, such as 256",
        )
    if recipe.student is not None:
        raise ConfigError(
            f"{path}: tokens.books: a student takes one token a frame, not {spec.books}",
            remedy="take books out",
        )


def _check_window(path: Path, recipe: Recipe) -> None:
    """See that what a window is made of is made."""
    remedy = "pool what there is, or describe what is missing"
    if Rows.TOKENS in {part.of for part in recipe.window}:
        raise ConfigError(
            f"{path}: window: tokens are numbers and cannot be pooled",
            remedy="pool vectors, points or features",
        )
    if recipe.tokens is None and recipe.needs & {Rows.POINTS, Rows.TOKENS}:
        raise ConfigError(
            f"{path}: window: there are neither points nor vectors without `tokens`", remedy=remedy
        )
    if Rows.TOKENS in recipe.needs and recipe.tokens is not None and not recipe.tokens.count:
        raise ConfigError(
            f"{path}: tokens.count: is 0, but the window pools vectors", remedy=remedy
        )


def _check_student(path: Path, recipe: Recipe) -> None:
    """See that a student has tokens, and that nothing is said that it does not use."""
    if recipe.student is None:
        return
    if recipe.tokens is None or not recipe.tokens.count:
        raise ConfigError(
            f"{path}: student: takes tokens, and there are none", remedy="state tokens.count"
        )
    if recipe.student.kernel % 2 == 0:
        raise ConfigError(
            f"{path}: student.kernel: {recipe.student.kernel} tokens have no middle",
            remedy="choose an odd number",
        )
    usual = {field.name: field.default for field in msgspec.structs.fields(Recipe)}
    for key in ("window", "head", "synth"):
        if getattr(recipe, key) != usual[key]:
            raise ConfigError(
                f"{path}: {key}: has no use beside student", remedy="take one of the two out"
            )


def _check_base(path: Path, recipe: Recipe) -> None:
    """See that a recipe of a head on a model says nothing of what the model does itself."""
    if recipe.base is None:
        return
    written = yaml.safe_load(path.read_text("utf-8"))
    for key in _OF_FRAMES:
        if key in written:
            raise strict_yaml.located(
                path,
                RefusedError(
                    "has no use beside base, whose embeddings the head takes",
                    remedy=f"take {key} or base out",
                    key=key,
                ),
            )
    if recipe.head.band_shift:
        raise strict_yaml.located(
            path,
            RefusedError(
                "moves mel bands, and with base there are none",
                remedy="take band_shift or base out",
                key="head.band_shift",
            ),
        )


def refuse_student(path: Path, recipe: Recipe, *, command: str) -> None:
    """Refuse a recipe that learns from a teacher where labels are learnt.

    Raises:
        ConfigError: It is one.
    """
    if recipe.student is not None:
        raise ConfigError(
            f"{path}: student: learns from a teacher, and {command} from labels",
            remedy="run `edge-build train` with it, which measures its agreement with the teacher",
        )


def one_group(pattern: str, *, where: str) -> re.Pattern[str]:
    """Compile a regular expression that has exactly one group.

    Raises:
        ConfigError: It has not, naming `where`.
    """
    remedy = r"write one with a single group in parentheses, such as '^\d-(\d+)-'"
    try:
        compiled = re.compile(pattern)
    except re.error as reason:
        raise ConfigError(
            f"{where}: {pattern!r} is no regular expression: {reason}", remedy=remedy
        ) from None
    if compiled.groups != 1:
        raise ConfigError(f"{where}: {pattern!r} has {compiled.groups} groups", remedy=remedy)
    return compiled


_OF_FRAMES = (
    *("sample_rate", "features", "tokens", "word2vec", "table", "window"),
    *("student", "synth"),
)
"""Keys of how frames are made and what becomes of them."""

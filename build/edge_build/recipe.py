"""The recipe: one strict YAML file that says everything about how a model is made."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from edge import strict_yaml
from edge.contracts import FRAME_SECONDS
from edge.errors import ConfigError
from edge.model.manifest import (
    FeaturesSpec,
    LicenceSpec,
    Name,
    PoolSpec,
    Positive,
    PositiveFloat,
)
from edge.strict_yaml import Record
from edge.stsg.pooling import Part, Rows, Statistic
from edge.stsg.spec import FeatureSpec

Share = Annotated[float, Meta(gt=0, lt=1)]
Count = Annotated[int, Meta(ge=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Seed = Annotated[int, Meta(ge=0, lt=2**31)]


class Projection(StrEnum):
    """How mel bands become points."""

    PCA = "pca"
    """Fitted to the frames (section 3.2.1)."""
    MFCC = "mfcc"
    """The cosine transform of the bands: cepstral coefficients, as the first recipe had them."""


class TokenRecipe(Record, frozen=True):
    """How frames become points, and points tokens: PCA, then K-means (section 3.2.1)."""

    projection: Projection = Projection.PCA
    dims: Positive = 128
    """Dimensions that are kept."""
    whitening: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """How far the dimensions are brought to equal variance before distances are taken: 0 not at
    all, 1 wholly. Without it the loudest differences, often the background's, make the tokens."""
    count: Count = 16_384
    """Centroids K, of each codebook; 0 for points without tokens."""
    books: Positive = 1
    """Codebooks, each over every `books`-th dimension, and so tokens of a frame. More than one:
    `dims` is a multiple of it, and `count` a power of two."""
    iterations: Positive = 25
    """Rounds of K-means."""
    pca_frames: Positive = 200_000
    """At most so many frames, drawn with the seed, fit the PCA."""
    kmeans_frames: Positive = 1_000_000
    """At most so many projected frames, drawn with the seed, fit the centroids."""


class Word2vecRecipe(Record, frozen=True):
    """How tokens become vectors: gensim's skip-gram, min_count 1 (section 3.2.2)."""

    vector_size: Positive = 1024
    window: Positive = 80
    """Tokens looked at on either side, at most."""
    negative: Positive = 5
    ns_exponent: float = 0.75
    sample: NotNegative = 1e-5
    """Frequent tokens are thinned out above this share; 0 keeps all."""
    epochs: Positive = 100


class TablePart(StrEnum):
    """What the table of vectors holds of each token; parts stand side by side in a row."""

    WORD2VEC = "word2vec"
    """Its skip-gram vector."""
    CENTROID = "centroid"
    """Its centroid: the look-up of the point itself, rounded."""


class HeadRecipe(Record, frozen=True):
    """How vectors become scores: the paper's head, trained by scikit-learn."""

    hidden: Positive = 512
    learning_rate: PositiveFloat = 1e-3
    batch: Positive = 64
    max_epochs: Positive = 50
    patience: Positive = 5
    """Epochs without gain on the validation loss after which training stops."""
    validation_share: Share = 0.2
    """Share of the clips of each class, by whole recordings, that training does not see."""
    members: Positive = 1
    """Heads, each validated on other recordings, whose logits are averaged: one wider head."""
    band_shift: Count = 0
    """Train also on the clips with their mel bands moved by one to so many bands, up and down:
    the same sounds, higher and lower."""
    standardise: bool = True
    """Bring each dimension to mean 0 and deviation 1 first; folded into the exported head."""


class StudentRecipe(Record, frozen=True):
    """A 1D-CNN on tokens that is taught to answer as another model does (section 3.2.3, Table 3).

    It takes the place of window and head, and needs no labels.
    """

    teacher: str
    """Name or folder of the model that it learns from."""
    most_labels: Count = 0
    """At most so many of the teacher's labels: those it scores highest anywhere in the audio that
    is learnt from; 0 for all. The rest of labels that exclude one another are one label, which the
    student keeps to itself."""
    temperature: PositiveFloat = 2.0
    """Softens both sides: logits are divided by it, and the loss is multiplied by its square."""
    channels: Positive = 512
    kernel: Positive = 3
    """Tokens that a convolution looks at; odd."""
    layers: Positive = 1
    """Convolutions."""
    hidden: Positive = 512
    """Size of the layer between pooling and labels."""
    learning_rate: PositiveFloat = 1e-3
    batch: Annotated[int, Meta(ge=2)] = 64
    epochs: Positive = 50
    patience: Positive = 5
    """Epochs without gain on the validation loss after which training stops."""
    validation_share: Share = 0.2
    """Share of the recordings that tells when to stop."""
    held_out_share: Share = 0.2
    """Share of the recordings that no part of the training hears: the agreement is theirs."""


class SynthRecipe(Record, frozen=True):
    """Clips that `edge_build.synth` renders, for `--synth` in place of `--data`."""

    clips_per_label: Positive
    seed: Seed


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

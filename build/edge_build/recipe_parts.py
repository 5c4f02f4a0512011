"""The parts of a recipe: how tokens, vectors, heads and students are made."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from edge.model.manifest import Positive, PositiveFloat
from edge.strict_yaml import Record

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

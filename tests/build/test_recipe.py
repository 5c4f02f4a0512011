import pytest
from tiny_training import RECIPE, REPOSITORY, write_recipe

from edge.errors import ConfigError
from edge_build.recipe import read_recipe

REPOSITORY_RECIPES = ("stsg-demo", "stsg-esc10")


def test_recipe_defaults(tmp_path):
    """What a recipe leaves out is the paper's: 512 hidden units, Adam 1e-3, patience 5."""
    text = RECIPE.replace("head: {hidden: 64, max_epochs: 30, learning_rate: 0.01}\n", "")
    head = read_recipe(write_recipe(tmp_path, text)).head
    expected = (512, 1e-3, 64, 50, 5, 0.2)
    assert expected == (
        head.hidden,
        head.learning_rate,
        head.batch,
        head.max_epochs,
        head.patience,
        head.validation_share,
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("epochs: 3}", "epoch: 3}", "word2vec.epoch: unknown key"),
        ("name: tiny", "name: tiny\nname: tiny", "'name' is given twice"),
        ("dims: 4", "dims: 0", "tokens.dims: Expected `int` >= 1"),
        ("dims: 4", "dims: 40", "tokens.dims: 40 dimensions"),
        ("dims: 4", "dims: 4, books: 3", "tokens.books: 3 codebooks cannot share 4"),
        ("dims: 4", "dims: 4, books: 2", "tokens.count: 24 is no power of two"),
        ("count: 24", 'count: "24"', "tokens.count: Expected `int`"),
        ("mel_bands: 32", "mel_bands: 32, hop: 6000", "features.hop: 6000"),
        ("mel_bands: 32", "mel_bands: 32, fft_size: 4096", "features: fft_size 4096"),
        (r"^(r\d+)", "^(r", "recording: '^(r' is no regular expression"),
        (r"^(r\d+)", "^r", "recording: '^r' has 0 groups"),
        ("version", "verzion", "unknown key"),
    ],
)
def test_bad_recipe(tmp_path, old, new, said):
    """A bad recipe is refused with its file, key and a remedy."""
    path = write_recipe(tmp_path, RECIPE.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        read_recipe(path)
    assert caught.value.what.startswith(str(path))
    assert said in caught.value.what
    assert caught.value.remedy


@pytest.mark.parametrize("name", REPOSITORY_RECIPES)
def test_shipped_recipe_is_the_one_in_the_folder(name):
    """A shipped model folder holds the recipe it was made by, to the byte."""
    recipe = REPOSITORY / "models" / "recipes" / f"{name}.yaml"
    assert recipe.read_bytes() == (REPOSITORY / "models" / name / "recipe.yaml").read_bytes()


PAPER = {
    "stsg-v1": ("mfcc", 20, 16_384, 384, 80, 0.75, 1e-4, 100),
    "stsg-v2.0": ("pca", 128, 16_384, 1024, 80, 1.5, 1e-5, 100),
    "stsg-v2.1": ("pca", 128, 16_384, 1024, 80, 0.0, 1e-5, 100),
    "stsg-v2.2": ("pca", 128, 16_384, 1024, 80, -0.75, 1e-4, 100),
}


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_recipes_are_the_papers(name):
    """Projection, dimensions, centroids, and the skip-gram's parameters."""
    recipe = read_recipe(REPOSITORY / "models" / "recipes" / f"{name}.yaml")
    tokens, vectors = recipe.tokens, recipe.word2vec
    assert PAPER[name] == (
        tokens.projection,
        tokens.dims,
        tokens.count,
        vectors.vector_size,
        vectors.window,
        vectors.ns_exponent,
        vectors.sample,
        vectors.epochs,
    )
    assert (vectors.negative, tokens.whitening) == (5, 0.0)
    assert [(part.of, part.by) for part in recipe.window] == [("vectors", ("mean",))]
    assert (recipe.features.mel_bands, recipe.features.normalisation) == (
        (128, "none") if name == "stsg-v1" else (768, "standard")
    )


@pytest.mark.parametrize("path", sorted((REPOSITORY / "models" / "recipes").glob("*.yaml")))
def test_every_recipe_can_be_read(path):
    """And is called as its file is."""
    assert read_recipe(path).name == path.stem


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("tokens: null", "without `tokens`"),
        ("tokens: {dims: 4, count: 0}", "tokens.count: is 0"),
        ("window: [{of: tokens, by: [mean]}]", "tokens are numbers"),
        ("window: []", "window"),
        ("window: [{of: points, by: []}]", "window"),
        ("window: [{of: points, by: [median]}]", "window"),
    ],
)
def test_a_window_of_what_is_not_made(tmp_path, change, said):
    """What a window pools must be described."""
    text = RECIPE
    if change.startswith("tokens"):
        text = text.replace("tokens: {dims: 4, count: 24, iterations: 4}\n", "")
    with pytest.raises(ConfigError) as caught:
        read_recipe(write_recipe(tmp_path, f"{text}\n{change}\n"))
    assert said in caught.value.what

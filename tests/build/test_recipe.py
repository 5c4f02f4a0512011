import pytest
from tiny_training import RECIPE, write_recipe

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
        ("count: 24", 'count: "24"', "tokens.count: Expected `int`"),
        ("mel_bands: 32", "mel_bands: 32, hop: 3000", "features.hop: 3000"),
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
    from tiny_training import REPOSITORY

    recipe = REPOSITORY / "models" / "recipes" / f"{name}.yaml"
    assert recipe.read_bytes() == (REPOSITORY / "models" / name / "recipe.yaml").read_bytes()

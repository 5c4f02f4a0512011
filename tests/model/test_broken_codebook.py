import pytest
import yaml
from tiny_stsg import seal, write_tiny_stsg

from edge.errors import ModelError
from edge.load import load_model


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_broken_codebook_is_refused_in_words_of_ours(tmp_path, share):
    """What Faiss says of its own source files helps nobody."""
    folder = write_tiny_stsg(tmp_path / "tiny")
    content = (folder / "codebook.faiss").read_bytes()
    kept = content[: round(share * len(content))]
    (folder / "codebook.faiss").write_bytes(kept.ljust(len(content) - 1, b"x")[: len(kept) or 500])
    seal(folder, yaml.safe_load((folder / "model.yaml").read_text()))
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    expected = "files.codebook: codebook.faiss cannot be used: it is broken, or no index of Faiss"
    assert caught.value.what.endswith(expected)
    assert caught.value.remedy == "build the model again"

import pytest

from edge.errors import ConfigError
from edge.post.smooth import Smooth
from edge.post.threshold import Threshold
from edge.refine import build_post, read_post, unknown_labels


def test_list_becomes_post_processors_in_order(tmp_path):
    """Each item of the list names one, which is built for the model's labels."""
    path = tmp_path / "post.yaml"
    path.write_text(
        "[{smooth: {kernel: [0.1, 0.8, 0.1]}}, {threshold: {default: 0.5, labels: {x: 0.3}}}]"
    )
    specs = read_post(path)
    assert [Smooth, Threshold] == [type(p) for p in build_post(specs, ["x", "y"])]
    assert unknown_labels(specs, ["x", "y"]) == []
    assert unknown_labels(specs, ["y"]) == ["x"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- smoth: {kernel: [1]}", "2: [0].smoth: unknown key"),
        ("- smooth: {kernle: [1]}", "2: [0].smooth.kernle: unknown key"),
        ("- {}", "2: [0]: holds no post-processor"),
        (
            "- {smooth: {kernel: [1]}, threshold: {default: 0.5}}",
            "2: [0]: holds more than one post-processor",
        ),
        ("- smooth: {kernel: [1]}\n- threshold: {default: 1.5}", "[1].threshold.default: "),
        ("- threshold: {}", "2: [0].threshold.default: is missing"),
        ("- smooth: {kernel: []}", "2: [0].smooth.kernel: "),
        ("- smooth: {kernel: [0.5, 0.5]}", "2: [0].smooth: a kernel of 2 weights has no middle"),
        ("- smooth: {kernel: [1, 0, 1]}", "2: [0].smooth: a kernel needs weights"),
        ("smooth: {kernel: [1]}", "2: the whole file: "),
        ("- smooth: [", "3: is not valid YAML"),
    ],
)
def test_mistake_is_named_with_its_line_and_what_would_be_right(tmp_path, text, says):
    """A list that does not say what it must is refused, naming the place."""
    path = tmp_path / "post.yaml"
    path.write_text(f"# what refines\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        read_post(path)
    assert caught.value.what.startswith(f"{path}:")
    assert says in caught.value.what
    for example in ("- smooth: {kernel: [0.1, 0.8, 0.1]}", "- threshold: {default: 0.5"):
        assert example in caught.value.remedy


def test_file_that_is_not_there_has_a_remedy_of_its_own(tmp_path):
    """Nothing is said about lists where there is no file."""
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        read_post(tmp_path / "post.yaml")
    assert "check the path" in caught.value.remedy

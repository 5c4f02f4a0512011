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
        ("- smoth: {kernel: [1]}", "smoth"),
        ("- {}", "no post-processor"),
        ("- {smooth: {kernel: [1]}, threshold: {default: 0.5}}", "more than one"),
        ("- threshold: {default: 1.5}", "default"),
        ("- threshold: {}", "default"),
        ("- smooth: {kernel: []}", "kernel"),
        ("- smooth: {kernel: [0.5, 0.5]}", "middle"),
        ("smooth: {kernel: [1]}", "array"),
    ],
)
def test_mistake_is_named_with_a_remedy(tmp_path, text, says):
    """A list that does not say what it must is refused, naming the place."""
    path = tmp_path / "post.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says) as caught:
        build_post(read_post(path), ["x"])
    assert caught.value.remedy

import numpy as np
import pytest

from edge.contracts import Prediction, Unscored, Window, WindowState
from edge.post.smooth import Smooth


def predictions(rows: list[list[float]], *, model: str = "m@1") -> list[Prediction]:
    return [
        Prediction(Window("s", 5.0 * n, 5.0 * n + 5.0), model, np.array(row, dtype=np.float32))
        for n, row in enumerate(rows)
    ]


def test_scores_are_the_weighted_mean_of_the_neighbours():
    """The middle weight is the window's own, the first the earliest neighbour's."""
    smooth = Smooth([0.1, 0.8, 0.1])
    outcome = smooth(predictions([[1.0, 0.0], [0.0, 0.5], [0.0, 1.0]]), 1)
    np.testing.assert_allclose(outcome.scores, [0.1, 0.5], atol=1e-7)
    assert (smooth.behind, smooth.ahead) == (1, 1)


def test_weights_of_missing_neighbours_go_to_the_others():
    """At the ends of a segment, and beside a window without a prediction, the sum stays 1."""
    smooth = Smooth([0.1, 0.8, 0.1])
    first, second = predictions([[0.9], [0.0]])
    assert smooth([first, second], 0).scores[0] == pytest.approx(0.8)
    failed = Unscored(first.window, WindowState.FAILED, "why")
    assert smooth([failed, second], 1).scores[0] == second.scores[0]


def test_another_models_scores_do_not_count():
    """Labels of another model mean something else."""
    ours, theirs = predictions([[0.5]])[0], predictions([[1.0]], model="n@1")[0]
    assert Smooth([0.5, 0.5, 0.5])([theirs, ours, theirs], 1).scores[0] == np.float32(0.5)


def test_window_without_prediction_stays_as_it_is():
    """What was skipped is not made up from its neighbours."""
    skipped = Unscored(Window("s", 5.0, 10.0), WindowState.SKIPPED, "tail")
    assert Smooth([1, 1, 1])([*predictions([[1.0]]), skipped], 1) is skipped


@pytest.mark.parametrize("kernel", [[], [1.0, 1.0], [1.0, 0.0, 1.0], [-0.1, 1.0, 0.1]])
def test_kernel_without_a_middle_is_refused(kernel):
    """A kernel is odd, of weights of 0 or more, with weight in its middle."""
    with pytest.raises(ValueError, match="kernel"):
        Smooth(kernel)

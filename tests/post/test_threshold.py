import numpy as np

from edge.contracts import Prediction, Unscored, Window, WindowState
from edge.post.threshold import Threshold

WINDOW = Window("s", 0.0, 5.0)


def test_scores_below_their_threshold_become_zero():
    """A label's own threshold goes before the default; a score at it stays."""
    threshold = Threshold(["a", "b", "c"], default=0.5, by_label={"b": 0.25, "other": 0.1})
    scores = np.array([0.49, 0.25, 0.5], dtype=np.float32)
    outcome = threshold([Prediction(WINDOW, "m@1", scores)], 0)
    assert outcome.scores.tolist() == [0.0, 0.25, 0.5]
    assert (threshold.behind, threshold.ahead) == (0, 0)


def test_window_without_prediction_stays_as_it_is():
    """There is nothing to silence."""
    failed = Unscored(WINDOW, WindowState.FAILED, "why")
    assert Threshold(["a"], default=0.5)([failed], 0) is failed

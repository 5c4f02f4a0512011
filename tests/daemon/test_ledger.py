"""Every sample is accounted for in exactly one range."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts import Outcome, Prediction, Unscored, Window, WindowState
from edge.daemon.ledger import Ledger

RATE_HZ = 100
LABELS = {"m@1": ("owl", "frog"), "n@2": ("frog",)}


def prediction(number: int, scores: list[float], *, model: str = "m@1") -> Prediction:
    window = Window("s", 5.0 * number, 5.0 * number + 5.0)
    return Prediction(window, model, np.array(scores, dtype=np.float32))


def failed(number: int, reason: str) -> Unscored:
    return Unscored(Window("s", 5.0 * number, 5.0 * number + 5.0), WindowState.FAILED, reason)


def add(ledger: Ledger, outcomes: list[Outcome], *, received_to: int, ends: bool = False) -> None:
    ledger.add(outcomes, LABELS, sample_rate_hz=RATE_HZ, received_to=received_to, ends=ends)


def test_windows_of_one_fate_become_one_range():
    """A range says how many windows, from where to where, and what became of them."""
    ledger = Ledger()
    windows = [prediction(0, [0, 0]), prediction(1, [0, 0]), failed(2, "NaN"), failed(3, "NaN")]
    add(ledger, windows, received_to=2000)
    found = [(r.start_sample, r.end_sample, r.windows, r.state, r.reason) for r in ledger.take()[0]]
    expected = [
        (0, 1000, 2, WindowState.PREDICTED, ""),
        (1000, 2000, 2, WindowState.FAILED, "NaN"),
    ]
    assert expected == found


def test_a_padded_tail_ends_where_the_sound_does():
    """Zeros that complete the last window were never received."""
    ledger = Ledger()
    add(ledger, [prediction(0, [0, 0]), prediction(1, [0, 0])], received_to=730, ends=True)
    (only,), _ = ledger.take()
    found = (only.end_sample, only.received)
    assert found == (730, 730)


def test_a_window_that_is_done_early_waits_for_its_end():
    """It is accounted for when its last sample came in, and the next one begins on the grid."""
    ledger = Ledger()
    add(ledger, [prediction(0, [0, 0.5])], received_to=430)
    assert ledger.take() == ([], [])
    add(ledger, [], received_to=530)
    (only,), (heard,) = ledger.take()
    assert (only.end_sample, only.received, heard.label) == (500, 500, "frog")
    add(ledger, [prediction(1, [0, 0])], received_to=930)
    add(ledger, [], received_to=930, ends=True)
    (only,), _ = ledger.take()
    assert (only.start_sample, only.end_sample, only.received) == (500, 930, 430)


def test_what_is_above_zero_is_heard_the_surest_first():
    """A detection has its window, label, confidence and the model that said it."""
    ledger = Ledger()
    add(
        ledger,
        [prediction(0, [0.25, 0.5]), prediction(1, [0.125], model="n@2")],
        received_to=1000,
    )
    _, heard = ledger.take()
    found = [(h.start_s, h.end_s, h.label, h.confidence, h.model) for h in heard]
    expected = [
        (0.0, 5.0, "frog", 0.5, "m@1"),
        (0.0, 5.0, "owl", 0.25, "m@1"),
        (5.0, 10.0, "frog", 0.125, "n@2"),
    ]
    assert expected == found


def test_a_gap_accounts_for_what_was_dropped():
    """What came in and was dropped is counted; what never came is not."""
    ledger = Ledger()
    ledger.add_gap(1000, received=1000, windows=2, reason="too slow")
    ledger.add_gap(1500, received=0, windows=1, reason="no sound came")
    ranges, _ = ledger.take()
    found = [(r.received, r.reason) for r in ranges]
    assert found == [(1000, "too slow"), (0, "no sound came")]


@given(st.lists(st.sampled_from(["m@1", "n@2", "bad", "worse", "gap"])), st.booleans())
def test_ranges_follow_one_another(fates, often):
    """There is no hole and no overlap, however often they are taken."""
    ledger = Ledger()
    ranges = []
    for number, fate in enumerate(fates):
        if fate == "gap":
            ledger.add_gap(500 * number + 500, received=500, windows=1, reason="too slow")
        elif "@" in fate:
            add(
                ledger,
                [prediction(number, [0.0] * len(LABELS[fate]), model=fate)],
                received_to=500 * number + 500,
            )
        else:
            add(ledger, [failed(number, fate)], received_to=500 * number + 500)
        if often:
            ranges += ledger.take()[0]
    ranges += ledger.take()[0]
    edges = [0, *(r.end_sample for r in ranges)]
    assert edges[:-1] == [r.start_sample for r in ranges]
    assert sum(r.windows for r in ranges) == len(fates)
    assert sum(r.received for r in ranges) == ledger.accounted == 500 * len(fates)

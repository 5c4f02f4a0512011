import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_stsg import write_tiny_stsg

from edge.contracts import (
    AudioBlock,
    Model,
    Outcome,
    Prediction,
    Unscored,
    WindowKind,
    WindowState,
)
from edge.load import load_model
from edge.pipeline import StreamScorer, score
from edge.post.smooth import Smooth

Block = tuple[int, np.ndarray]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Model:
    return load_model(write_tiny_stsg(tmp_path_factory.mktemp("models") / "tiny"))


def noise(seconds: float, rate_hz: int, *, seed: int = 3) -> np.ndarray:
    """Tones over noise, others four times a second, so that windows differ."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    step = (time_s * 4.0).astype(int)
    tone_hz = rng.uniform(200, 8000, step.max(initial=0) + 1)[step]
    tone = np.sin(2 * np.pi * tone_hz * time_s)
    return (0.2 * tone + rng.standard_normal(len(time_s)) * 0.01).astype(np.float32)


def blocks(samples: np.ndarray, rate_hz: int, cuts: list[int] = [], *, start: int = 0):  # noqa: B006
    edges = [0, *sorted(cuts), len(samples)]
    for first, last in itertools.pairwise(edges):
        yield AudioBlock("s", start + first, rate_hz, samples[first:last])


def run(stream, model: Model, **options: object) -> list[Outcome]:
    return list(score(stream, model, **options))


def same(one: list[Outcome], other: list[Outcome]) -> bool:
    return [o.window for o in one] == [o.window for o in other] and all(
        np.array_equal(a.scores, b.scores)
        if isinstance(a, Prediction) and isinstance(b, Prediction)
        else a == b
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("rate_hz", [22_000, 32_000, 44_100, 48_000])
def test_scores_do_not_depend_on_the_chunking(model, rate_hz):
    """The same samples in any blocks yield the same outcomes, to the bit."""
    samples = noise(16.3, rate_hz)
    whole = run(blocks(samples, rate_hz), model)
    assert [o.window.end_s for o in whole] == [5.0, 10.0, 15.0, 20.0]
    assert len({o.scores.tobytes() for o in whole}) == 4
    cuts = st.lists(st.integers(0, len(samples)), max_size=25)

    @settings(max_examples=8, deadline=None, derandomize=True)
    @given(cuts)
    def check(places: list[int]) -> None:
        assert same(whole, run(blocks(samples, rate_hz, places), model))

    check()


def test_gap_ends_the_segment(model):
    """After a break the next windows begin at the break, as if the stream began there."""
    rate_hz = 44_100
    first, second = noise(7.0, rate_hz), noise(11.0, rate_hz, seed=4)
    start = 20 * rate_hz
    stream = [*blocks(first, rate_hz), *blocks(second, rate_hz, [50_000], start=start)]
    outcomes = run(stream, model)
    alone = [*run(blocks(first, rate_hz), model), *run(blocks(second, rate_hz), model)]
    assert [o.window.end_s for o in outcomes] == [5.0, 10.0, 25.0, 30.0, 35.0]
    for one, other in zip(outcomes, alone, strict=True):
        assert np.array_equal(one.scores, other.scores)


def test_change_of_rate_ends_the_segment(model):
    """Samples of another rate are not run together with those before."""
    stream = [*blocks(noise(6.0, 32_000), 32_000)]
    stream += blocks(noise(5.0, 48_000), 48_000, start=6 * 32_000)
    outcomes = run(stream, model)
    assert [o.window.end_s for o in outcomes] == [5.0, 10.0, 9.0]


def test_short_tail_is_skipped_with_its_reason(model):
    """Less than a second at the end is not scored, and it is said."""
    outcomes = run(blocks(noise(5.5, 32_000), 32_000), model)
    assert [o.state for o in outcomes] == [WindowState.PREDICTED, WindowState.SKIPPED]
    assert "0.500 s" in outcomes[1].reason
    assert run(blocks(noise(0.0, 32_000), 32_000), model) == []
    assert [o.state for o in run(blocks(noise(0.1, 8000), 8000), model)] == [WindowState.SKIPPED]


@pytest.mark.parametrize("rate_hz", [32_000, 48_000])
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (np.nan, "NaN or infinite"),
        (np.inf, "NaN or infinite"),
        (-np.inf, "NaN or infinite"),
        (1e30, "absurdly large"),
        (-np.finfo(np.float32).max, "absurdly large"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_windows_with_bad_samples_fail_and_others_hear_silence(model, rate_hz, bad, reason):
    """A sample that no recorder gives fails its window; the others score as if it were 0."""
    clean = noise(20.0, rate_hz)
    wrong = clean.copy()
    places = [6 * rate_hz, 6 * rate_hz + 2, 15 * rate_hz - 1]
    wrong[places] = bad
    clean[places] = 0.0
    expected = run(blocks(clean, rate_hz), model)
    outcomes = run(blocks(wrong, rate_hz, [3, 6 * rate_hz + 1, 300_000]), model)
    states = [WindowState.PREDICTED, WindowState.FAILED, WindowState.FAILED, WindowState.PREDICTED]
    assert states == [o.state for o in outcomes]
    assert reason in outcomes[1].reason
    for n in (0, 3):
        assert np.array_equal(expected[n].scores, outcomes[n].scores)


def test_a_window_with_both_kinds_of_bad_samples_says_both(model):
    """Each window names what it holds, and no more than that."""
    wrong = noise(15.0, 32_000)
    wrong[[32_000 * 1, 32_000 * 12]] = np.nan
    wrong[[32_000 * 2, 32_000 * 7]] = 1e30
    reasons = [o.reason for o in run(blocks(wrong, 32_000), model)]
    assert ["NaN or infinite" in reason for reason in reasons] == [True, False, True]
    assert ["absurdly large" in reason for reason in reasons] == [True, True, False]


@pytest.mark.filterwarnings("error")
def test_unscaled_integers_are_scored(model):
    """Floats that hold the steps of 32-bit integers are loud, and sound all the same."""
    outcomes = run(blocks(noise(10.0, 32_000) * np.float32(2**31), 32_000), model)
    assert all(isinstance(o, Prediction) and np.isfinite(o.scores).all() for o in outcomes)


def test_many_bad_samples_are_kept_track_of_in_few_ranges(model):
    """A file of nothing but NaN costs no memory that grows with it."""
    scorer = StreamScorer(model)
    wrong = noise(5.0, 32_000)
    wrong[::2] = np.nan
    for start in range(0, 10):
        list(scorer.push(AudioBlock("s", start * len(wrong), 32_000, wrong)))
        assert len(scorer._bad) <= 2


@settings(max_examples=10, deadline=None, derandomize=True)
@given(cuts=st.lists(st.integers(0, 32_000 * 33), max_size=20))
def test_refined_stream_equals_refined_file(model, cuts):
    """Post-processors give the same in a stream as over the whole list of windows."""
    samples = noise(33.0, 32_000)
    kernel = Smooth([0.05, 0.2, 0.5, 0.2, 0.05])
    plain = run(blocks(samples, 32_000), model)
    expected = [kernel(plain[max(0, n - 2) : n + 3], min(n, 2)).scores for n, _ in enumerate(plain)]
    refined = run(blocks(samples, 32_000, cuts), model, post=[kernel])
    assert [o.window for o in plain] == [o.window for o in refined]
    assert all(np.array_equal(e, o.scores) for e, o in zip(expected, refined, strict=True))


def test_post_processors_follow_one_another(model):
    """The second refines what the first gave, also at the end of the stream."""
    samples = noise(33.0, 32_000)
    kernel = Smooth([0.25, 0.5, 0.25])
    once = run(blocks(samples, 32_000), model, post=[kernel])
    expected = [kernel(once[max(0, n - 1) : n + 2], min(n, 1)).scores for n in range(len(once))]
    twice = run(blocks(samples, 32_000, [10, 200_000]), model, post=[kernel, kernel])
    assert all(np.array_equal(e, o.scores) for e, o in zip(expected, twice, strict=True))


def test_smoothing_stops_at_a_gap(model):
    """Windows on both sides of a gap do not see one another."""
    first, second = noise(10.0, 32_000), noise(10.0, 32_000, seed=4)
    stream = [*blocks(first, 32_000), *blocks(second, 32_000, start=32_000 * 60)]
    kernel = Smooth([1.0, 1.0, 1.0])
    alone = [
        *run(blocks(first, 32_000), model, post=[kernel]),
        *run(blocks(second, 32_000), model, post=[kernel]),
    ]
    both = run(stream, model, post=[kernel])
    assert all(np.array_equal(a.scores, b.scores) for a, b in zip(alone, both, strict=True))


def test_embeddings_are_kept_where_asked(model):
    """A prediction carries what the head saw, on request."""
    kept = run(blocks(noise(5.0, 32_000), 32_000), model, keep_embeddings=True)
    assert (model.info.embedding_size,) == kept[0].embedding.shape
    assert run(blocks(noise(5.0, 32_000), 32_000), model)[0].embedding is None


def test_nothing_after_nothing(model):
    """A stream without blocks, or finished twice, yields nothing."""
    assert run([], model, windows=WindowKind.NATIVE) == []
    scorer = StreamScorer(model)
    assert len(scorer.push(AudioBlock("s", 0, 32_000, noise(5.0, 32_000)))) == 1
    assert [list(scorer.finish()), list(scorer.finish())] == [[], []]


def test_unscored_windows_pass_through_smoothing(model):
    """A failed window stays failed, and its neighbours do without it."""
    wrong = noise(15.0, 32_000)
    wrong[32_000 * 7] = np.nan
    outcomes = run(blocks(wrong, 32_000), model, post=[Smooth([1.0, 1.0, 1.0])])
    plain = run(blocks(wrong, 32_000), model)
    assert isinstance(outcomes[1], Unscored)
    assert np.array_equal(plain[0].scores, outcomes[0].scores)

"""Clips become frames by their centres, the same for any chunking."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contracts import AudioBlock, Prediction, WindowKind, WindowState
from edge.windows.clips import Aggregate, ClipGrid, ClipScores, ClipStream

RATE_HZ = 20
"""Low, so that a clip is a few numbers; sample k of `ramp` is k + 1, and 0 is padding."""


def ramp(seconds):
    return np.arange(1, round(seconds * RATE_HZ) + 1, dtype=np.float32)


class Recorder:
    """A model of two classes and two embedding values that tells which samples a clip held."""

    def __init__(self):
        self.clips = []

    def __call__(self, clip):
        self.clips.append(clip.copy())
        held = clip[clip > 0]
        scores = np.array([held[0], held[-1]], dtype=np.float32) / np.float32(10_000)
        return ClipScores(scores, scores * np.float32(3))

    @property
    def spans(self):
        """Start and end of each clip's audio in seconds, in the order they were scored."""
        held = [clip[clip > 0] for clip in self.clips]
        return [((c[0] - 1) / RATE_HZ, c[-1] / RATE_HZ) for c in held]


def open_stream(clip_s, step_s, score, **options):
    options.setdefault("aggregate", Aggregate.MEAN_PROBABILITY)
    grid = ClipGrid(
        clip=round(clip_s * RATE_HZ), step=round(step_s * RATE_HZ), sample_rate_hz=RATE_HZ
    )
    return ClipStream(model="tiny@1", grid=grid, score=score, **options)


def run(stream, samples, cuts=()):
    """Push `samples` cut at `cuts`, finish; all outcomes."""
    outcomes = []
    bounds = [0, *sorted(cuts), len(samples)]
    for start, end in pairwise(bounds):
        block = samples[start:end].copy()
        outcomes += stream.push(AudioBlock("s", start, RATE_HZ, block))
        block.fill(-1)  # the receiver must not keep the buffer
    return [*outcomes, *stream.finish()]


def told(outcomes):
    """Outcomes as values that compare."""
    return [
        (
            o.window,
            o.state,
            (o.scores.tobytes(), None if o.embedding is None else o.embedding.tobytes())
            if isinstance(o, Prediction)
            else o.reason,
        )
        for o in outcomes
    ]


GRIDS = [(3, 3), (3, 1), (3, 2.5), (5, 5), (5, 1), (2, 2), (0.95, 0.45), (8, 4), (10, 5)]


@settings(max_examples=300, deadline=None)
@given(
    grid=st.sampled_from(GRIDS),
    samples=st.integers(0, 25 * RATE_HZ).map(lambda n: ramp(n / RATE_HZ)),
    cuts=st.lists(st.integers(0, 25 * RATE_HZ), max_size=30),
    windows=st.sampled_from(WindowKind),
    aggregate=st.sampled_from(Aggregate),
)
def test_any_chunking_gives_the_same_outcomes(grid, samples, cuts, windows, aggregate):
    """Blocks of any length make the same windows with the same bits, from the same clips."""
    results = []
    for at in ([], [min(cut, len(samples)) for cut in cuts]):
        score = Recorder()
        options = {"windows": windows, "aggregate": aggregate, "keep_embeddings": True}
        stream = open_stream(*grid, score, head=lambda e: e / 2, **options)
        results.append((told(run(stream, samples, at)), score.spans))
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("clip_s", "step_s", "expected"),
    [
        (3, 3, [[0, 3], [6], [9, 12]]),
        (3, 1, [[0, 1, 2, 3], [4, 5, 6, 7, 8], [9, 10, 11, 12, 13]]),
        (3, 2.5, [[0, 2.5], [5, 7.5], [10, 12.5]]),
        (5, 5, [[0], [5], [10]]),
        (5, 2.5, [[0, 2.5], [5, 7.5], [10, 12.5]]),
        (2, 2, [[0, 2, 4], [6, 8], [10, 12, 14]]),
        (10, 5, [[0], [5], [10]]),
        (0.95, 0.45, None),
    ],
)
def test_a_clip_counts_in_the_frame_that_holds_its_centre(clip_s, step_s, expected):
    """Each clip counts once; a centre on the border belongs to the earlier frame."""
    grid = ClipGrid(clip=round(clip_s * 20), step=round(step_s * 20), sample_rate_hz=20)
    starts = [k * step_s for k in range(round(15 / step_s))]
    if expected is None:
        expected = [[s for s in starts if f < s + clip_s / 2 <= f + 5] for f in (0, 5, 10)]
    found = [[s for k, s in enumerate(starts) if grid.frame_of(k) == frame] for frame in range(3)]
    assert expected == found


def test_a_frame_is_the_mean_or_maximum_of_its_clips():
    """15 s in clips of 3 s: frames of two, one and two clips."""
    samples = ramp(15)
    clips = [Recorder()(samples[k * 60 : k * 60 + 60]).scores for k in range(5)]
    groups = [clips[:2], clips[2:3], clips[3:]]
    for aggregate, reduce in (
        (Aggregate.MEAN_PROBABILITY, lambda rows: np.mean(rows, axis=0)),
        (Aggregate.MAX_PROBABILITY, lambda rows: np.max(rows, axis=0)),
    ):
        found = run(open_stream(3, 3, Recorder(), aggregate=aggregate), samples)
        assert [(o.window.start_s, o.window.end_s) for o in found] == [(0, 5), (5, 10), (10, 15)]
        np.testing.assert_allclose(
            [o.scores for o in found], [reduce(g) for g in groups], rtol=1e-6
        )


def test_a_head_sees_the_mean_embedding():
    """`mean_embedding` runs the head once a frame, on the mean of the clips' embeddings."""
    seen = []
    stream = open_stream(
        3,
        3,
        Recorder(),
        aggregate=Aggregate.MEAN_EMBEDDING,
        head=lambda e: seen.append(e) or e / 2,
        keep_embeddings=True,
    )
    (found,) = run(stream, ramp(5))
    first, second = (Recorder()(ramp(5)[at : at + 60]).embedding for at in (0, 60))
    np.testing.assert_allclose(found.embedding, (first + second) / 2, rtol=1e-6)
    assert [e.tolist() for e in seen] == [found.embedding.tolist()]
    assert found.scores.tolist() == (found.embedding / 2).tolist()


def test_frames_come_as_soon_as_no_later_clip_can_change_them():
    """A frame is told with the last clip that counts in it, without waiting for the end."""
    stream = open_stream(3, 3, Recorder())
    counts = [len(stream.push(AudioBlock("s", 20 * k, RATE_HZ, ramp(1)))) for k in range(15)]
    assert counts == [0] * 5 + [1] + [0] * 2 + [1] + [0] * 5 + [1]


TAILS = [
    # seconds, clip, step, (state of each frame), (clips whose audio was scored)
    (5.9, 3, 3, "ps", [(0, 3), (3, 5.9)]),
    (6.0, 3, 3, "pp", [(0, 3), (3, 6), (5, 6)]),
    (7.4, 3, 3, "pp", [(0, 3), (3, 6), (5, 7.4)]),
    (7.5, 3, 3, "pp", [(0, 3), (3, 6), (6, 7.5)]),
    (0.9, 3, 3, "s", []),
    (1.0, 3, 3, "p", [(0, 1)]),
    (5.9, 3, 1, "ps", [(0, 3), (1, 4), (2, 5), (3, 5.9), (4, 5.9)]),
    (7.0, 5, 5, "pp", [(0, 5), (5, 7)]),
    (8.0, 5, 5, "pp", [(0, 5), (5, 8)]),
    (0.0, 3, 3, "", []),
]


@pytest.mark.parametrize(("seconds", "clip_s", "step_s", "states", "spans"), TAILS)
def test_the_last_frame_is_padded_or_skipped(seconds, clip_s, step_s, states, spans):
    """A tail of 1 s is scored, from a clip of its own where none counts in it; less is skipped."""
    score = Recorder()
    found = run(open_stream(clip_s, step_s, score), ramp(seconds))
    assert states == "".join(o.state[0] for o in found)
    assert spans == score.spans
    if "s" in states:
        assert "shorter than 1 s" in found[-1].reason


NATIVE_TAILS = [
    (9.0, [(0, 3), (3, 6), (6, 9)], None),
    (10.4, [(0, 3), (3, 6), (6, 9)], "tail of 1.400 s is shorter than 1.5 s"),
    (10.5, [(0, 3), (3, 6), (6, 9), (9, 10.5)], None),
    (1.4, [], "tail of 1.400 s is shorter than 1.5 s"),
    (0.0, [], None),
]


@pytest.mark.parametrize(("seconds", "spans", "skipped"), NATIVE_TAILS)
def test_the_last_native_clip_needs_half_its_length(seconds, spans, skipped):
    """A last clip that is half full or more is zero-padded; less is skipped, and said so."""
    score = Recorder()
    found = run(open_stream(3, 3, score, windows=WindowKind.NATIVE), ramp(seconds))
    assert spans == score.spans
    reasons = [o.reason for o in found if o.state is WindowState.SKIPPED]
    assert ([skipped] if skipped else []) == reasons
    assert [(3 * k, 3 * k + 3) for k in range(len(found))] == [
        (o.window.start_s, o.window.end_s) for o in found
    ]


@pytest.mark.parametrize("windows", WindowKind)
def test_every_sample_is_in_exactly_one_frame_or_some_clip(windows):
    """Whatever the length, windows follow one another to the end."""
    for n in range(0, 12 * RATE_HZ):
        found = run(open_stream(3, 3, Recorder(), windows=windows), ramp(n / RATE_HZ))
        length = 5 if windows is WindowKind.FRAME else 3
        count = -(-n // (length * RATE_HZ))
        assert [length * k for k in range(count)] == [o.window.start_s for o in found]


@pytest.mark.parametrize("windows", WindowKind)
def test_memory_stays_bounded(windows):
    """An hour in small blocks leaves no more held than a few clips."""
    stream = open_stream(3, 3, Recorder(), windows=windows)
    for k in range(3600):
        stream.push(AudioBlock("s", k * RATE_HZ, RATE_HZ, ramp(1)))
    held = len(stream._held) + sum(len(piece) for piece in stream._pieces)
    assert held <= 15 * RATE_HZ


def test_reset_starts_another_segment():
    """After `reset` nothing of the earlier segment shows."""
    stream = open_stream(3, 1, Recorder())
    expected = told(run(stream, ramp(12.3)))
    stream.reset()
    stream.push(AudioBlock("s", 0, RATE_HZ, ramp(7.7)))
    stream.reset()
    assert expected == told(run(stream, ramp(12.3)))


@pytest.mark.parametrize(("clip", "step"), [(60, 61), (60, 0), (201, 100), (150, 101)], ids=str)
def test_a_grid_with_holes_is_refused(clip, step):
    """No sample and no frame may be left without a clip."""
    with pytest.raises(ValueError, match="clips of"):
        ClipGrid(clip=clip, step=step, sample_rate_hz=20)

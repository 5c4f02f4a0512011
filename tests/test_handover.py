"""Models are exchanged within a stream without losing or doubling a window."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_pipeline import blocks, noise, run, same
from tiny_clip import write_tiny_clip
from tiny_stsg import write_tiny_stsg

from edge.contracts import AudioBlock, Model, Outcome
from edge.handover import Relay
from edge.load import load_model
from edge.post.smooth import Smooth

RATE_HZ = 16_000
WINDOW = 5 * RATE_HZ


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> list[Model]:
    """Tokens, other tokens, and clips of three seconds that reach over the windows' borders."""
    place = tmp_path_factory.mktemp("models")
    write_tiny_stsg(place / "first", seed=1)
    write_tiny_stsg(place / "second", seed=2)
    write_tiny_clip(place / "clips", seed=1)
    write_tiny_clip(place / "other-clips", seed=2)
    write_tiny_stsg(place / "last", seed=3)
    names = ("first", "second", "clips", "other-clips", "last")
    return [load_model(place / name) for name in names]


def relay_run(
    samples: np.ndarray, cuts: list[int], switches: dict[int, Model], relay: Relay, *, post=()
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for block in blocks(samples, RATE_HZ, [*cuts, *switches]):
        if block.start_sample in switches:
            relay.switch(switches.pop(block.start_sample), post=post)
        outcomes += relay.push(block)
    return outcomes + relay.finish()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_each_window_is_there_once_whenever_models_are_exchanged(models, data):
    """Windows follow one another without hole or double, each as its model alone would score it."""
    samples = noise(data.draw(st.floats(6, 60)), RATE_HZ)
    smooth = data.draw(st.booleans())
    post = [Smooth([0.1, 0.8, 0.1])] if smooth else []
    moments = data.draw(
        st.lists(st.integers(1, len(samples) - 1), min_size=1, max_size=4, unique=True)
    )
    cuts = data.draw(st.lists(st.integers(0, len(samples)), max_size=12))
    # Each model comes once, so that where one begins can be told from the outcomes.
    order = data.draw(st.permutations(models))
    switches = dict(zip(sorted(moments), order[1:], strict=False))
    outcomes = relay_run(samples, cuts, switches, Relay(order[0], post=post), post=post)
    whole = run(blocks(samples, RATE_HZ), order[0], post=post)
    assert [o.window for o in whole] == [o.window for o in outcomes]

    start = 0
    for _, group in itertools.groupby(outcomes, key=lambda o: getattr(o, "model", "")):
        same_model = list(group)
        if not hasattr(same_model[0], "model"):
            continue
        model = next(m for m in models if m.info.id == same_model[0].model)
        alone = run([AudioBlock("s", start, RATE_HZ, samples[start:])], model, post=post)
        assert same(alone[: len(same_model)], same_model)
        start += len(same_model) * WINDOW


def test_the_old_model_is_let_go_once_it_has_said_all(models):
    """Who loaded a model can tell when it may be closed."""
    relay = Relay(models[0])
    samples = noise(12, RATE_HZ)
    relay.push(AudioBlock("s", 0, RATE_HZ, samples[: 2 * RATE_HZ]))
    relay.switch(models[2])
    assert set(relay.models) == {models[0], models[2]}
    relay.push(AudioBlock("s", 2 * RATE_HZ, RATE_HZ, samples[2 * RATE_HZ :]))
    assert relay.models == (models[2],)


def test_a_gap_ends_the_old_model_at_once(models):
    """After a break in the sample count the new model begins where the sound goes on."""
    relay = Relay(models[0])
    samples = noise(7, RATE_HZ)
    outcomes = relay.push(AudioBlock("s", 0, RATE_HZ, samples))
    relay.switch(models[1])
    outcomes += relay.push(AudioBlock("s", 10 * RATE_HZ, RATE_HZ, samples))
    outcomes += relay.finish()
    expected = run([AudioBlock("s", 0, RATE_HZ, samples)], models[0])
    expected += run([AudioBlock("s", 10 * RATE_HZ, RATE_HZ, samples)], models[1])
    assert same(expected, outcomes)


def test_the_last_model_asked_for_wins(models):
    """A change of mind before the border costs nothing."""
    relay = Relay(models[0])
    samples = noise(10, RATE_HZ)
    relay.push(AudioBlock("s", 0, RATE_HZ, samples[:WINDOW]))
    relay.push(AudioBlock("s", WINDOW, RATE_HZ, samples[WINDOW : WINDOW + 10]))
    relay.switch(models[1])
    relay.switch(models[0])
    assert models[1] not in relay.models

"""The synthesiser keeps what it promises: determinism, bands, levels, truth, files."""

import csv
import hashlib
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_build.synth import (
    BACKGROUND,
    BACKGROUNDS,
    CLASSES,
    LABELS,
    VOICES,
    Event,
    Individual,
    Recording,
    Scene,
    quantise,
    recording_name,
    render_background,
    render_clip,
    render_recording,
    to_pcm16,
    truth,
    write_recordings,
    write_training_set,
)
from edge_build.synth.draws import stream
from edge_build.synth.scene import active_span, level_for, sing

RATE = 32_000

# Made by running the functions named in the tests and hashing the little-endian int16 samples.
# They equal with NumPy 1.26 and 2.4, and with NumPy's SIMD paths switched off.
CLIP_SHA256 = "bd590a7522254492894b9b767ab0c29c335ca5144c02db9b0058420fc271cf2f"
RECORDING_SHA256 = "1985c16cc2ee7eccdae87f609cc9d160b3678c78ed7c73552703e6167202be08"


def sha256(samples):
    return hashlib.sha256(to_pcm16(samples).astype("<i2").tobytes()).hexdigest()


def band_share(samples, low_hz, high_hz, rate=RATE):
    power = np.abs(np.fft.rfft(samples)) ** 2
    frequency = np.fft.rfftfreq(samples.size, 1 / rate)
    return power[(frequency >= low_hz) & (frequency <= high_hz)].sum() / power.sum()


def band_energy(samples, low_hz, high_hz, rate=RATE):
    return float(np.sum(np.square(samples))) * band_share(samples, low_hz, high_hz, rate)


def log_spectrum(samples):
    """How much each of 64 log-spaced bands varies over 0.125 s frames, unit length, float64[64]."""
    frames = samples[: samples.size // 4000 * 4000].reshape(-1, 4000) * np.hanning(4000)
    power = np.abs(np.fft.rfft(frames)) ** 2
    edges = np.searchsorted(np.fft.rfftfreq(4000, 1 / RATE), np.geomspace(250, 12_000, 65))
    bands = np.log(np.add.reduceat(power, edges, axis=1)[:, :64] + 1e-9)
    shape = bands.std(axis=0) - bands.std(axis=0).mean()
    return shape / np.linalg.norm(shape)


def test_a_clip_is_bit_for_bit_the_golden_one():
    """The same label and seed give the same 16-bit samples on every machine."""
    samples, _ = render_clip("chirr", 7)
    assert sha256(samples) == CLIP_SHA256


def test_a_recording_is_bit_for_bit_the_golden_one():
    """The same seed gives the same 16-bit samples on every machine."""
    assert sha256(render_recording(7, 20.0).samples) == RECORDING_SHA256


def test_another_seed_or_label_gives_another_clip():
    """Seeds and labels open independent streams."""
    hashes = {sha256(render_clip(label, seed)[0]) for label in CLASSES for seed in (1, 2)}
    assert len(hashes) == 2 * len(CLASSES)


def test_rendering_leaves_no_state_behind():
    """What was rendered before does not matter."""
    first = render_clip("trill", 3)
    render_recording(1, 10.0)
    again = render_clip("trill", 3)
    assert np.array_equal(first[0], again[0])
    assert first[1] == again[1]


@pytest.mark.parametrize("label", LABELS)
def test_a_voice_keeps_to_its_band_and_length(label):
    """At least 85 % of any animal's energy lies in the declared band; calls last 0.5 to 4.5 s."""
    voice = VOICES[label]
    traits = [Individual(p, t, v) for p in (-1, 1) for t in (-1, 1) for v in (-1, 1)]
    animals = traits + [Individual.draw(stream(seed, "animal")) for seed in range(12)]
    for seed, animal in enumerate(animals):
        call = voice.sing(animal, stream(seed, "call"), RATE)
        assert band_share(call, voice.low_hz, voice.high_hz) > 0.85
        assert 0.5 <= call.size / RATE <= 4.5
        assert np.isfinite(call).all()


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("kind", sorted(BACKGROUNDS))
def test_a_call_has_the_ratio_that_was_asked_for(label, kind):
    """In-band power over the active blocks, against the background below, within 1 dB."""
    voice, wanted_db = VOICES[label], 6.0
    call = sing(voice, Individual(), stream(1, "place"), stream(1, label), RATE)
    first, last = active_span(call, RATE)
    noise = render_background(kind, stream(1, kind), last - first, RATE)
    scaled = call * level_for(voice, call, noise, wanted_db, RATE)

    blocks = np.mean(scaled[: scaled.size // 160 * 160].reshape(-1, 160) ** 2, axis=1)
    active_samples = 160 * np.count_nonzero(blocks >= 0.01 * blocks.max())
    signal = band_energy(scaled, voice.low_hz, voice.high_hz) / active_samples
    tapered = noise * np.hanning(noise.size) if kind == "hum" else noise
    share = band_share(tapered, voice.low_hz, voice.high_hz)
    assert 10 * np.log10(signal / (np.mean(noise**2) * share)) == pytest.approx(wanted_db, abs=1.0)


def test_ratios_and_bands_of_events_are_those_of_the_scene():
    """Events tell what was drawn; every ratio of the list comes up."""
    seen = set()
    for seed in range(40):
        _, events = render_clip("cricket", seed)
        assert {(e.low_hz, e.high_hz) for e in events} == {(6500.0, 7300.0)}
        seen |= {event.snr_db for event in events}
    assert seen == set(Scene().snrs_db)


@pytest.mark.parametrize("label", CLASSES)
def test_a_clip_is_five_seconds_in_16_bit_steps(label):
    """Length, type, steps, peak, and events that lie inside the clip in order."""
    for seed in range(6):
        samples, events = render_clip(label, seed)
        assert samples.dtype == np.float32
        assert samples.shape == (5 * RATE,)
        assert np.array_equal(samples * 32768, np.rint(samples * 32768))
        assert 0 < np.abs(samples).max() <= 0.9001
        assert (len(events) == 0) == (label == BACKGROUND)
        assert len(events) <= 4
        for event in events:
            assert event.label == label
            assert 0 <= event.start_s < event.end_s <= 5
        for one, other in pairwise(events):
            assert one.end_s <= other.start_s


@given(seed=st.integers(0, 2**63), seconds=st.floats(0.0, 25.0))
@settings(max_examples=15, deadline=None)
def test_a_recording_of_any_length_holds_its_events(seed, seconds):
    """Events lie inside, sorted; nothing clips; even an empty recording is valid."""
    recording = render_recording(seed, seconds)
    assert recording.samples.size == int(seconds * RATE + 0.5)
    assert np.abs(recording.samples).max(initial=0) <= 0.9001
    starts = [event.start_s for event in recording.events]
    assert starts == sorted(starts)
    length_s = recording.samples.size / RATE
    assert all(0 <= e.start_s < e.end_s <= length_s for e in recording.events)
    assert truth(recording).sum() <= 2 * len(recording.events)


def test_recordings_hold_several_voices_and_overlaps():
    """Recordings are soundscapes: several voices, some at once, and windows where none calls."""
    recordings = [render_recording(seed) for seed in range(6)]
    tables = np.concatenate([truth(recording) for recording in recordings])
    assert all(len({e.label for e in recording.events}) >= 3 for recording in recordings)
    assert (tables.sum(axis=1) >= 2).any()
    assert (tables.sum(axis=1) == 0).any()


def test_a_recording_follows_another_sample_rate():
    """The rate is a parameter; the sound keeps its length."""
    recording = render_recording(2, 10.0, scene=Scene(sample_rate_hz=48_000))
    assert recording.samples.size == 480_000
    assert recording.sample_rate_hz == 48_000


def make_recording(seconds, *events):
    samples = np.zeros(int(seconds * RATE), dtype=np.float32)
    return Recording(samples, tuple(Event(*event, 6.0, 100.0, 200.0) for event in events))


def test_truth_of_hand_made_events():
    """An event counts in each window that holds enough of it, and in no other."""
    recording = make_recording(
        20.0,
        ("a", 1.0, 2.0),  # inside window 0
        ("b", 4.0, 5.25),  # 0.25 s into window 1: just enough
        ("a", 9.0, 10.2),  # 0.2 s into window 2: too little
        ("b", 13.0, 13.2),  # too short to count at all
    )
    expected = np.array([[1, 1], [1, 1], [0, 0], [0, 0]], dtype=bool)
    actual = truth(recording, labels=("a", "b"))
    assert actual.dtype == np.bool_
    assert np.array_equal(expected, actual)


def test_truth_spans_all_windows_of_a_long_event():
    """A long event is present in every window that it crosses."""
    recording = make_recording(12.0, ("a", 1.0, 11.9))
    assert truth(recording, 2.0, labels=("a",)).tolist() == [[True]] * 6


@pytest.mark.parametrize(("seconds", "windows"), [(4.99, 1), (5.0, 1), (5.99, 1), (6.0, 2), (0, 0)])
def test_truth_counts_a_tail_of_a_second(seconds, windows):
    """A last partial window counts from 1 s on, as it does for the runtime."""
    assert truth(make_recording(seconds)).shape == (windows, len(LABELS))


def test_truth_refuses_a_label_without_a_column():
    """A label that has no column is an error, not a silent loss."""
    with pytest.raises(KeyError):
        truth(make_recording(5.0, ("unheard", 0.0, 1.0)))


def test_labels_are_distinct_to_a_nearest_mean_of_log_spectra():
    """The classes differ: a trivial classifier tells unseen clips at 6 dB and more apart."""
    scene = Scene(snrs_db=(6.0, 12.0, 20.0))
    means = np.array(
        [
            np.mean([log_spectrum(render_clip(label, s, scene=scene)[0]) for s in range(8)], axis=0)
            for label in LABELS
        ]
    )
    right = [
        label == LABELS[np.argmin(((log_spectrum(samples) - means) ** 2).sum(axis=1))]
        for label in LABELS
        for samples, _ in (render_clip(label, s, scene=scene) for s in range(100, 104))
    ]
    assert np.mean(right) > 0.8


def test_quantise_keeps_silence_and_tames_peaks():
    """Silence stays silence; a peak is scaled, never clipped; small sounds are only rounded."""
    assert np.array_equal(quantise(np.zeros(10)), np.zeros(10, dtype=np.float32))
    assert quantise(np.zeros(0)).size == 0
    loud = quantise(np.array([4.0, -2.0, 0.0]))
    assert loud == pytest.approx([0.9, -0.45, 0.0], abs=1 / 32768)
    assert quantise(np.array([0.4 / 32768, 0.6 / 32768])).tolist() == [0.0, 1 / 32768]


def test_silence_has_a_level():
    """A silent call gets no gain; over a silent background the gain stays finite."""
    voice, call = VOICES["hoot"], np.sin(np.arange(RATE) * 2 * np.pi * 375 / RATE)
    assert level_for(voice, np.zeros(RATE), np.ones(RATE), 6.0, RATE) == 0.0
    assert 0.0 < level_for(voice, call, np.zeros(RATE), 6.0, RATE) < 1e-3
    assert active_span(np.zeros(RATE), RATE) == (0, 0)


def test_the_training_set_is_readable_and_named(tmp_path):
    """A folder a label, numbered FLAC files that hold exactly the rendered samples."""
    seen = []
    paths = write_training_set(tmp_path, 2, 5, lambda done, total: seen.append((done, total)))
    expected = [tmp_path / label / f"{label}-{n:04d}.flac" for label in CLASSES for n in (1, 2)]
    assert expected == paths
    assert seen == [(n + 1, len(expected)) for n in range(len(expected))]
    for path in paths:
        info = soundfile.info(path)
        described = (info.samplerate, info.channels, info.frames, info.subtype)
        assert described == (RATE, 1, 5 * RATE, "PCM_16")
    samples, _ = soundfile.read(tmp_path / "trill" / "trill-0002.flac", dtype="float32")
    assert np.array_equal(render_clip("trill", 5_000_002)[0], samples)


def test_recordings_are_named_by_time_and_come_with_their_truth(tmp_path):
    """Names a minute apart in UTC, lossless samples, a row for each event."""
    start = datetime(2024, 12, 31, 20, 59, 0, tzinfo=timezone(timedelta(hours=-3)))
    recordings = write_recordings(tmp_path, 2, 9, start, site="POND")
    names = ["POND_20241231_235900.wav", "POND_20250101_000000.wav"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [*names, "truth.csv"]
    for name, recording in zip(names, recordings, strict=True):
        samples, rate = soundfile.read(tmp_path / name, dtype="float32")
        assert rate == RATE
        assert samples.size == 60 * RATE
        assert np.array_equal(recording.samples, samples)
    with (tmp_path / "truth.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["filename", "start", "end", "label", "snr_db"]
    expected = [
        (name, pytest.approx(event.start_s, abs=5e-4), event.label, event.snr_db)
        for name, recording in zip(names, recordings, strict=True)
        for event in recording.events
    ]
    actual = [(r["filename"], float(r["start"]), r["label"], float(r["snr_db"])) for r in rows]
    assert expected == actual


def test_a_time_without_a_zone_is_refused():
    """A naive start is an error that says what to do."""
    with pytest.raises(ValueError, match="time zone"):
        recording_name("POND", datetime(2024, 5, 1))
    assert recording_name("P", datetime(2024, 5, 1, tzinfo=UTC)) == "P_20240501_000000.wav"


def test_clashing_names_are_refused(tmp_path):
    """Recordings of the same second would overwrite each other."""
    with pytest.raises(ValueError, match="interval_s"):
        write_recordings(tmp_path, 2, 1, datetime(2024, 5, 1, tzinfo=UTC), interval_s=0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sample_rate_hz": 16_000}, "24000"),
        ({"snrs_db": ()}, "snrs_db"),
        ({"backgrounds": ("traffic",)}, "traffic"),
        ({"voices": ()}, "empty"),
    ],
)
def test_a_scene_that_cannot_be_rendered_is_refused(wrong, message):
    """A wrong setting is named together with what would be right."""
    with pytest.raises(ValueError, match=message):
        Scene(**wrong)


def test_an_unknown_label_and_a_short_clip_are_refused():
    """Errors name the choices."""
    with pytest.raises(ValueError, match="bell_frog"):
        render_clip("unicorn", 1)
    with pytest.raises(ValueError, match="use at least"):
        render_clip("trill", 1, seconds=3.0)

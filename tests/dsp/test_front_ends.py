"""Front ends: the spectrograms that models take, by the runtime's own signal processing."""

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.dsp import compression, normalisation
from edge.dsp.mel import MelFade, MelNorm, MelScale, mel_filterbank
from edge.dsp.signals import golden_signal
from edge.dsp.stft import Edges, Stft
from edge.model.front_end import (
    Decibels,
    Fixed,
    FrontEnd,
    Layout,
    LinearStft,
    Log,
    LogMel,
    MinMax,
    Pcen,
    Standard,
)

RATE_HZ = 16_000
SOUND = golden_signal(sample_rate_hz=RATE_HZ, seconds=2.0)
MEL = {"frame_size": 400, "hop": 160, "fft_size": 512, "bands": 64, "low_hz": 125, "high_hz": 7500}


def front_end(spec, samples=2 * RATE_HZ):
    """The front end of clips of so many samples at RATE_HZ."""
    return FrontEnd(spec, sample_rate_hz=RATE_HZ, samples=samples)


def librosa_magnitudes(*, pad_mode="constant", power=1, **sizes):
    """What librosa makes of SOUND, in float64 [shape=(bins, frames)]."""
    complex_ = librosa.stft(SOUND.astype(np.float64), pad_mode=pad_mode, **sizes)
    return np.abs(complex_) ** power


@pytest.mark.parametrize(("edges", "pad_mode"), [("zeros", "constant"), ("mirror", "reflect")])
@pytest.mark.parametrize(
    ("frame_size", "hop", "fft_size"),
    [(512, 258, 512), (400, 160, 512), (401, 160, 512), (1024, 1024, 1024), (333, 700, 1000)],
)
@pytest.mark.parametrize("power", [1, 2])
def test_centred_frames_equal_librosas(edges, pad_mode, frame_size, hop, fft_size, power):
    """Each value is librosa's to 1e-6 of the largest, in as many frames."""
    stft = Stft(
        samples=len(SOUND),
        frame_size=frame_size,
        hop=hop,
        fft_size=fft_size,
        power=power,
        edges=Edges(edges),
    )
    expected = librosa_magnitudes(
        n_fft=fft_size, hop_length=hop, win_length=frame_size, pad_mode=pad_mode, power=power
    )
    actual = stft(SOUND)
    assert expected.shape == actual.shape == (stft.bins, stft.frames)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6 * expected.max())


@pytest.mark.parametrize(
    ("frame_size", "hop", "fft_size"), [(512, 258, 512), (400, 160, 512), (401, 900, 600)]
)
def test_frames_inside_the_clip_equal_a_plain_transform(frame_size, hop, fft_size):
    """Frame j is samples j·hop and on, padded at its end, and none looks past the clip."""
    stft = Stft(
        samples=len(SOUND),
        frame_size=frame_size,
        hop=hop,
        fft_size=fft_size,
        power=1,
        edges=Edges.INSIDE,
    )
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame_size) / frame_size)
    expected = [
        np.abs(np.fft.rfft(SOUND[start : start + frame_size] * window, fft_size))
        for start in range(0, len(SOUND) - frame_size + 1, hop)
    ]
    np.testing.assert_allclose(stft(SOUND), np.transpose(expected), rtol=0, atol=1e-4)


@pytest.mark.parametrize("frame_size", [0, 513])
def test_frames_that_the_transform_cannot_hold_are_refused(frame_size):
    """A frame has a sample, and none more than the FFT."""
    with pytest.raises(ValueError, match=f"cannot transform frames of {frame_size} samples"):
        Stft(
            samples=2_000,
            frame_size=frame_size,
            hop=100,
            fft_size=512,
            power=1,
            edges=Edges.INSIDE,
        )


@pytest.mark.parametrize(("norm", "theirs"), [("area", "slaney"), ("peak", None)])
@pytest.mark.parametrize(("scale", "htk"), [("slaney", False), ("htk", True)])
def test_mel_scales_and_norms_equal_librosas(norm, theirs, scale, htk):
    """Each weight is librosa's to 1e-6 of the largest."""
    expected = librosa.filters.mel(
        sr=RATE_HZ,
        n_fft=512,
        n_mels=64,
        fmin=125,
        fmax=7500,
        htk=htk,
        norm=theirs,
        dtype=np.float64,
    )
    filters = mel_filterbank(
        sample_rate_hz=RATE_HZ,
        fft_size=512,
        bands=64,
        low_hz=125,
        high_hz=7500,
        scale=MelScale(scale),
        norm=MelNorm(norm),
    )
    actual = filters @ np.eye(filters.shape[1])
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6 * expected.max())


def test_filters_that_fade_by_mel_equal_tensorflows():
    """The weights of `tf.signal.linear_to_mel_weight_matrix`, written out from its definition."""
    mel = 1127.0 * np.log1p(np.arange(257) * RATE_HZ / 512 / 700.0)
    edges = np.linspace(*(1127.0 * np.log1p(np.array([125.0, 7500.0]) / 700.0)), 66)
    rising = (mel - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - mel) / (edges[2:] - edges[1:-1])[:, None]
    expected = np.maximum(0, np.minimum(rising, falling))
    filters = mel_filterbank(
        sample_rate_hz=RATE_HZ,
        fft_size=512,
        bands=64,
        low_hz=125,
        high_hz=7500,
        scale=MelScale.HTK,
        norm=MelNorm.PEAK,
        fade=MelFade.MEL,
    )
    actual = filters @ np.eye(filters.shape[1])
    # 1127 ln is 2595 lg to seven digits.
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("edges", ["zeros", "mirror"])
@pytest.mark.parametrize("power", [1, 2])
def test_log_mel_equals_librosas(edges, power):
    """ln(mel + offset) of librosa's mel bands, to 1e-4."""
    spec = LogMel(**MEL, power=power, edges=Edges(edges), compression=Log(offset=0.001))
    mel = librosa.feature.melspectrogram(
        y=SOUND.astype(np.float64),
        sr=RATE_HZ,
        n_fft=512,
        hop_length=160,
        win_length=400,
        n_mels=64,
        fmin=125,
        fmax=7500,
        power=power,
        pad_mode={"zeros": "constant", "mirror": "reflect"}[edges],
    )
    np.testing.assert_allclose(front_end(spec)(SOUND), np.log(mel + 0.001), rtol=0, atol=1e-4)


@pytest.mark.parametrize("range_db", [None, 80.0, 20.0])
@pytest.mark.parametrize("to_peak", [False, True])
@pytest.mark.parametrize("power", [1, 2])
def test_decibels_equal_librosas(power, to_peak, range_db):
    """`power_to_db` of powers and `amplitude_to_db` of magnitudes, to 1e-4 dB."""
    rng = np.random.default_rng(7)
    spectra = (10.0 ** rng.uniform(-12, 2, (20, 30))).astype(np.float32)
    convert = librosa.power_to_db if power == 2 else librosa.amplitude_to_db
    reference = np.max if to_peak else 1.0
    expected = convert(spectra.astype(np.float64), ref=reference, amin=1e-6, top_db=range_db)
    actual = compression.decibels(
        spectra, power=power, floor=1e-6, to_peak=to_peak, range_db=range_db
    )
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"gain": 0.8, "bias": 10.0, "exponent": 0.25, "seconds": 0.06, "floor": 1e-3},
        {"gain": 0.0, "bias": 1.0, "exponent": 1.0},
    ],
)
def test_pcen_equals_librosas(options):
    """librosa's `pcen` of its own mel bands, to 1e-4 of the largest."""
    spec = Pcen(**MEL, edges=Edges.ZEROS, **options)
    mel = librosa.feature.melspectrogram(
        y=SOUND.astype(np.float64),
        sr=RATE_HZ,
        n_fft=512,
        hop_length=160,
        win_length=400,
        n_mels=64,
        fmin=125,
        fmax=7500,
        power=1,
    )
    expected = librosa.pcen(
        mel * 2**31,
        sr=RATE_HZ,
        hop_length=160,
        gain=spec.gain,
        bias=spec.bias,
        power=spec.exponent,
        time_constant=spec.seconds,
        eps=spec.floor,
    )
    actual = front_end(spec)(SOUND)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5 * expected.max())


def test_normalisations_do_what_they_say():
    """From 0 to 1; mean 0 and deviation 1; by two given numbers."""
    spectra = np.random.default_rng(8).normal(5, 3, (9, 11)).astype(np.float32)
    ranged = normalisation.min_max(spectra, guard=0.0)
    assert (ranged.min(), ranged.max()) == (0.0, 1.0)
    standard = normalisation.standard(spectra, guard=0.0)
    np.testing.assert_allclose([standard.mean(), standard.std()], [0, 1], atol=1e-6)
    fixed = normalisation.fixed(spectra, mean=5.0, deviation=2.0)
    np.testing.assert_allclose(fixed, (spectra - 5) / 2, rtol=1e-6)


EVERY = {
    "linear": LinearStft(frame_size=512, hop=258, edges=Edges.ZEROS, normalisation=MinMax()),
    "linear in dB": LinearStft(
        frame_size=512, hop=258, compression=Decibels(to_peak=True, range_db=80)
    ),
    "mel": LogMel(**MEL, compression=Log(offset=0.01), normalisation=Standard()),
    "mel in dB": LogMel(
        **MEL,
        power=2,
        edges=Edges.MIRROR,
        compression=Decibels(),
        normalisation=Fixed(mean=-4.2, deviation=4.5),
        layout=Layout.FRAMES_BANDS,
    ),
    "few frames": LogMel(**MEL, compression=Decibels(to_peak=True, range_db=40), frames=7),
    "pcen": Pcen(**MEL, normalisation=MinMax()),
}


@pytest.mark.parametrize("spec", EVERY.values(), ids=EVERY)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), loudness=st.sampled_from([0.0, 1e-30, 1e-6, 0.1, 1.0, 32768.0]))
def test_any_clip_becomes_numbers_of_the_shape_that_was_told(spec, seed, loudness):
    """Silent or loud, a clip gives finite float32 in one block, and stays as it was."""
    make = front_end(spec, 4_000)
    clip = (loudness * np.random.default_rng(seed).uniform(-1, 1, 4_000)).astype(np.float32)
    before = clip.tobytes()
    found = make(clip)
    assert found.shape == make.shape
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert np.isfinite(found).all()
    assert before == clip.tobytes()


@pytest.mark.parametrize("spec", EVERY.values(), ids=EVERY)
def test_a_spectrogram_does_not_depend_on_the_clips_before(spec):
    """The same clip gives the same bits after another, and the first result is left alone."""
    make = front_end(spec, 4_000)
    quiet, loud = SOUND[:4_000], SOUND[4_000:8_000]
    first = make(quiet)
    kept = first.copy()
    make(loud)
    assert kept.tobytes() == first.tobytes() == make(quiet).tobytes()
    assert kept.tobytes() == front_end(spec, 4_000)(quiet).tobytes()


@settings(max_examples=20, deadline=None)
@given(gain=st.floats(0.01, 100.0))
def test_min_max_sets_the_gain_aside(gain):
    """A louder recording of the same sound gives the same spectrogram."""
    make = front_end(EVERY["linear"])
    louder = make((SOUND * np.float32(gain)).astype(np.float32))
    np.testing.assert_allclose(louder, make(SOUND), rtol=0, atol=1e-5)


def test_few_frames_are_the_first():
    """`frames` leaves out the last ones, before anything is measured over the clip."""
    whole = front_end(LinearStft(frame_size=512, hop=160))(SOUND)
    few = front_end(LinearStft(frame_size=512, hop=160, frames=50))(SOUND)
    assert whole[:, :50].tobytes() == few.tobytes()
    ranged = front_end(LinearStft(frame_size=512, hop=160, frames=50, normalisation=MinMax()))
    assert ranged(SOUND).tobytes() == normalisation.min_max(few, guard=1e-10).tobytes()


def test_the_layout_turns_the_same_numbers():
    """Bands before frames or frames before bands."""
    upright = front_end(LogMel(**MEL, compression=Log(offset=0.01)))
    turned = front_end(LogMel(**MEL, compression=Log(offset=0.01), layout=Layout.FRAMES_BANDS))
    assert upright.shape == turned.shape[::-1]
    assert np.array_equal(upright(SOUND), turned(SOUND).T)

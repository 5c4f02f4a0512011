"""Log-mel features."""

import librosa
import numpy as np
import pytest
from signals import awkward_signals

from edge.dsp.framing import Framer
from edge.stsg.features import FeatureExtractor
from edge.stsg.spec import FeatureSpec, Normalisation


def frames_of(samples):
    return Framer(frame_size=8_000, hop=4_000).push(samples)


@pytest.mark.parametrize("normalisation", list(Normalisation))
@pytest.mark.parametrize("name", list(awkward_signals()))
def test_quick_features_stay_within_their_own_bound(name, normalisation):
    """What float32 claims to be wrong by at most, it is wrong by at most."""
    extractor = FeatureExtractor(FeatureSpec(normalisation=normalisation))
    frames = frames_of(awkward_signals()[name])
    features, error = extractor.quick(frames)
    assert (np.linalg.norm(features - extractor.exact(frames), axis=1) <= error).all()


@pytest.mark.parametrize(("name", "most"), [("noise", 1e-5), ("nothing above 8 kHz", 1e-2)])
def test_bound_is_not_idle(name, most):
    """On ordinary sound the bound is tight enough to leave most frames to float32."""
    extractor = FeatureExtractor(FeatureSpec(normalisation=Normalisation.MEAN))
    features, error = extractor.quick(frames_of(awkward_signals()[name]))
    assert np.median(error / np.linalg.norm(features, axis=1)) < most


def test_exact_features_equal_librosas():
    """Mel power in dB, frame by frame, is what librosa computes."""
    samples = awkward_signals()["sweep"]
    power = librosa.feature.melspectrogram(
        y=np.pad(samples.astype(np.float64), (4_096, 4_096)),
        sr=32_000,
        n_fft=8_192,
        win_length=8_000,
        hop_length=4_000,
        n_mels=768,
        center=False,
    )
    expected = 10 * np.log10(np.maximum(power, 1e-10)).T
    extractor = FeatureExtractor(FeatureSpec(normalisation=Normalisation.NONE))
    actual = extractor.exact(frames_of(samples))
    n = len(actual)
    assert np.abs(expected[:n] - actual).max() < 1e-5


def test_gain_does_not_show_after_the_mean_is_taken():
    """The same sound, 20 dB fainter, has the same features."""
    extractor = FeatureExtractor(FeatureSpec(normalisation=Normalisation.MEAN, floor_db=-200))
    frames = frames_of(awkward_signals()["noise"])
    assert np.abs(extractor.exact(frames) - extractor.exact(frames * np.float32(0.1))).max() < 1e-4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fft_size": 4_096}, "shorter than frame_size"),
        ({"high_hz": 20_000.0}, "do not fit"),
        ({"frame_size": 7_999}, "must be even"),
        ({"hop": 16_000}, "leaves holes"),
        ({"hop": 0}, "leaves holes"),
        ({"hop": 3_200}, "beyond the end of its window"),
        ({"floor_db": float("inf")}, "floor_db"),
        ({"floor_db": float("nan")}, "floor_db"),
        ({"floor_db": -1e9}, "floor_db"),
    ],
)
def test_impossible_specs_are_refused(change, message):
    """Values that do not fit one another are said to."""
    with pytest.raises(ValueError, match=message):
        FeatureSpec(**change)

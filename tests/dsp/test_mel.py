"""The mel filterbank."""

import librosa
import numpy as np
import pytest

from edge.dsp.mel import hz_to_mel, mel_filterbank, mel_to_hz


@pytest.mark.parametrize(
    ("sample_rate_hz", "fft_size", "bands", "low_hz", "high_hz"),
    [
        (32_000, 8_192, 768, 0.0, 16_000.0),
        (32_000, 8_192, 128, 0.0, 16_000.0),
        (32_000, 8_192, 128, 50.0, 14_000.0),
        (48_000, 2_048, 96, 500.0, 15_000.0),
        (16_000, 512, 64, 125.0, 7_500.0),
    ],
)
def test_filterbank_equals_librosas(sample_rate_hz, fft_size, bands, low_hz, high_hz):
    """Each weight is librosa's to 1e-6 of the largest."""
    expected = librosa.filters.mel(
        sr=sample_rate_hz, n_fft=fft_size, n_mels=bands, fmin=low_hz, fmax=high_hz, dtype=np.float64
    )
    filters = mel_filterbank(
        sample_rate_hz=sample_rate_hz,
        fft_size=fft_size,
        bands=bands,
        low_hz=low_hz,
        high_hz=high_hz,
    )
    actual = filters @ np.eye(filters.shape[1])
    assert np.abs(expected - actual).max() < 1e-6 * expected.max()


def test_filterbank_is_sparse():
    """About two weights belong to each bin of the spectrum."""
    filters = mel_filterbank(sample_rate_hz=32_000, fft_size=8_192, bands=768, high_hz=16_000.0)
    assert 7_900 < len(filters.values) < 8_400


def test_mel_scale_inverts():
    """Hz to mel and back is the identity, on both sides of the break."""
    hz = np.linspace(0.0, 24_000.0, 1_001)
    assert np.abs(mel_to_hz(hz_to_mel(hz.copy())) - hz).max() < 1e-6

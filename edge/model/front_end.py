"""What a manifest says of the spectrogram that a model takes, and how it is made of a clip."""

from enum import StrEnum
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

from edge.contracts import FloatArray
from edge.dsp import compression, normalisation
from edge.dsp.mel import MelFade, MelNorm, MelScale, mel_filterbank
from edge.dsp.stft import Edges, Stft, count_frames
from edge.strict_yaml import Record, RefusedError

Size = Annotated[int, Meta(gt=0, le=1_048_576)]
Bands = Annotated[int, Meta(gt=0, le=4_096)]
Positive = Annotated[float, Meta(gt=0, le=1e12)]
NotNegative = Annotated[float, Meta(ge=0, le=1e12)]
Level = Annotated[float, Meta(ge=-1e12, le=1e12)]


class Layout(StrEnum):
    """Which axis of the spectrogram comes first; axes of 1 stand where the graph has them."""

    BANDS_FRAMES = "bands_frames"
    FRAMES_BANDS = "frames_bands"


class Log(Record, frozen=True, tag_field="kind", tag="log"):
    """The natural logarithm of x + offset."""

    offset: Positive


class Decibels(Record, frozen=True, tag_field="kind", tag="decibels"):
    """Decibels."""

    floor: Positive = 1e-10
    """What is less, in the spectrum's own unit, counts as this."""
    to_peak: bool = False
    """Whether 0 dB is the clip's largest value, in place of 1."""
    range_db: Positive | None = None
    """What lies further below the clip's largest value is raised to there."""


class MinMax(Record, frozen=True, tag_field="kind", tag="min_max"):
    """From 0 to 1 over the clip."""

    guard: NotNegative = 1e-10
    """Added to what is divided by; a clip of one value alone needs it."""


class Standard(Record, frozen=True, tag_field="kind", tag="standard"):
    """Mean 0 and standard deviation 1 over the clip."""

    guard: NotNegative = 1e-6
    """Added to what is divided by; a clip of one value alone needs it."""


class Fixed(Record, frozen=True, tag_field="kind", tag="fixed"):
    """Less a mean, by a deviation, that belong to the model."""

    mean: Level
    deviation: Positive


class _Spectrum(Record, frozen=True):
    """The short-time Fourier transform that every front end begins with."""

    frame_size: Size
    """Samples a frame."""
    hop: Size
    """Samples from one frame to the next."""
    fft_size: Size | None = None
    """Frames are padded with zeros to it; the frame size by default."""
    power: Literal[1, 2] = 1
    """1 for magnitudes, 2 for powers."""
    edges: Edges = Edges.INSIDE
    frames: Size | None = None
    """How many of the clip's frames the model takes, from the first; all by default."""
    normalisation: MinMax | Standard | Fixed | None = None
    layout: Layout = Layout.BANDS_FRAMES

    def __post_init__(self) -> None:
        """Refuse frames that are longer than the transform."""
        if self.fft_size is not None and self.fft_size < self.frame_size:
            raise RefusedError(
                f"{self.fft_size} is shorter than a frame of {self.frame_size} samples",
                remedy="give at least frame_size, or leave the key out",
                key="fft_size",
            )


class _Mel(_Spectrum, frozen=True, kw_only=True):
    """A front end of mel bands."""

    bands: Bands
    low_hz: NotNegative = 0.0
    high_hz: Positive
    mel_scale: MelScale = MelScale.SLANEY
    mel_norm: MelNorm = MelNorm.AREA
    mel_fade: MelFade = MelFade.HZ

    def __post_init__(self) -> None:
        """Refuse bands that lie nowhere."""
        super().__post_init__()
        if self.low_hz >= self.high_hz:
            raise RefusedError(
                f"{self.low_hz:g} Hz is not below high_hz, {self.high_hz:g} Hz",
                remedy="give the lowest band's lower edge",
                key="low_hz",
            )


class LinearStft(_Spectrum, frozen=True, tag_field="kind", tag="linear_stft"):
    """The spectrum's bins as they are."""

    compression: Log | Decibels | None = None


class LogMel(_Mel, frozen=True, kw_only=True, tag_field="kind", tag="log_mel"):
    """The logarithm of mel bands."""

    compression: Log | Decibels


class Pcen(_Mel, frozen=True, tag_field="kind", tag="pcen"):
    """Mel bands, each by a power of its own running mean (per-channel energy normalisation)."""

    multiplier: Positive = 2.0**31
    """The bands are multiplied by this first: librosa's advice for samples within ±1."""
    gain: Annotated[float, Meta(ge=0, le=1)] = 0.98
    bias: Positive = 2.0
    exponent: Annotated[float, Meta(gt=0, le=1)] = 0.5
    seconds: Positive = 0.4
    """Time constant of the running mean."""
    floor: Positive = 1e-6


FrontEndSpec = LinearStft | LogMel | Pcen


def check_front_end(spec: FrontEndSpec, *, sample_rate_hz: int, samples: int) -> None:
    """Make sure that a front end fits the clips that it is given.

    Args:
        spec: The front end.
        sample_rate_hz: Of the clips.
        samples: Length of a clip.

    Raises:
        RefusedError: It does not; its key is one of the front end's.
    """
    try:
        frames = count_frames(
            samples=samples, frame_size=spec.frame_size, hop=spec.hop, edges=spec.edges
        )
    except ValueError as reason:
        raise RefusedError(
            str(reason), remedy="give a shorter frame, or a longer clip", key="frame_size"
        ) from None
    if frames * (spec.fft_size or spec.frame_size) > _MOST_VALUES:
        raise RefusedError(
            f"{spec.hop} makes {frames} frames of a clip, too many for their FFT",
            remedy="give the samples from one frame to the next, as a rule a part of frame_size",
            key="hop",
        )
    if spec.frames is not None and spec.frames > frames:
        raise RefusedError(
            f"a clip of {samples} samples has {frames} frames, not {spec.frames}",
            remedy="give fewer, a shorter hop, or edges: zeros",
            key="frames",
        )
    if not isinstance(spec, LinearStft) and spec.high_hz > sample_rate_hz / 2:
        raise RefusedError(
            f"{spec.high_hz:g} Hz is above half the sample rate, {sample_rate_hz / 2:g} Hz",
            remedy="give the highest band's upper edge, or another sample_rate",
            key="high_hz",
        )


def describe_front_end(spec: FrontEndSpec) -> str:
    """Say in a line what a front end makes."""
    match spec:
        case LinearStft():
            what = "linear_stft"
        case LogMel() | Pcen():
            kind = "log_mel" if isinstance(spec, LogMel) else "pcen"
            what = f"{kind} of {spec.bands} bands, {spec.low_hz:g} to {spec.high_hz:g} Hz"
    return f"{what}, frames of {spec.frame_size} samples every {spec.hop}"


class FrontEnd:
    """Makes of a clip the spectrogram that a model takes.

    Its buffers are used again by the next clip, so it belongs to one thread.

    Args:
        spec: What the manifest says, checked.
        sample_rate_hz: Of the clips.
        samples: Length of a clip.
    """

    def __init__(self, spec: FrontEndSpec, *, sample_rate_hz: int, samples: int) -> None:
        self._spec = spec
        fft_size = spec.fft_size or spec.frame_size
        self._stft = Stft(
            samples=samples,
            frame_size=spec.frame_size,
            hop=spec.hop,
            fft_size=fft_size,
            power=spec.power,
            edges=spec.edges,
            frames=spec.frames,
        )
        bands, frames = self._stft.bins, self._stft.frames
        self._filters = None
        self._pcen = None
        if not isinstance(spec, LinearStft):
            bands = spec.bands
            self._filters = mel_filterbank(
                sample_rate_hz=sample_rate_hz,
                fft_size=fft_size,
                bands=bands,
                low_hz=spec.low_hz,
                high_hz=spec.high_hz,
                scale=spec.mel_scale,
                norm=spec.mel_norm,
                fade=spec.mel_fade,
            ).astype(np.float32)
        if isinstance(spec, Pcen):
            self._pcen = compression.Pcen(
                frames_per_second=sample_rate_hz / spec.hop,
                gain=spec.gain,
                bias=spec.bias,
                exponent=spec.exponent,
                seconds=spec.seconds,
                floor=spec.floor,
            )
        self.shape = (bands, frames) if spec.layout is Layout.BANDS_FRAMES else (frames, bands)

    def __call__(self, clip: FloatArray) -> FloatArray:
        """Make a spectrogram.

        Args:
            clip: float32 [shape=(samples,)].

        Returns:
            float32 [shape=self.shape].
        """
        spectra = self._stft(clip)
        if self._filters is not None:
            spectra = self._filters @ spectra
        spectra = self._normalise(self._compress(spectra))
        if self._spec.layout is Layout.FRAMES_BANDS:
            spectra = spectra.T
        return np.ascontiguousarray(spectra)

    def _compress(self, spectra: FloatArray) -> FloatArray:
        spec = self._spec
        if isinstance(spec, Pcen):
            assert self._pcen is not None
            return self._pcen(spectra * np.float32(spec.multiplier))
        match spec.compression:
            case Log(offset=offset):
                return compression.log(spectra, offset=offset)
            case Decibels(floor=floor, to_peak=to_peak, range_db=range_db):
                return compression.decibels(
                    spectra, power=spec.power, floor=floor, to_peak=to_peak, range_db=range_db
                )
        return spectra

    def _normalise(self, spectra: FloatArray) -> FloatArray:
        match self._spec.normalisation:
            case MinMax(guard=guard):
                return normalisation.min_max(spectra, guard=guard)
            case Standard(guard=guard):
                return normalisation.standard(spectra, guard=guard)
            case Fixed(mean=mean, deviation=deviation):
                return normalisation.fixed(spectra, mean=mean, deviation=deviation)
        return spectra


_MOST_VALUES = 2**26
"""What a clip's frames may hold together: 256 MB."""

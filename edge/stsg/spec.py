"""What an STSG model is told about its mel frames."""

from dataclasses import dataclass
from enum import StrEnum


class Normalisation(StrEnum):
    """What is done to one frame's mel bands, in dB, to set its loudness aside."""

    NONE = "none"
    MEAN = "mean"
    """The mean over the bands is subtracted: a gain no longer shows."""
    STANDARD = "standard"
    """Mean 0 and standard deviation 1 over the bands (paper, section 3.2.1)."""


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """The signal arithmetic of one STSG model (paper, Table 2a).

    Raises:
        ValueError: Values that do not fit one another.
    """

    sample_rate_hz: int = 32_000
    frame_size: int = 8_000
    hop: int = 4_000
    fft_size: int = 8_192
    mel_bands: int = 768
    low_hz: float = 0.0
    high_hz: float = 16_000.0
    floor_db: float = -100.0
    """Mel power below this, relative to full scale 1.0, counts as this."""
    normalisation: Normalisation = Normalisation.STANDARD

    def __post_init__(self) -> None:
        if self.frame_size % 2 or not 0 < self.hop <= self.frame_size:
            raise ValueError(
                f"frame_size {self.frame_size} every {self.hop} samples leaves holes, or has no "
                "centre: it must be even, and at least the hop"
            )
        # The last frame of a 5 s window lies around a hop before its end.
        if self.frame_size > 2 * self.hop:
            raise ValueError(
                f"frame_size {self.frame_size} every {self.hop} samples reaches beyond the end of "
                "its window: it must be at most twice the hop"
            )
        if not -_LEAST_DB <= self.floor_db <= 0.0:
            raise ValueError(f"floor_db {self.floor_db:g} is not from {-_LEAST_DB:g} to 0")
        if self.fft_size < self.frame_size:
            raise ValueError(
                f"fft_size {self.fft_size} is shorter than frame_size {self.frame_size}"
            )
        if not 0 <= self.low_hz < self.high_hz <= self.sample_rate_hz / 2:
            raise ValueError(
                f"bands from {self.low_hz} to {self.high_hz} Hz do not fit into 0 to "
                f"{self.sample_rate_hz / 2} Hz"
            )


_LEAST_DB = 300.0
"""What float32 can still hold as a power, with room to spare."""

"""Raw PCM: bytes without a header, as `arecord -t raw` and `ffmpeg -f f32le` write them."""

from enum import StrEnum

import numpy as np

from edge.contracts import FloatArray
from edge.dsp.mono import mix_to_mono


class PcmFormat(StrEnum):
    """How a sample is written, by ffmpeg's names; arecord's `S24_3LE` is `s24le`."""

    U8 = "u8"
    S16LE = "s16le"
    S16BE = "s16be"
    S24LE = "s24le"
    """Packed: three bytes a sample."""
    S32LE = "s32le"
    F32LE = "f32le"

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample of one channel."""
        return int(self[1:].rstrip("lbe")) // 8


class PcmDecoder:
    """Turns raw PCM into mono samples; the same for any chunking of the bytes.

    Full scale is 1, as in libsndfile: a recording gives the same bits as a file and as raw PCM.

    Args:
        pcm_format: How a sample is written.
        channels: How many are interleaved; they are mixed to their mean.
    """

    def __init__(self, pcm_format: PcmFormat, *, channels: int = 1) -> None:
        if channels < 1:
            raise ValueError(f"raw PCM has at least one channel, not {channels}")
        self._format = pcm_format
        self._channels = channels
        self._held = b""

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return self._format.sample_bytes * self._channels

    @property
    def held_bytes(self) -> int:
        """Bytes of a sample that is not yet complete."""
        return len(self._held)

    def push(self, data: bytes) -> FloatArray:
        """Return the samples that became complete: float32 [shape=(n,)], n ≥ 0, read-only."""
        data = self._held + data
        whole = len(data) - len(data) % self.frame_bytes
        self._held = data[whole:]
        values = _to_float(data[:whole], self._format).reshape(-1, self._channels)
        samples = mix_to_mono(values)
        samples.flags.writeable = False
        return samples


def _to_float(data: bytes, pcm_format: PcmFormat) -> FloatArray:
    """Decode whole samples to float32 [shape=(n,)], full scale = ±1."""
    match pcm_format:
        case PcmFormat.F32LE:
            return np.frombuffer(data, dtype="<f4").astype(np.float32, copy=False)
        case PcmFormat.U8:
            steps = np.frombuffer(data, dtype=np.uint8).astype(np.float32) - np.float32(128.0)
        case PcmFormat.S24LE:
            # In the upper bytes of 32 bits the sign is where it belongs.
            wide = np.zeros((len(data) // 3, 4), dtype=np.uint8)
            wide[:, 1:] = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3)
            steps = wide.view("<i4")[:, 0].astype(np.float32)
        case _:
            steps = np.frombuffer(data, dtype=_INTEGERS[pcm_format]).astype(np.float32)
    steps *= np.float32(1.0 / _FULL_SCALE[pcm_format])
    return steps


_INTEGERS = {PcmFormat.S16LE: "<i2", PcmFormat.S16BE: ">i2", PcmFormat.S32LE: "<i4"}
_FULL_SCALE = {
    PcmFormat.U8: 2.0**7,
    PcmFormat.S16LE: 2.0**15,
    PcmFormat.S16BE: 2.0**15,
    PcmFormat.S24LE: 2.0**31,
    PcmFormat.S32LE: 2.0**31,
}

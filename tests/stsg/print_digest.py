"""Print the digest of the tokens of the awkward signals, for a codebook saved in an .npz file."""

import hashlib
import sys

import numpy as np
from signals import awkward_signals

from edge.dsp.framing import Framer
from edge.stsg.codebook import Codebook
from edge.stsg.features import FeatureExtractor
from edge.stsg.spec import FeatureSpec
from edge.stsg.tokenizer import Tokenizer


def digest(saved):
    """Return the sha256 of the tokens."""
    arrays = np.load(saved)
    codebook = Codebook(arrays["projection"], arrays["bias"], arrays["centroids"])
    signal = np.concatenate(list(awkward_signals().values()))
    frames = Framer(frame_size=8_000, hop=4_000).push(signal)
    tokens = Tokenizer(FeatureExtractor(FeatureSpec()), codebook).tokens(frames)
    return hashlib.sha256(tokens.tobytes()).hexdigest()


if __name__ == "__main__":
    print(digest(sys.argv[1]))

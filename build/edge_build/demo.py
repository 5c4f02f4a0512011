"""`make demo`: render a synthetic forest, score it, and show what was heard beside what was played.

Usage: python -m edge_build.demo FOLDER
"""

import csv
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.backends.stsg import StsgModel
from edge.batch.cli import main as score_recordings
from edge.contracts import FRAME_SECONDS
from edge.load import find_model, load_model
from edge_build.picture import Portrait, draw_portrait
from edge_build.synth import LABELS, Recording, truth, write_recordings

MODEL = "stsg-demo"
RECORDINGS = 10
SEED = 2026
START = datetime(2026, 4, 1, 5, 0, tzinfo=UTC)


def main(place: str) -> int:
    """Run the demo in the folder `place`; return the exit code."""
    folder = Path(place)
    recordings_dir = folder / "recordings"
    print(f"Rendering {RECORDINGS} one-minute recordings into {recordings_dir} ...")
    recordings = write_recordings(recordings_dir, RECORDINGS, SEED, START)
    paths = sorted(recordings_dir.glob("*.wav"))
    submission = folder / "predictions.csv"
    arguments = [str(recordings_dir), "--model", MODEL, "--out", str(submission)]
    print(f"Scoring: edge-batch {' '.join(arguments)}")
    if (code := score_recordings(arguments)) != 0:
        return code
    heard = read_submission(submission)
    played = np.concatenate([truth(recording) for recording in recordings])
    print_windows(paths[0], recordings[0], heard, played)
    print_scores(heard, played)
    picture = folder / "demo.png"
    draw_portrait(portray(paths[0], recordings[0], heard), picture)
    print(f"\nPicture: {picture}\nScores:  {submission}")
    return 0


@dataclass(frozen=True, slots=True, eq=False)
class Submission:
    """What `edge-batch` wrote."""

    row_ids: list[str]
    labels: list[str]
    scores: NDArray[np.float64]
    """[shape=(rows, labels)]"""

    def column(self, label: str) -> NDArray[np.float64]:
        """Return a label's scores [shape=(rows,)]."""
        return np.asarray(self.scores[:, self.labels.index(label)])


def read_submission(path: Path) -> Submission:
    """Read a submission file."""
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    scores = np.array([[float(cell) for cell in row[1:]] for row in rows])
    return Submission([row[0] for row in rows], header[1:], scores)


def print_windows(
    path: Path, recording: Recording, heard: Submission, played: NDArray[np.bool_]
) -> None:
    """Print, window by window, what was played in one recording and what was heard."""
    voices = np.column_stack([heard.column(label) for label in LABELS])
    print(f"\n{path.name}, over {recording.background}\n")
    print(f"{'ends at':>8}  {'played':<34}  heard (probability)")
    for row, row_id in enumerate(heard.row_ids):
        stem, _, end = row_id.rpartition("_")
        if stem != path.stem:
            continue
        names = [label for label, there in zip(LABELS, played[row], strict=True) if there]
        order = np.argsort(-voices[row])
        said = [f"{LABELS[i]} {voices[row, i]:.2f}" for i in order[:3] if voices[row, i] >= 0.1]
        print(f"{end:>6} s  {', '.join(names) or '-':<34}  {', '.join(said) or '-'}")


def print_scores(heard: Submission, played: NDArray[np.bool_]) -> None:
    """Print the ROC-AUC of each voice that was played, and their mean."""
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 (heavy)

    print(f"\nAll {RECORDINGS} recordings, {len(played)} windows of {FRAME_SECONDS:g} s\n")
    print(f"{'voice':<12} {'windows':>7}  ROC-AUC")
    areas = []
    for column, label in enumerate(LABELS):
        there = played[:, column]
        if there.any() and not there.all():
            areas.append(float(roc_auc_score(there, heard.column(label))))
            print(f"{label:<12} {there.sum():>7}  {areas[-1]:.3f}")
    print(f"{'macro':<12} {played.any(axis=1).sum():>7}  {np.mean(areas):.3f}")


def portray(path: Path, recording: Recording, heard: Submission) -> Portrait:
    """Gather what the picture shows of one recording: sound, tokens, scores."""
    model = load_model(find_model(MODEL))
    if not isinstance(model, StsgModel):
        raise TypeError(f"{MODEL} is no STSG model")
    rows = [row for row, name in enumerate(heard.row_ids) if name.startswith(f"{path.stem}_")]
    return Portrait(
        title=path.name,
        samples=recording.samples,
        sample_rate_hz=recording.sample_rate_hz,
        tokens=model.tokenizer.open().push(recording.samples),
        labels=heard.labels,
        scores=heard.scores[rows],
        events=[(e.label, e.start_s, e.end_s, e.low_hz, e.high_hz) for e in recording.events],
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

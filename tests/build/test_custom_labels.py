"""Models from recordings whose labels have times, through the command and its parts."""

import csv
import dataclasses
import re
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from tiny_clip import RATE_HZ
from tiny_custom import LABELS, call_of, write_base
from tiny_training import environment, run_edge_build, shown_commands

from edge.errors import InputError
from edge.load import load_model
from edge.model.manifest import read_manifest
from edge.pipeline import score
from edge.sources.file import AudioFile
from edge_build.cache import Cache
from edge_build.custom.examples import Cut, EmbeddingStore, Examples
from edge_build.custom.marked import deal_recordings, marked_examples
from edge_build.custom.train import train_custom
from edge_build.labels.recordings import find_recordings

HEADING = "Selection\tBegin Time (s)\tEnd Time (s)\tAnnotation\n"


def write_recording(path, stretches, *, take, seconds=30.0):
    """Write noise with calls in it; `stretches` are (start in s, end in s, label)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng([take, 5]).normal(0, 0.08, round(seconds * RATE_HZ))
    for start_s, end_s, label in stretches:
        first, last = (round(at * RATE_HZ) for at in (start_s, end_s))
        # Calls repeat every half second from the file's start, as in a clip.
        whole = call_of(label, seconds=seconds, take=take)[: len(samples)]
        samples[first:last] += whole[first:last][: max(0, len(samples) - first)]
    soundfile.write(path, samples * 0.7, RATE_HZ, "PCM_16")
    return path


def stretches_of(take):
    """Where each label is in a recording: frog and wren meet in the third window."""
    owl = [(20.0, 25.0, LABELS[1])] if take % 2 else []
    return [(5.0, 15.0, LABELS[0]), (10.0, 20.0, LABELS[2]), *owl]


def write_soundscapes(place, *, count=8):
    """Write recordings, and labels in all three forms; return both folders."""
    audio, labels = place / "audio", place / "labels"
    labels.mkdir(parents=True)
    rows = []
    for take in range(count):
        stem = f"s{take:02d}"
        stretches = stretches_of(take)
        write_recording(audio / f"site{take % 2}" / f"{stem}.wav", stretches, take=take)
        if take % 3 == 0:
            lines = [f"{n}\t{a}\t{b}\t{label}\n" for n, (a, b, label) in enumerate(stretches)]
            table = labels / f"{stem}.Table.1.selections.txt"
            table.write_text(HEADING + "".join(lines), "utf-16")
        elif take % 3 == 1:
            track = "".join(f"{a}\t{b}\t{label}\r\n" for a, b, label in stretches)
            (labels / f"{stem}.txt").write_text(track.replace(".", ","), "utf-8-sig")
        else:
            for start in range(0, 30, 5):
                held = [x for a, b, x in stretches if a <= start < b]
                mixed = ";".join(held)
                rows += [f'{stem}.ogg,0:00:{start:02d},0:00:{start + 5:02d},"{mixed}"\n'] * 2
    (labels / "labels.csv").write_text("filename,start,end,primary_label\n" + "".join(rows))
    return audio, labels


def trained(place, *label_files, base=None, precision=0.5, **more):
    """Train in this process on what lies in `place / "audio"`."""
    return train_custom(
        str(base or write_base(place)),
        data=place / "audio",
        out=place / "own",
        precision=precision,
        labels=label_files,
        cache=Cache(place / "cache"),
        **more,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Soundscapes, labels, a base, and the model that one command made of them."""
    place = tmp_path_factory.mktemp("marked")
    audio, labels = write_soundscapes(place)
    done = run_edge_build(
        *("train", "--data", audio, "--labels", labels, "--base", write_base(place, embedding=16)),
        *("--out", place / "my-site", "--precision", "0.8"),
        cache=place / "cache",
    )
    assert done.returncode == 0, done.stderr
    return place, done


def test_edge_batch_finds_several_labels_in_one_window(made):
    """In a recording that is new to it, both are above their thresholds where they meet."""
    place, _ = made
    wav = write_recording(place / "new.wav", stretches_of(1), take=70)
    table = place / "scores.csv"
    arguments = [wav, "--model", place / "my-site", "--out", table, "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", "edge.batch", *map(str, arguments)],
        env=environment(place / "cache"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    levels = read_manifest(place / "my-site").thresholds
    with table.open(encoding="utf-8", newline="") as file:
        found = [
            {label for label in LABELS if float(row[label]) >= levels[label]}
            for row in csv.DictReader(file)
        ]
    frog, owl, wren = LABELS
    assert [set(), {frog}, {frog, wren}, {wren}, {owl}, set()] == found


def test_the_card_counts_what_the_labels_came_to(made):
    """Events, recordings and windows a label, windows without any, and several in one."""
    place, done = made
    card = (place / "my-site" / "MODEL_CARD.md").read_text("utf-8")
    for part in (
        "8 files of 8 recordings, labelled with times; 48 windows of 5 s",
        "8 of them hold several labels",
        "0 windows are left out",
        "| frog | 10 | 8 | 16 |",
        "| käuzchen, klein | 4 | 4 | 4 |",
        "| (none of them) | | 8 | 20 |",
        "- macro ROC-AUC ",
        "too little data: 4 windows of 4 recordings; add 6 more windows",
        "rows say what another row has said",
    ):
        assert part in card, card
    assert str(place) not in card
    (command,) = shown_commands(place / "my-site" / "MODEL_CARD.md")
    assert command[:3] + command[-2:] == ["train", "--data", "audio", "--labels", "labels"]
    assert "the highest answer of each of" not in card
    assert re.search(
        r"3 labels; macro F1 of unheard recordings \d\.\d+, macro ROC-AUC", done.stdout
    )


def windows_of(place, *label_files):
    """What the windows of `place / "audio"` hold, and notes, without a training."""
    labelled, told = find_recordings(place / "audio", label_files)
    folder = place / "tiny-base"
    if not folder.exists():
        write_base(place)
    model = load_model(folder)
    store = EmbeddingStore(model, read_manifest(folder), Cache(place / "cache"), cut=Cut.EVERY)
    good, bad = store.add([one.clip for one in labelled])
    usable = [one for one in labelled if one.clip in good]
    examples, tally, notes = marked_examples(usable, store)
    model.close()
    return examples, tally, [*told, *bad, *notes]


def test_windows_are_those_of_the_runtime(tmp_path):
    """Embeddings of a recording's windows are what the base says of them in a stream."""
    write_recording(tmp_path / "audio" / "a.wav", stretches_of(1), take=3, seconds=32.0)
    (tmp_path / "a.txt").write_text("5\t15\tfrog\n10\t20\twren\n")
    examples, *_ = windows_of(tmp_path, tmp_path / "a.txt")
    model = load_model(tmp_path / "tiny-base")
    with AudioFile(tmp_path / "audio" / "a.wav") as file:
        said = list(score(file, model, keep_embeddings=True))
    model.close()
    assert len(said) == 7
    np.testing.assert_array_equal([one.embedding for one in said], examples.embeddings)
    assert examples.truth.tolist() == [
        [False, False],
        [True, False],
        [True, True],
        [False, True],
        *[[False, False]] * 3,
    ]


def test_events_that_are_nowhere_are_told_and_counted(tmp_path):
    """Beyond the end, reaching over it, in too short a rest, in one window alone."""
    calls = [(0.0, 5.0, "frog"), (5.0, 12.0, "frog")]
    for take in range(3):
        write_recording(tmp_path / "audio" / f"s{take}.wav", calls, take=take, seconds=20.6)
    (tmp_path / "l").mkdir()
    track = "0\t5\tfrog\n5\t12\tfrog\n"
    (tmp_path / "l" / "s0.txt").write_text(f"{track}90\t95\tfrog\n18\t33\tfrog\n")
    (tmp_path / "l" / "s1.txt").write_text(f"{track}20.2\t20.4\tfrog\n16\t17\theron\n")
    (tmp_path / "l" / "s2.txt").write_text(track)
    examples, tally, notes = windows_of(tmp_path, tmp_path / "l")
    assert examples.labels == ("frog",)
    for begins in (
        "1 events begin where their recording has ended, and are left out; ",
        "1 events end later than their recording, and end with it: s0.wav",
        "1 events are in the end of a recording that is too short for a window: s1.wav",
        "label heron is left out: it is in 1 windows; add recordings of it",
    ):
        assert [note for note in notes if note.startswith(begins)], begins
    # Four windows a recording; the one of the label that was left out is no negative.
    assert (len(examples.truth), int(examples.truth.sum()), tally.unclear) == (11, 10, 1)


def test_damaged_samples_cost_their_windows(tmp_path):
    """A window that holds a NaN is left out and told; what is around it stays where it is."""
    path = write_recording(tmp_path / "audio" / "a.wav", stretches_of(1), take=3)
    samples, _ = soundfile.read(path, dtype="float32")
    samples[12 * RATE_HZ] = np.nan
    soundfile.write(path, samples, RATE_HZ, "FLOAT")
    (tmp_path / "a.txt").write_text("5\t15\tfrog\n15\t20\twren\n20\t25\twren\n")
    examples, _, notes = windows_of(tmp_path, tmp_path / "a.txt")
    assert examples.truth.tolist() == [
        [False, False],
        [True, False],
        [False, True],
        [False, True],
        [False, False],
    ]
    (note,) = [note for note in notes if "windows have samples that are missing" in note]
    assert note.startswith("1 windows have samples")


def test_every_window_alike_is_refused(tmp_path):
    """A label that is everywhere can be told from nothing; one that is in one window is none."""
    write_recording(tmp_path / "audio" / "a.wav", [(0.0, 30.0, "frog")], take=1)
    (tmp_path / "a.txt").write_text("0\t30\tfrog\n")
    with pytest.raises(InputError, match="every window holds frog: there is nothing to tell it"):
        windows_of(tmp_path, tmp_path / "a.txt")
    (tmp_path / "a.txt").write_text("0\t3\tfrog\n90\t95\tfrog\n")
    with pytest.raises(InputError, match="no label is in two windows") as caught:
        windows_of(tmp_path, tmp_path / "a.txt")
    assert "1 events begin where their recording has ended" in caught.value.what


def drawn(seed, *, recordings=12, labels=4):
    """Windows of recordings that hold labels by chance, the later labels ever more rarely."""
    generator = np.random.default_rng(seed)
    held = generator.uniform(size=(recordings, labels)) < 0.8 / 2.0 ** np.arange(labels)
    held[0] = True
    numbers = np.repeat(np.arange(recordings), generator.integers(1, 9, recordings))
    truth = held[numbers] & (generator.uniform(size=(len(numbers), labels)) < 0.7)
    return Examples(
        np.zeros((len(numbers), 2), np.float32),
        truth,
        numbers,
        tuple(f"r{number // 2}" for number in numbers),
        tuple(f"label-{number}" for number in range(labels)),
        marked=True,
    )


@given(seed=st.integers(0, 2**31), most=st.integers(2, 6))
def test_folds_hold_whole_recordings_and_spread_labels(seed, most):
    """No recording is split; the rarest label of two recordings or more is in several folds.

    A recording all of whose labels are in no other is always learnt from.
    """
    examples = drawn(seed)
    folds = deal_recordings(examples, most=most, seed=1)
    of_recording = {}
    for recording, fold in zip(examples.recordings, folds, strict=True):
        of_recording.setdefault(recording, set()).add(int(fold))
    assert all(len(found) == 1 for found in of_recording.values())
    assert set(folds.tolist()) <= set(range(-1, most))
    counts = [examples.recordings_of(label) for label in range(4)]
    for name, (fold,) in of_recording.items():
        rows = [row == name for row in examples.recordings]
        held = np.flatnonzero(examples.truth[rows].any(axis=0))
        if len(held) and all(counts[label] == 1 for label in held):
            assert fold == -1
    spread = sorted(count for count in counts if count > 1)
    if spread and spread.count(spread[0]) == 1:
        rarest = counts.index(spread[0])
        assert len(set(folds[examples.truth[:, rarest]].tolist())) > 1


def test_validation_takes_recordings_of_the_rarest_label_too():
    """Every window of a recording counts for its rarest label; without times, for its own."""
    examples = drawn(4)
    for name in set(examples.recordings):
        rows = np.array([row == name for row in examples.recordings])
        held = np.flatnonzero(examples.truth[rows].any(axis=0))
        rarest = min(held, key=lambda label: examples.truth[:, label].sum(), default=4)
        assert set(examples.strata[rows].tolist()) == {rarest}
    clips = dataclasses.replace(examples, marked=False)
    np.testing.assert_array_equal(clips.classes, clips.strata)


def test_so_little_is_a_model_that_says_so(tmp_path):
    """A label in one recording, broken audio, files that --recording joins: each with its note.

    The label of one recording is learnt and never judged, and its threshold is not its own.
    """
    for take in range(5):
        calls = [(5.0, 15.0, "frog"), *([(20.0, 30.0, "heron")] if take == 0 else [])]
        name = f"r{min(take, 3)}-{take}"
        write_recording(tmp_path / "audio" / f"{name}.wav", calls, take=take)
        track = "".join(f"{a}\t{b}\t{label}\n" for a, b, label in calls)
        (tmp_path / f"{name}.txt").write_text(track)
    (tmp_path / "audio" / "r2-2.wav").write_bytes(b"RIFF, but no more")
    made = trained(tmp_path, *tmp_path.glob("*.txt"), precision=0.8, recording=r"^(r\d)-")
    assert len(made.clips) == 4
    assert any(note.startswith("left out: r2-2.wav: ") for note in made.notes)
    heron = made.examples.labels.index("heron")
    assert np.isnan(made.fitted.unheard[made.examples.truth[:, heron], heron]).all()
    assert (
        "heron: too little data: 2 windows of 1 recordings; add 8 more windows and 2 more "
        "recordings"
    ) in made.notes
    assert read_manifest(made.folder).thresholds["heron"] == 0.8
    joined = [recording == "r3" for recording in made.examples.recordings]
    assert sum(joined) == 12
    assert len(set(made.fitted.fold_of[joined].tolist())) == 1


def test_one_recording_alone(tmp_path):
    """Nothing can be left out, and no window is without a label: both are warnings."""
    calls = [(0.0, 15.0, "frog"), (15.0, 30.0, "wren")]
    write_recording(tmp_path / "audio" / "a.wav", calls, take=1)
    (tmp_path / "a.txt").write_text("0\t15\tfrog\n15\t30\twren\n")
    made = trained(tmp_path, tmp_path / "a.txt")
    assert any(note.startswith("no recording could be left out") for note in made.notes)
    assert any(note.startswith("no window without any of the labels") for note in made.notes)
    assert "None: no recording could be left out" in (made.folder / "MODEL_CARD.md").read_text()


def test_tokens_are_learnt_from_labelled_recordings(tmp_path):
    """Without any base; of too few recordings, that is refused."""
    audio, labels = write_soundscapes(tmp_path, count=4)
    made = trained(tmp_path, labels, base="stsg")
    assert made.examples.labels == LABELS
    assert read_manifest(made.folder).backend == "stsg"
    (audio / "site0" / "s00.wav").unlink()
    with pytest.raises(InputError, match="from 4 recordings or more, and there are 3"):
        trained(tmp_path, labels, base="stsg")


def test_all_audio_broken_is_refused(tmp_path):
    """The error says why of each."""
    audio, labels = write_soundscapes(tmp_path, count=2)
    for path in audio.rglob("*.wav"):
        path.write_bytes(path.name.encode())
    with pytest.raises(InputError, match="none of the labelled recordings can be used"):
        trained(tmp_path, labels)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tiny.yaml", "--labels", "a.txt", "--data", "d"], "--labels is for training without a"),
        (["tiny.yaml", "--label-column", "x", "--data", "d"], "--label-column is for training"),
        (["--label-column", "x", "--data", "d"], "--label-column is a column of the files of"),
        (["--base", "b", "--labels", "a.txt", "--data", "d"], "a.txt, line 1: no form of label"),
    ],
)
def test_arguments_that_lead_nowhere(arguments, message, tmp_path):
    """Each ends with code 2 and says what is wrong, where, and what to do."""
    write_recording(tmp_path / "d" / "a.wav", [], take=1, seconds=6.0)
    (tmp_path / "a.txt").write_text("to do\n")
    done = run_edge_build(
        "train", *arguments, "--out", "own", cwd=tmp_path, cache=tmp_path / "cache"
    )
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "remedy: " in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "own").exists()


def test_folders_of_clips_do_not_mix_with_label_files(tmp_path):
    """A folder called by a label is refused before any work."""
    write_recording(tmp_path / "audio" / "frog" / "a.wav", [], take=1, seconds=6.0)
    (tmp_path / "a.txt").write_text("0\t3\tfrog\n")
    with pytest.raises(InputError, match="frog: a folder called by a label holds clips of it"):
        trained(tmp_path, tmp_path / "a.txt")
    assert not (tmp_path / "own").exists()


def test_raven_s_label_column_is_chosen(tmp_path):
    """Of several, --label-column takes the one that is named, which the card's command repeats."""
    write_recording(tmp_path / "audio" / "a.wav", [(5.0, 15.0, "frog")], take=1, seconds=25.0)
    (tmp_path / "a.txt").write_text(
        "Begin Time (s)\tEnd Time (s)\tSpecies\tCall type\n5\t15\tfrog\ttrill\n"
    )
    made = trained(tmp_path, tmp_path / "a.txt", label_column="Call type")
    assert made.examples.labels == ("trill",)
    (command,) = shown_commands(made.folder / "MODEL_CARD.md")
    assert command[-4:] == ["--labels", "a.txt", "--label-column", "Call type"]

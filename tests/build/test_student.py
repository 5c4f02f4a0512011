import shutil
import subprocess
import sys

import numpy as np
import pytest
import yaml
from tiny_custom import write_call
from tiny_student import RECIPE, write_lesson
from tiny_training import REPOSITORY, contents, environment, run_edge_build, shown_commands

from edge.errors import ConfigError, InputError
from edge.model.head import OnnxHead
from edge.pipeline import score
from edge.sources.file import AudioFile
from edge_build.cache import Cache
from edge_build.custom.train import train_custom
from edge_build.dataset import Clip
from edge_build.embeddings import load_embedder
from edge_build.folds import DEFAULT_PATTERN
from edge_build.recipe import read_recipe
from edge_build.recipe_parts import StudentRecipe
from edge_build.student.agreement import agreement_of, average_precision
from edge_build.student.split import split_recordings
from edge_build.student.teacher import choose_labels
from edge_build.sweep.spec import read_sweep
from edge_build.table import run_evaluation

torch = pytest.importorskip("torch", reason="torch trains students")


from edge_build.student.fit import Lessons, batches, fit_student  # noqa: E402
from edge_build.student.graph import write_onnx  # noqa: E402
from edge_build.student.net import divergence  # noqa: E402


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Where a student was trained by the command."""
    place = tmp_path_factory.mktemp("student")
    recipe, audio = write_lesson(place)
    shutil.copyfile(audio / "frog" / "r00.wav", audio / "wren" / "r77.wav")
    (audio / "wren" / "r78.wav").write_bytes(b"no audio")
    done = run_edge_build(
        *("train", recipe, "--unlabelled", audio, "--models-dir", place / "models"),
        *("--out", place / "student"),
        cache=place / "cache",
    )
    assert done.returncode == 0, done.stderr
    return place, done


def test_folder_and_card(made):
    """The folder holds codebook, head and labels; the card tells of agreement and both licences."""
    place, done = made
    names = "MODEL_CARD.md codebook.faiss golden.npy head.onnx labels.txt model.yaml recipe.yaml"
    assert names.split() == sorted(contents(place / "student"))
    card = (place / "student" / "MODEL_CARD.md").read_text("utf-8")
    for part in (
        "A student of tiny-base 1",
        "| held out | 2 | 2 | 6 |",
        "Agreement with the teacher, not with the truth",
        "Apache-2.0 (of tiny-base), and CC0-1.0; commercial use is allowed",
        "5 of the teacher's 5 labels, all of them",
        "torch 2.",
    ):
        assert part in card
    assert str(place) not in card
    assert "held-out windows, rank correlation" in done.stdout


def test_the_card_s_command_makes_the_same_model(made, tmp_path):
    """Run elsewhere with a cache of its own, it gives the same files, bit for bit."""
    place, _ = made
    for name in ("calls", "models"):
        (tmp_path / name).symlink_to(place / name)
    shutil.copyfile(place / "student" / "recipe.yaml", tmp_path / "recipe.yaml")
    (command,) = shown_commands(place / "student" / "MODEL_CARD.md")
    done = run_edge_build(*command, cwd=tmp_path, cache=tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    assert contents(place / "student") == contents(tmp_path / "student")


def test_the_daemon_runs_it(made, tmp_path):
    """It drains a folder with the student, without torch at run time."""
    place, _ = made
    (tmp_path / "card").mkdir()
    write_call(tmp_path / "card" / "20260401_050000.wav", "wren", take=3, seconds=10.0)
    config = {
        "station": {"name": "s", "latitude": 0.0, "longitude": 0.0, "timezone": "UTC"},
        "models_dir": str(place),
        "model": "student",
        "source": {"directory": {"path": str(tmp_path / "card"), "timezone": "UTC"}},
        "store": {"path": str(tmp_path / "edge.db")},
        "sinks": [{"jsonl": {"path": str(tmp_path / "out.jsonl")}}],
        "post": [{"threshold": {"default": 0.0}}],
    }
    (tmp_path / "edge.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "torch.py").write_text("raise ImportError('not at run time')")
    paths = environment(place / "cache")
    paths["PYTHONPATH"] = f"{tmp_path / 'none'}:{paths['PYTHONPATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "edge", "run", "-c", str(tmp_path / "edge.yaml"), "--once"],
        env=paths,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "out.jsonl").read_text("utf-8").splitlines()) == 10


def _taught(*, exclusive, rest=False, seed=3):
    """A student of random lessons, in which a token decides."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 12, (300, 10))
    scores = rng.uniform(0.0, 0.1, (300, 4)).astype(np.float32)
    scores[np.arange(300), (tokens == 5).any(axis=1).astype(int)] = 0.9
    if exclusive:
        scores /= scores.sum(axis=1, keepdims=True)
    curriculum = choose_labels("abcd", [scores], most=2 if rest else 0)
    spec = StudentRecipe(teacher="x", channels=6, hidden=8, layers=2, epochs=15, learning_rate=0.01)
    table = rng.normal(0, 1, (12, 5)).astype(np.float32)
    teaching = Lessons(tokens[:250], curriculum.targets(scores[:250]))
    judging = Lessons(tokens[250:], curriculum.targets(scores[250:]))
    return fit_student(teaching, judging, table, curriculum, spec, seed=1), judging, scores


@pytest.mark.parametrize(
    ("exclusive", "rest"), [(False, False), (True, False), (True, True)], ids=str
)
def test_the_exported_student_says_the_same(exclusive, rest, tmp_path):
    """Through ONNX a window of tokens gets torch's probabilities, and the same file again."""
    student, judging, _ = _taught(exclusive=exclusive, rest=rest)
    assert (exclusive, rest) == (student.curriculum.exclusive, student.curriculum.rest)
    write_onnx(student, tmp_path / "head.onnx", per_window=10)
    head = OnnxHead(tmp_path / "head.onnx")
    expected = student.probabilities(judging.tokens)
    found = np.stack([head(row) for row in judging.tokens])
    np.testing.assert_allclose(expected, found, atol=1e-5)
    assert (2 if rest else 4) == found.shape[1]
    embeddings = torch.tensor(np.stack([head.embed(row) for row in judging.tokens]))
    assert (len(found), 8) == embeddings.shape
    logits = student.net["last"](embeddings).detach().numpy()
    np.testing.assert_allclose(student.logits(judging.tokens), logits, atol=1e-4)
    write_onnx(student, tmp_path / "again.onnx", per_window=10)
    assert (tmp_path / "head.onnx").read_bytes() == (tmp_path / "again.onnx").read_bytes()


@pytest.mark.parametrize("exclusive", [False, True])
def test_it_learns_what_its_teacher_hears(exclusive):
    """It says the teacher's label first, in windows that it has not learnt from, and repeats."""
    student, judging, scores = _taught(exclusive=exclusive)
    again, _, _ = _taught(exclusive=exclusive)
    said = student.probabilities(judging.tokens)
    assert np.mean(said.argmax(axis=1) == scores[250:].argmax(axis=1)) > 0.85
    np.testing.assert_array_equal(said, again.probabilities(judging.tokens))


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_divergence_of_distributions_is_torch_s(temperature):
    """Where labels exclude one another it is torch's, times the squared temperature."""
    said, taught = torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(1))
    expected = temperature**2 * torch.nn.functional.kl_div(
        (said / temperature).log_softmax(1),
        (taught / temperature).softmax(1),
        reduction="batchmean",
    )
    found = divergence(said, taught, temperature=temperature, exclusive=True)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_divergence_of_labels_on_their_own_is_that_of_coins(temperature):
    """Each label is a distribution over there and not there; their divergences add up."""
    said, taught = torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(2))
    coins = [torch.stack([x, torch.zeros_like(x)], -1).reshape(-1, 2) for x in (said, taught)]
    expected = 5 * divergence(*coins, temperature=temperature, exclusive=True)
    found = divergence(said, taught, temperature=temperature, exclusive=False)
    torch.testing.assert_close(found, expected)
    nothing = divergence(taught, taught, temperature=temperature, exclusive=False)
    torch.testing.assert_close(nothing, torch.tensor(0.0), atol=1e-5, rtol=0.0)


def test_the_rest_of_a_distribution_is_one_label():
    """The highest labels are kept in the teacher's order; what is left to 1 is the rest."""
    scores = np.array([[0.1, 0.6, 0.1, 0.2], [0.2, 0.5, 0.0, 0.3]], dtype=np.float32)
    curriculum = choose_labels("abcd", [scores], most=2)
    assert (
        curriculum.labels,
        curriculum.exclusive,
        curriculum.rest,
        curriculum.outputs,
    ) == (("b", "d"), True, True, 3)
    np.testing.assert_allclose(
        [[0.6, 0.2, 0.2], [0.5, 0.3, 0.2]], curriculum.targets(scores), rtol=1e-5
    )


def test_labels_on_their_own_have_no_rest():
    """Where scores of a window do not add up to 1, labels are simply left out."""
    scores = np.array([[0.9, 0.8, 0.1], [0.0, 0.7, 0.2]], dtype=np.float32)
    curriculum = choose_labels("abc", [scores[:1], scores[1:]], most=2)
    assert (curriculum.labels, curriculum.exclusive, curriculum.outputs) == (("a", "b"), False, 2)
    np.testing.assert_array_equal(scores[:, :2], curriculum.targets(scores))


def test_whole_recordings_stay_together():
    """No recording is in two parts, each part has some, and the same seed deals the same."""
    clips = [Clip("x", f"c{i}", f"s{i}", None, f"r{i // 3}") for i in range(40)]
    split = split_recordings(clips, StudentRecipe(teacher="x"), seed=1)
    parts = [
        {clip.recording for clip in part}
        for part in (split.teaching, split.judging, split.held_out)
    ]
    assert 14 == sum(map(len, parts)) == len(set.union(*parts))
    assert [len(part) for part in parts] == [9, 2, 3]
    assert split == split_recordings(clips, StudentRecipe(teacher="x"), seed=1)
    with pytest.raises(InputError, match="4 recordings are too few"):
        split_recordings(clips[:12], StudentRecipe(teacher="x"), seed=1)


def test_agreement_by_hand():
    """Figures of three windows that were worked out on paper."""
    taught = np.array([[0.9, 0.2, 0.1], [0.1, 0.6, 0.2], [0.3, 0.2, 0.1]], dtype=np.float32)
    said = np.array([[0.8, 0.3, 0.1], [0.4, 0.3, 0.2], [0.1, 0.2, 0.3]], dtype=np.float32)
    found = agreement_of(said, taught, exclusive=False)
    assert (found.windows, found.sure, found.heard) == (3, 2, 2)
    assert pytest.approx([found.top1, found.sure_top1]) == [1 / 3, 0.5]
    # Ranks: alike; (1 3 2) against (3 2 1); turned round.
    assert pytest.approx(found.rank_correlation) == (1.0 - 0.5 - 1.0) / 3
    # The first label's window is ranked first; the second's ties with another, and stands behind.
    assert pytest.approx(found.average_precision) == (1.0 + 0.5) / 2
    assert agreement_of(taught, taught, exclusive=False).divergence == pytest.approx(0.0)
    assert average_precision(np.array([False, True]), np.array([0.3, 0.3], dtype=np.float32)) == 0.5


def test_no_batch_of_one():
    """A last row alone goes with the batch before; every row is there once."""
    assert [len(part) for part in batches(np.arange(7), 3)] == [3, 4]
    assert [len(part) for part in batches(np.arange(8), 3)] == [3, 3, 2]
    assert [len(part) for part in batches(np.arange(2), 3)] == [2]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("student: {", "student: {kernel: 4, ", "student.kernel: 4 tokens have no middle"),
        ("student: {", "student: {temprature: 1, ", "student.temprature: unknown key"),
        ("student: {", "student: {patience: 0, ", "student.patience"),
        ("dims: 4, count: 24", "dims: 4, count: 0", "tokens.count: is 0"),
        ("student: {", "head: {hidden: 4}\nstudent: {", "head: has no use beside student"),
    ],
)
def test_bad_recipe(tmp_path, old, new, said):
    """A student's recipe that cannot be, or says what is not used, is refused."""
    path = tmp_path / "tiny.yaml"
    path.write_text(RECIPE.replace(old, new), "utf-8")
    with pytest.raises(ConfigError) as caught:
        read_recipe(path)
    assert said in caught.value.what
    assert caught.value.remedy


def test_a_student_is_not_learnt_from_labels(tmp_path):
    """What learns from labels refuses its recipe and says what to run."""
    recipe, audio = write_lesson(tmp_path)
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(f"recipe: {recipe}\nvary: {{tokens.dims: [2, 4]}}\n")
    with pytest.raises(ConfigError, match="learns from a teacher, and sweep") as caught:
        read_sweep(sweep)
    assert "edge-build train" in caught.value.remedy
    with pytest.raises(ConfigError, match="learns from a teacher, and evaluate"):
        run_evaluation(
            [str(recipe)],
            data=audio,
            unlabelled=(),
            folds="80/20",
            fold_pattern=DEFAULT_PATTERN,
            recording=None,
            models_dir=None,
            card=None,
            cache=Cache(tmp_path / "cache"),
        )


def test_a_student_needs_audio(tmp_path):
    """Without any it is said how to give it."""
    recipe, _ = write_lesson(tmp_path)
    done = run_edge_build("train", recipe, "--out", tmp_path / "out", cache=tmp_path / "cache")
    assert done.returncode == 2
    assert "--unlabelled" in done.stderr


def test_a_student_needs_torch(tmp_path):
    """Where torch is not installed, it is said what installs it, before anything is computed."""
    recipe, audio = write_lesson(tmp_path)
    program = (
        "import sys, importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'torch' else real(name, *more)\n"
        "from edge_build.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["train", recipe, "--unlabelled", audio, "--out", tmp_path / "out"]
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env=environment(tmp_path / "cache"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "trained by torch, which is not installed" in done.stderr
    assert "pip install 'edge-bioacoustics[build,torch]'" in done.stderr


def test_copies_and_bad_files_are_left_out(made):
    """The same file twice, and what is no audio, cost only themselves and are named."""
    _, done = made
    notes = [line for line in done.stderr.splitlines() if line.startswith("edge-build: note: ")]
    same = "left out: calls/wren/r77.wav: is the same file as calls/frog/r00.wav"
    assert notes[0] == f"edge-build: note: {same}"
    assert notes[1].startswith("edge-build: note: left out: calls/wren/r78.wav: ")


def test_it_shows_its_embedding(made, tmp_path):
    """Streams give the hidden layer with each window, which `evaluate` trains heads on.

    No other head can take the place of its own.
    """
    place, _ = made
    model = load_embedder(place / "student")
    assert model.info.embedding_size == 16
    with AudioFile(place / "calls" / "frog" / "r00.wav") as file:
        outcomes = [*score(file, model, keep_embeddings=True)]
    assert [(len(x.scores), len(x.embedding)) for x in outcomes] == [(5, 16)] * 3
    with pytest.raises(InputError, match="the head of student takes tokens"):
        train_custom(
            str(place / "student"),
            data=place / "calls",
            out=tmp_path / "site",
            precision=0.9,
            cache=Cache(place / "cache"),
        )


def test_the_shipped_recipe_is_the_papers():
    """Table 3: 16 384 tokens of 768 values, 512 channels of 3 tokens, 512 hidden units."""
    recipe = read_recipe(REPOSITORY / "models" / "recipes" / "stsg-student.yaml")
    spec = recipe.student
    assert (recipe.tokens.count, recipe.word2vec.vector_size) == (16_384, 768)
    assert (spec.channels, spec.kernel, spec.layers, spec.hidden) == (512, 3, 1, 512)

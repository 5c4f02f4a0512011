"""Inner tensors of a TFLite file become outputs of it."""

import numpy as np
import pytest
from tiny_clip import CLIP, tiny_net, write_tflite

from edge.model.tflite_graph import with_outputs


@pytest.fixture
def content(tmp_path):
    write_tflite(tiny_net(), tmp_path / "model.tflite")
    return (tmp_path / "model.tflite").read_bytes()


def test_the_schema_classes_read_the_longer_list(content):
    """Read back by the schema's own classes, the list of outputs is longer, the rest as was."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    before = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    after = schema.ModelT.InitFromObj(schema.Model.GetRootAs(with_outputs(content, [3, 0]), 0))
    assert list(after.subgraphs[0].outputs) == [*before.subgraphs[0].outputs, 3, 0]
    assert [t.name for t in after.subgraphs[0].tensors] == [
        t.name for t in before.subgraphs[0].tensors
    ]


@pytest.mark.parametrize("padding", range(4))
def test_the_interpreter_gives_the_tensor_out(content, padding):
    """Whatever the file's length, the interpreter takes it and gives out what NumPy computes."""
    interpreter_of = pytest.importorskip("ai_edge_litert.interpreter").Interpreter
    interpreter = interpreter_of(model_content=with_outputs(content + bytes(padding), [3]))
    interpreter.allocate_tensors()
    clip = np.random.default_rng(4).normal(0, 0.1, CLIP).astype(np.float32)
    interpreter.set_tensor(0, clip[np.newaxis])
    interpreter.invoke()
    scores, embedding = (d["index"] for d in interpreter.get_output_details())
    net = tiny_net()
    np.testing.assert_allclose(interpreter.get_tensor(scores)[0], net.raw(clip), atol=1e-3)
    np.testing.assert_allclose(interpreter.get_tensor(embedding)[0], net.embed(clip), atol=1e-3)


@pytest.mark.parametrize("damage", [b"", b"RIFF0000WAVE", b"\xff\xff\xff\x7fTFL3", b"\0" * 100])
def test_what_is_no_tflite_file_is_refused(damage):
    """Offsets that lead nowhere are an error, not another file."""
    with pytest.raises(ValueError, match="TFLite file"):
        with_outputs(damage, [3])

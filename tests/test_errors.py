"""Errors keep what they say on their way between processes."""

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from edge.errors import AudioError, ConfigError, EdgeError, InputError, ModelError


def _fail(kind):
    raise kind("a.wav: is empty", remedy="take it out")


@pytest.mark.parametrize("kind", [EdgeError, ConfigError, ModelError, AudioError, InputError])
def test_a_pickled_error_keeps_its_remedy(kind):
    """What is wrong, what to do about it, the kind and the notes come out as they went in."""
    error = kind("a.wav: is empty", remedy="take it out")
    error.add_note("while reading card1")
    found = pickle.loads(pickle.dumps(error))
    assert kind is type(found)
    assert str(error) == str(found)
    assert (found.what, found.remedy) == ("a.wav: is empty", "take it out")
    assert found.__notes__ == ["while reading card1"]


def test_an_error_comes_out_of_a_worker_process():
    """It is raised where the result is asked for, and the pool lives on."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        with pytest.raises(InputError, match="is empty") as caught:
            pool.submit(_fail, InputError).result(60)
        assert caught.value.remedy == "take it out"
        assert pool.submit(abs, -1).result(60) == 1
